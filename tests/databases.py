"""Databases that come and go with a test."""

import psycopg


def drop_database(connection: psycopg.Connection, name: str) -> None:
    """Drop a database, whoever is still connected to it.

    `with (force)` is refused while an autovacuum worker is in there, whom only a superuser may end that way; a plain
    drop asks it to leave and waits.
    """
    connection.execute(f"alter database {name} with allow_connections false")
    connection.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s and usename = current_user",
        (name,),
    )
    connection.execute(f"drop database {name}")
