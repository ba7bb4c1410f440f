"""`eventmill archive …`: events that left the lake, and how they come back."""

from datetime import datetime, timedelta

import click

from eventmill.archive import restoring
from eventmill.archive.retention import described
from eventmill.cli.output import app_option, json_option, print_fields, print_rows
from eventmill.settings import Settings

_COLUMNS = ("app_id", "event_date", "state", "rows", "bytes", "last_event_at", "restored_until")
_DATE = click.DateTime(["%Y-%m-%d"])


@click.group()
def archive() -> None:
    """List what is in the archive, and bring it back."""


@archive.command("list")
@click.option("--app", "app_id", metavar="APP", help="The app's id; all apps without it.")
@click.option("--from", "first", type=_DATE, help="First date (UTC) of the events.")
@click.option("--to", "last", type=_DATE, help="Last date (UTC) of the events, included.")
@json_option
@click.pass_obj
def list_(settings: Settings, app_id: str | None, first: datetime | None, last: datetime | None, as_json: bool) -> None:
    """List the archive's files, the oldest events first.

    Example: eventmill archive list --app shop --from 2026-01-01
    """
    found = restoring.archived(settings, app_id, first.date() if first else None, last.date() if last else None)
    print_rows([described(part) for part in found], _COLUMNS, as_json=as_json)


@archive.command()
@app_option
@click.option("--from", "first", type=_DATE, required=True, help="First date (UTC) of the events.")
@click.option("--to", "last", type=_DATE, required=True, help="Last date (UTC) of the events, included.")
@click.option("--keep-days", type=click.IntRange(1, 3650), default=7, show_default=True, help="Until archived again.")
@json_option
@click.pass_obj
def restore(settings: Settings, app_id: str, first: datetime, last: datetime, keep_days: int, as_json: bool) -> None:
    """Bring events back into the lake, checksums verified, so that their periods can be computed again.

    Example: eventmill archive restore --app shop --from 2026-01-01 --to 2026-01-31
    """
    done = restoring.restore(settings, app_id, first.date(), last.date(), timedelta(days=keep_days))
    fields = {
        "app_id": app_id,
        "restored": [str(part.part_id) for part in done.parts],
        "rows": done.rows,
        "lake_floor": done.floor.isoformat() if done.floor else None,
    }
    if as_json:
        print_fields(fields, as_json=True)
        return
    click.echo(f"{done.rows:,} events of {len(done.parts)} files are back in the lake for {keep_days} days.")
    if done.floor is not None:
        click.echo(
            f"Later events are still archived: periods that start before {done.floor:%Y-%m-%d %H:%M} UTC are not "
            "computed again. Restore up to there to have them computed."
        )
