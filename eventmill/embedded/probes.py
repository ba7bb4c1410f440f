"""Ways to see from outside that a process is ready."""

import socket
import ssl
import urllib.error
import urllib.request

import psycopg

TIMEOUT_SECONDS = 3.0
# Dagster's daemons write a heartbeat every 30 s, the first one at once.
HEARTBEAT_SECONDS = 45


def http(url: str, context: ssl.SSLContext | None = None) -> bool:
    """Whether a GET of `url` is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def tcp(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT_SECONDS):
            return True
    except OSError:
        return False


def dagster_daemon(database_address: str) -> bool:
    """Whether Dagster's daemon has written a heartbeat lately."""
    statement = (
        "select count(*) from dagster.daemon_heartbeats"
        " where timestamp > (now() at time zone 'utc') - make_interval(secs => %s)"
    )
    try:
        with psycopg.connect(database_address, connect_timeout=2, autocommit=True) as connection:
            row = connection.execute(statement, [HEARTBEAT_SECONDS]).fetchone()
    except psycopg.Error:
        return False
    return row is not None and row[0] > 0
