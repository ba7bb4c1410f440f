"""`eventmill backfill`: compute a range of days again, as runs that Dagster shows."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import click
from psycopg.rows import dict_row

from eventmill import warehouse
from eventmill.cli.output import json_option, print_fields, print_rows
from eventmill.cli.runs import follow
from eventmill.contracts import backfills as names
from eventmill.control import backfills, history
from eventmill.control.backfills import Backfill
from eventmill.dagster_client import DagsterClient
from eventmill.settings import Settings

_DATE = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--from", "first", type=_DATE, required=True, help="First local date.")
@click.option("--to", "last", type=_DATE, required=True, help="Last local date, which is computed too.")
@click.option("--app", "apps", multiple=True, metavar="APP", help="Only this app; may be given several times.")
@click.option("--preview", is_flag=True, help="Print what would change, and change nothing.")
@json_option
@click.pass_obj
def backfill(
    settings: Settings, first: datetime, last: datetime, apps: tuple[str, ...], preview: bool, as_json: bool
) -> None:
    """Compute every table anew for a range of days of each app's zone, from the raw events in the lake.

    It runs in a lane of its own, gives way to what is open, and is seen in the Dagster UI. Ctrl-C ends it; the same
    command goes on where it ended.

    Example: eventmill backfill --from 2026-10-01 --to 2026-10-31 --app shop --preview
    """
    today = datetime.now(UTC).date()
    begin, end = first.date(), min(last.date(), today + timedelta(days=1))
    with warehouse.connect(settings) as connection:
        backfills.check_range(connection, apps, begin, last.date())
        found = None if preview else backfills.begin(connection, apps, begin, end)
        start = history.recorded_start(connection) or begin
    client = DagsterClient(settings)
    if found is None:
        _preview(settings, client, begin, end, apps, as_json=as_json)
        return
    if found.is_resumed:
        click.echo(f"Going on with the backfill that began at {found.started_at.isoformat()}.", err=True)
    runs = dict(_compute(client, found, start))
    with warehouse.connect(settings) as connection:
        backfills.finish(connection, found)
        restated = connection.execute(
            "select count(*) from rollups.restatement where cause = 'backfill' and restated_at >= %s",
            [found.started_at],
        ).fetchone()
    changed = restated[0] if restated else 0
    days = (end - begin).days + 1
    print_fields({"from": begin, "to": end, "days": days, "periods_restated": changed, "runs": runs}, as_json=as_json)


def _compute(client: DagsterClient, found: Backfill, history_start: date) -> Iterator[tuple[str, str]]:
    """Run one asset after the other; gives each with the id of its run."""
    jobs = set(client.jobs())
    for asset, grain in names.ASSETS:
        if names.job_of(asset) not in jobs:
            continue
        start, end = partitions(grain, found.first, found.last, history_start)
        tags = {
            names.LANE_TAG: names.LANE,
            names.SINCE_TAG: found.started_at.isoformat(),
            names.APPS_TAG: ",".join(found.apps),
            names.DATES_TAG: f"{found.first}..{found.last}",
            "dagster/asset_partition_range_start": start,
            "dagster/asset_partition_range_end": end,
        }
        run_id = client.launch(names.job_of(asset), tags)
        follow(client, asset, run_id)
        yield asset, run_id


def partitions(grain: str, first: date, last: date, history_start: date) -> tuple[str, str]:
    """Keys of the first and the last partition that own a period of the local dates `[first, last]`.

    Partitions begin at `history_start`, those of weeks and months with the one that holds it.
    """
    if grain == "hour":
        # Local dates begin up to 14 hours before and end up to 12 hours after the UTC date of their name.
        start = max(_midnight(first) - timedelta(hours=14), _midnight(history_start))
        end = min(_midnight(last) + timedelta(hours=35), datetime.now(UTC))
        return f"{start:%Y-%m-%d-%H}:00", f"{end:%Y-%m-%d-%H}:00"
    if grain == "week":
        # An app's week may begin on any weekday.
        first = max(first - timedelta(days=6), history_start)
        return str(_monday(first)), str(_monday(last))
    if grain == "month":
        return str(first.replace(day=1)), str(last.replace(day=1))
    return str(first), str(last)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _number(value: Decimal | None) -> float | None:
    """Most are whole; money and seconds may not be."""
    return None if value is None else int(value) if value == int(value) else float(value)


def _preview(
    settings: Settings, client: DagsterClient, first: date, last: date, apps: tuple[str, ...], *, as_json: bool
) -> None:
    config = {"ops": {"preview": {"config": {"first": str(first), "last": str(last), "apps": sorted(apps)}}}}
    follow(client, "preview", client.launch(names.PREVIEW_JOB, {names.LANE_TAG: names.LANE}, config))
    columns = ["app_id", "grain", "local_date", "metric", "stored", "computed", "cells"]
    with warehouse.connect(settings) as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows: list[dict[str, Any]] = cursor.execute(
            "select app_id, grain, local_date, metric, stored, computed, cells from backfill_preview.difference"
            " order by app_id, local_date, grain desc, metric"
        ).fetchall()
        connection.execute("drop schema backfill_preview cascade")
    for row in rows:
        row |= {side: _number(row[side]) for side in ("stored", "computed")}
    if rows or as_json:
        print_rows(rows, columns, as_json=as_json)
    else:
        click.echo("Nothing would change.")
