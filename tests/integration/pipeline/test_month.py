"""A month of events that arrive in any order: in the end every number is that of a rebuild from scratch."""

import json
import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from analytics_pipeline.engines.connection import connect
from analytics_pipeline.refresh import Refresher
from eventmill import lake as lake_tables
from eventmill import warehouse
from eventmill.control import apps, definitions
from eventmill.embedded.postgres import PostgresServer
from eventmill.lake import lake_directory
from eventmill.settings import Settings
from tests import month, oracle, session_oracle
from tests.databases import drop_database
from tests.lake_of import Clock, HandMadeLake, Row
from tests.pipeline_in_process import Pipeline

pytestmark = pytest.mark.integration
# A bigger month: visits to each app, looks, and seeds, as in "400 40 1,2,3".
VISITS, LOOKS, SEEDS = os.environ.get("MONTH", "16 3 1").split()
ROLLUPS = (
    *("metric", "session_metric", "revenue", "goal_metric", "cohort", "cohort_retention", "funnel_step"),
    *("counted_arrival", "later_duplicate", "identity_count", "ingest_accounting", "ingest_reason"),
)
# What says when and how often something was computed, not what.
BOOKKEEPING = {"computed_at", "created_at", "lake_version", "complete_through", "told_until", "as_of"}
OF_HISTORY = {"restatements", "hourly_anomalies"}
# Everything is closed, and a day later everything is computed.
CLOSED, SETTLED = month.END + timedelta(days=3), month.END + timedelta(days=4)


class Site:
    """A home, a database with marts, a lake, and the pipeline between them."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.connection = warehouse.connect(settings, autocommit=True)
        self.clock = Clock()
        self.clock.now = month.START
        lake_tables.create_tables(settings)
        self.lake = HandMadeLake(lake_directory(settings), clock=self.clock)
        refresher = Refresher(settings, partial(connect, settings), partial(connect, settings), self.clock)
        self.pipeline = Pipeline(refresher, self.connection, self.clock, random.Random(seed))

    def create(self) -> None:
        """Apps and definitions."""
        for app_id, zone in month.ZONES.items():
            apps.create_app(self.connection, app_id, app_id=app_id, time_zone=zone.key)
            bought = {"event_type": "purchase"}
            signed_up = {"event_type": "signup"}
            definitions.create(self.connection, definitions.GOAL, app_id, "Bought", {"filter": bought})
            definitions.create(
                self.connection, definitions.COHORT, app_id, "Came", {"filter": {"event_type": "page_view"}}
            )
            steps = {"steps": [{"event_type": "page_view"}, bought], "window": "2d", "days": 90}
            definitions.create(self.connection, definitions.FUNNEL, app_id, "Buy", steps | {"breakdown": "os"})
            definitions.create(self.connection, definitions.FUNNEL, app_id, "Visit", steps | {"count_by": "session"})
            self.later = {"filter": signed_up, "return_event": "any"}

    def create_later(self) -> None:
        """Definitions that come when there are events already."""
        for app_id in month.ZONES:
            definitions.create(self.connection, definitions.COHORT, app_id, "Signed up", self.later)
            clicks = {"filter": {"event_type": "click"}}
            definitions.create(self.connection, definitions.GOAL, app_id, "Clicked", clicks)

    def take_over(self, other: "Site") -> None:
        """The same apps and definitions, and the same events in other files."""
        for table in ("org", "app", "goal", "cohort", "funnel"):
            for (row,) in other.connection.execute(f"select to_jsonb(t) from control.{table} as t").fetchall():
                self.connection.execute(
                    f"insert into control.{table} select * from jsonb_populate_record(null::control.{table}, %s)"
                    " on conflict do nothing",
                    [Jsonb(row)],
                )

    def cells(self) -> dict[str, list[str]]:
        """Rows of every table of numbers and of every mart, without what says when they were computed."""
        marts = self.connection.execute(
            "select table_name from information_schema.views where table_schema = 'marts' order by 1"
        ).fetchall()
        names = [f"rollups.{name}" for name in ROLLUPS]
        names += [f"marts.{name}" for (name,) in marts if name not in OF_HISTORY]
        return {name: self._rows(name) for name in names}

    def _rows(self, name: str) -> list[str]:
        rows = self.connection.execute(f"select to_jsonb(t) from {name} as t").fetchall()
        return sorted(
            json.dumps({key: value for key, value in row.items() if key not in BOOKKEEPING}, sort_keys=True)
            for (row,) in rows
        )


@pytest.fixture
def site(
    postgres: PostgresServer, _marts_template: str, new_directory: Callable[[], Any]
) -> Iterator[Callable[[int], Site]]:
    """Makes a site with nothing in it."""
    sites: list[Site] = []
    names: list[str] = []
    numbers = count(1)
    with psycopg.connect(postgres.address(), autocommit=True) as connection:

        def make(seed: int) -> Site:
            names.append(f"month_{next(numbers)}")
            connection.execute(f"create database {names[-1]} template {_marts_template}")
            settings = Settings(home=new_directory(), database_url=postgres.address(names[-1]), demo=False)
            sites.append(Site(settings, seed))
            return sites[-1]

        yield make
        for one in sites:
            one.connection.close()
        for name in names:
            drop_database(connection, name)


def lived(site: Site, seed: int) -> list[Row]:
    """Let the month pass; returns what was rejected."""
    rng = random.Random(seed)
    site.create()
    rejected: list[Row] = []
    for number, batch in enumerate(month.batches(rng, int(VISITS), int(LOOKS))):
        site.clock.now = batch.until
        for envelope in batch.envelopes:
            site.lake.append(envelope, batch.rejected)
            rejected += batch.rejected
            batch.rejected = []
        if number == int(LOOKS) // 2:
            site.create_later()
        site.pipeline.tick()
        if number % 2:
            site.pipeline.follow_identities()
            site.pipeline.refresh_definitions()
    site.pipeline.settle(CLOSED, SETTLED)
    return rejected


def differences(found: dict[str, list[str]], expected: dict[str, list[str]]) -> dict[str, Any]:
    return {
        name: (sorted(set(found[name]) - set(expected[name]))[:3], sorted(set(expected[name]) - set(found[name]))[:3])
        for name in expected
        if found[name] != expected[name]
    }


@pytest.mark.parametrize("seed", [int(seed) for seed in SEEDS.split(",")])
def test_every_number_of_a_month_is_that_of_a_rebuild(site: Callable[[int], Site], seed: int) -> None:
    lived_through, rebuilt = site(seed), site(seed)
    rejected = lived(lived_through, seed)
    rebuilt.take_over(lived_through)
    rebuilt.lake.store(lived_through.lake.rows, rejected)
    rebuilt.pipeline.settle(CLOSED, SETTLED)
    found, expected = lived_through.cells(), rebuilt.cells()
    assert {name for name in ROLLUPS if not expected[f"rollups.{name}"]} == set()
    assert differences(found, expected) == {}
    assert _metric(lived_through) == oracle.metric(lived_through.lake.rows, month.ZONES)
    assert _sessions(lived_through) == _expected_sessions(lived_through.lake.rows)


def _metric(site: Site) -> dict[Any, Any]:
    rows = site.connection.execute(
        "select app_id, grain, period_start, traffic, dimension, value_kind, value, events, page_views, users,"
        " visitors, sessions from rollups.metric where grain in ('hour', 'day')"
    ).fetchall()
    return {row[:7]: row[7:] for row in rows}


def _sessions(site: Site) -> dict[Any, Any]:
    rows = site.connection.execute(
        "select app_id, local_date, traffic, sessions_started, sessions_with_views, bounces, views, events,"
        " round(duration_seconds::numeric, 3) from rollups.session_metric where grain = 'day' and dimension = 'total'"
    ).fetchall()
    return {row[:3]: (*row[3:8], float(row[8])) for row in rows}


def _expected_sessions(rows: list[Row]) -> dict[Any, Any]:
    users = oracle.stitched(rows)
    found: dict[Any, list[Row]] = defaultdict(list)
    for app_id, zone in month.ZONES.items():
        counted = [
            row
            | {
                "place": row["stream_seq"] * 4096 + row["row_no"],
                "user_id": row.get("user_id") or users.get((app_id, row.get("anonymous_id") or "")),
                "interactive": json.loads(row["properties"]).get("interactive", True),
            }
            for row in oracle.unique_events(rows)
            if row["app_id"] == app_id
        ]
        for traffic in ("human", "all"):
            for session in session_oracle.sessions(counted, zone, bots=traffic == "all"):
                found[app_id, session["local_date"], traffic].append(session)
    return {
        cell: (
            len(sessions),
            sum(session["views"] > 0 for session in sessions),
            sum(bool(session["is_bounce"]) for session in sessions),
            sum(session["views"] for session in sessions),
            sum(session["events"] for session in sessions),
            round(sum(session["duration_seconds"] for session in sessions), 3),
        )
        for cell, sessions in found.items()
    }
