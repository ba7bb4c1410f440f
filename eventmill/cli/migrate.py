"""`eventmill migrate`: every store at this version's schema, or a clear refusal."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import click

from eventmill import dbt, lake, stream, warehouse
from eventmill.control import history
from eventmill.control.migrate import migrate as migrate_warehouse
from eventmill.embedded import dagster_home
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
        # Two other programs, each some seconds where there is something to do: side by side.
        with ThreadPoolExecutor(1) as executor:
            marts = executor.submit(dbt.ensure_marts, settings)
            if dagster_home.migrate(settings, connection):
                click.echo("dagster: tables migrated")
            if marts.result():
                click.echo("marts: views built")
    lake.create_tables(settings)
    asyncio.run(_ensure_stream(settings))
    click.echo("Everything is at this version.")


async def _ensure_stream(settings: Settings) -> None:
    client = await stream.connect(settings, "eventmill migrate")
    try:
        await stream.ensure_stream(client.jetstream(), settings)
    finally:
        await client.close()
