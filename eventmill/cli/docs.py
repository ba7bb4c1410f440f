"""`eventmill docs`: the documentation of every metric, as dbt writes it."""

import click

from eventmill import dbt
from eventmill.settings import Settings


@click.group()
def docs() -> None:
    """Build the metrics' documentation, which the query service serves at /docs/metrics."""


@docs.command()
@click.option("--if-changed", is_flag=True, help="Do nothing when the page describes the present marts.")
@click.pass_obj
def build(settings: Settings, if_changed: bool) -> None:
    """Write the page anew; the marts must exist (`eventmill migrate`)."""
    if if_changed and not dbt.ensure_docs(settings):
        click.echo("The page is up to date.")
        return
    page = dbt.docs_page(settings) if if_changed else dbt.generate_docs(settings)
    click.echo(f"Wrote {page}.")
