"""`eventmill migrate`: every store at this version's schema, or a clear refusal."""

import asyncio

import click

from eventmill import lake, stream, warehouse
from eventmill.control import history
from eventmill.control.migrate import migrate as migrate_warehouse
from eventmill.embedded import dagster_home
from eventmill.settings import Settings


@click.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring Postgres, Dagster's tables, the lake and the stream to this version; run again, it changes nothing.

    A store that a newer version wrote is refused.
    """
    with warehouse.connect(settings) as connection:
        applied = migrate_warehouse(connection)
        for name in applied:
            click.echo(f"postgres: applied {name}")
        history.record_start(connection, settings.history_start)
        connection.commit()
        if dagster_home.migrate(settings, connection):
            click.echo("dagster: tables migrated")
    lake.create_tables(settings)
    asyncio.run(_ensure_stream(settings))
    click.echo("Everything is at this version.")


async def _ensure_stream(settings: Settings) -> None:
    client = await stream.connect(settings, "eventmill migrate")
    try:
        await stream.ensure_stream(client.jetstream(), settings)
    finally:
        await client.close()
