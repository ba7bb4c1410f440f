"""What has to hold before `eventmill up` starts anything; each complaint says what to do."""

import sys
from collections.abc import Callable

import psutil

from eventmill.embedded import binaries, home, ports
from eventmill.embedded.postgres import PostgresServer
from eventmill.errors import EventmillError
from eventmill.settings import Settings

MIN_PYTHON = (3, 11)


def check_python() -> None:
    """Raise EventmillError when this Python is too old."""
    if sys.version_info[:2] < MIN_PYTHON:
        raise EventmillError(
            f"Python {sys.version.split()[0]} is too old; eventmill needs 3.11 or newer.",
            "Install python3.11 or newer, remove .venv and run `make up` again.",
        )


def check_wheels(settings: Settings) -> None:
    """Raise EventmillError when a server that is to be embedded is not installed."""
    if settings.nats_url is None:
        binaries.nats_server()
    if settings.database_url is None:
        binaries.postgres_directory()


def check_data(settings: Settings) -> None:
    """Raise EventmillError for data of a newer eventmill or of another PostgreSQL major."""
    home.check_version(settings.home)
    if settings.database_url is None:
        PostgresServer.of(settings).check_major()


def listening_ports(settings: Settings) -> dict[str, int]:
    """Every port that `eventmill up` listens on, by the setting that names it."""
    fields = ["http_port", "ingest_port", "writer_port", "dagster_port", "dagster_grpc_port", "flight_port"]
    if settings.nats_url is None:
        fields += ["nats_port", "nats_monitor_port"]
    if settings.database_url is None:
        fields += ["pg_port"]
    return {f"EVENTMILL_{field.upper()}": getattr(settings, field) for field in fields}


def check_ports(settings: Settings) -> None:
    """Raise EventmillError when a port is taken or named twice."""
    names: dict[int, str] = {}
    for name, port in listening_ports(settings).items():
        if port in names:
            raise EventmillError(f"{names[port]} and {name} are both {port}.", f"Set {name} to another port.")
        names[port] = name
        if not ports.is_free(settings.bind, port) or not ports.is_free("127.0.0.1", port):
            raise EventmillError(
                f"Port {port} ({name}) is taken{_by_whom(port)}.",
                f"End that program, or set {name} to a free port, such as {name}={ports.free_ports(1)[0]}.",
            )


def _by_whom(port: int) -> str:
    holder = ports.holder(port)
    if holder is None:
        return ""
    try:
        return f" by {holder.name()} (process {holder.pid}: {' '.join(holder.cmdline())[:80]})"
    except psutil.Error:
        return f" by process {holder.pid}"


def check_all(settings: Settings) -> None:
    """Run every check. Raises EventmillError with the first complaint."""
    checks: list[Callable[[], None]] = [
        check_python,
        lambda: check_wheels(settings),
        lambda: check_data(settings),
        lambda: home.check_space(settings.home),
        lambda: check_ports(settings),
    ]
    for check in checks:
        check()
