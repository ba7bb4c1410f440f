"""`eventmill reconcile`: compare raw events, rollups and marts over all kept history."""

from typing import Any

import click
from psycopg.rows import dict_row

from eventmill import warehouse
from eventmill.cli.output import json_option, print_fields, print_rows
from eventmill.cli.runs import follow
from eventmill.contracts.backfills import LANE_TAG
from eventmill.dagster_client import DagsterClient
from eventmill.errors import EventmillError
from eventmill.settings import Settings

_JOB = "reconcile"
_CONFIG = {"ops": {"compare_with_lake": {"config": {"full": True}}}}


@click.command()
@json_option
@click.pass_obj
def reconcile(settings: Settings, as_json: bool) -> None:
    """Compare raw events, rollups and marts, and have what is missing or wrong computed again.

    All history is compared whose raw events are in the lake. Dagster does it, weekly too, and what is new hourly. The
    exit code is 1 where a mart differs from the rollups, which no computation can put right.

    Example: eventmill reconcile --json
    """
    client = DagsterClient(settings)
    follow(client, _JOB, client.launch(_JOB, {LANE_TAG: "upkeep"}, _CONFIG))
    with warehouse.connect(settings) as connection, connection.cursor(row_factory=dict_row) as cursor:
        row: dict[str, Any] | None = cursor.execute(
            "select started_at, finished_at, lake_version, compared, wrong, marts from rollups.reconciliation"
            " where is_full order by reconciliation_id desc limit 1"
        ).fetchone()
    if row is None:
        raise EventmillError("The comparison left no result.", "The Dagster UI shows its run.")
    if as_json:
        print_fields(row, as_json=True)
    else:
        print_fields({**row, "wrong": len(row["wrong"]), "marts": len(row["marts"])}, as_json=False)
        if row["wrong"]:
            print_rows(row["wrong"], ["table", "app_id", "grain", "period_start"], as_json=False)
    if row["marts"]:
        raise EventmillError("\n".join(row["marts"]), "`eventmill migrate` builds the marts anew.")
