"""`eventmill migrate`: every store at this version's schema, or a clear refusal."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import click
import psycopg

from eventmill import dbt, lake, stream, warehouse
from eventmill.control import bi_roles, flight_access, history
from eventmill.control.migrate import migrate as migrate_warehouse
from eventmill.embedded import dagster_home
from eventmill.errors import EventmillError
from eventmill.settings import Settings


@click.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring Postgres, Dagster's tables, marts, lake and stream to this version; run again, it changes nothing.

    A store that a newer version wrote is refused.
    """
    with warehouse.connect(settings) as connection:
        for name in migrate_warehouse(connection):
            click.echo(f"postgres: applied {name}")
        history.record_start(connection, settings.history_start)
        connection.commit()
        _prepare_bi(connection)
        # Two other programs, each some seconds where there is something to do: side by side.
        with ThreadPoolExecutor(1) as executor:
            marts = executor.submit(dbt.ensure_marts, settings)
            if dagster_home.migrate(settings, connection):
                click.echo("dagster: tables migrated")
            if marts.result():
                click.echo("marts: views built")
        _prepare_flight(connection)
    lake.create_tables(settings)
    asyncio.run(_ensure_stream(settings))
    click.echo("Everything is at this version.")


def _prepare_bi(connection: psycopg.Connection) -> None:
    """The groups that read the marts. Everything else works without them, where roles are made by an administrator."""
    try:
        bi_roles.prepare(connection)
        connection.commit()
    except EventmillError as error:
        click.echo(f"postgres: no role bi_reader was made. {error.message}")


def _prepare_flight(connection: psycopg.Connection) -> None:
    """The role of Arrow Flight, which answers nothing without it, and the news of the tables below its views."""
    try:
        flight_access.prepare(connection)
        connection.commit()
    except EventmillError as error:
        click.echo(f"postgres: no role for Arrow Flight was made. {error.message}")


async def _ensure_stream(settings: Settings) -> None:
    client = await stream.connect(settings, "eventmill migrate")
    try:
        await stream.ensure_stream(client.jetstream(), settings)
    finally:
        await client.close()
