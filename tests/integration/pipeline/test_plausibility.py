"""Each check finds what it is there for, and passes on sound numbers."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg
import duckdb
import psycopg
import pytest

from analytics_pipeline.defs.watch import checks
from analytics_pipeline.defs.watch.results import latest_results
from analytics_pipeline.engines import lake_domain
from analytics_pipeline.engines.connection import connect
from analytics_pipeline.stores import check_results
from analytics_pipeline.stores.plausibility import implausible
from eventmill.control.webhooks import create_webhook
from eventmill.lake import EVENTS, LakeTable, lake_directory
from eventmill.settings import Settings
from tests.lake_of import NOW, HandMadeLake, event

pytestmark = pytest.mark.integration
DAY = datetime(2026, 5, 10, tzinfo=UTC)
COMPUTED = "now() - interval '5 minutes'"
# A day of two hours, sound in every respect: statements that fill the app shop.
SOUND = f"""
    insert into rollups.periods (table_name, app_id, grain, period_start, period_end, local_date, wanted_version,
        computed_version, computed_at, closed_at)
    select table_name, 'shop', grain, starts::timestamptz, ends::timestamptz, '2026-05-10', 1, 1, {COMPUTED}, now()
    from (values
        ('metric', 'hour', '2026-05-10 00:00+00', '2026-05-10 01:00+00'),
        ('metric', 'hour', '2026-05-10 01:00+00', '2026-05-10 02:00+00'),
        ('metric', 'day', '2026-05-10 00:00+00', '2026-05-11 00:00+00'),
        ('sessions', 'day', '2026-05-10 00:00+00', '2026-05-11 00:00+00'),
        ('goals', 'day', '2026-05-10 00:00+00', '2026-05-11 00:00+00')
    ) as period (table_name, grain, starts, ends);
    insert into rollups.metric
    select 'shop', grain, starts::timestamptz, '2026-05-10', null, 0, traffic, dimension, kind, value, events, 2, 1,
        visitors, sessions, now()
    from (values
        ('hour', '2026-05-10 00:00+00', 'total', 'total', '', 6, 2, 2),
        ('hour', '2026-05-10 01:00+00', 'total', 'total', '', 4, 3, 2),
        ('day', '2026-05-10 00:00+00', 'total', 'total', '', 10, 4, 3),
        ('day', '2026-05-10 00:00+00', 'source', 'value', 'web', 7, 3, 2),
        ('day', '2026-05-10 00:00+00', 'source', 'not_set', '', 3, 2, 2)
    ) as metric (grain, starts, dimension, kind, value, events, visitors, sessions)
    cross join (values ('all'), ('human')) as traffics (traffic);
    insert into rollups.session_metric
    select 'shop', 'day', '2026-05-10 00:00+00', 'human', dimension, kind, value, '2026-05-10', null, 0, sessions, 1, 1,
        2, 5, 60, now()
    from (values ('total', 'total', '', 3), ('channel', 'value', 'direct', 2), ('channel', 'not_set', '', 1))
        as cut (dimension, kind, value, sessions);
    insert into control.goal (goal_id, app_id, name, identifier, definition)
    values ('00000000-0000-0000-0000-000000000001', 'shop', 'buy', 'buy', '{{}}');
    insert into control.cohort (cohort_id, app_id, name, identifier, definition)
    values ('00000000-0000-0000-0000-000000000002', 'shop', 'all', 'all', '{{}}');
    insert into control.funnel (funnel_id, app_id, name, identifier, definition)
    values ('00000000-0000-0000-0000-000000000003', 'shop', 'way', 'way', '{{}}');
    insert into rollups.goal_metric (app_id, goal_id, period_start, local_date, traffic, dimension, value_kind, events,
        visitors, sessions, computed_at)
    values ('shop', '00000000-0000-0000-0000-000000000001', '2026-05-10 00:00+00', '2026-05-10', 'human', 'total',
        'total', 2, 2, 2, now());
    insert into rollups.cohort_retention
    select 'shop', '00000000-0000-0000-0000-000000000002', 'week', 'on_or_after', 'first_time', '2026-05-04', number,
        10, 10 - 2 * number, false, now()
    from generate_series(0, 2) as number;
    insert into rollups.funnel_step (app_id, funnel_id, breakdown_kind, step_no, step_name, users, in_progress,
        range_from, range_to, window_seconds, lake_version, definition_version, computed_at)
    select 'shop', '00000000-0000-0000-0000-000000000003', 'total', number, 'x', 10 - number, 1, now(), now(), 1, 1,
        'd', now()
    from generate_series(1, 3) as number;
"""


@pytest.fixture
def sound(connection: psycopg.Connection) -> psycopg.Connection:
    connection.execute(SOUND)
    return connection


def test_sound_numbers_pass_every_check(sound: psycopg.Connection) -> None:
    assert {name: found for name in checks.PLAUSIBLE if (found := implausible(sound, name))} == {}


@pytest.mark.parametrize(
    ("name", "damage", "line"),
    [
        (
            "counts_are_in_domain",
            "update rollups.metric set events = -1 where dimension = 'source' and value = 'web'",
            "day of 2026-05-10, source web: events -1",
        ),
        (
            "counts_are_in_domain",
            "update rollups.metric set visitors = 5 where traffic = 'human' and grain = 'day' and dimension = 'total'",
            "visitors 4",
        ),
        (
            "users_are_visitors",
            "update rollups.metric set users = 5 where grain = 'day' and dimension = 'total' and traffic = 'all'",
            "users 5, visitors 4",
        ),
        (
            "cuts_add_up",
            "delete from rollups.metric where value_kind = 'not_set' and traffic = 'all'",
            "all: events by source 7, in total 10",
        ),
        (
            "periods_agree_with_their_parts",
            "update rollups.metric set events = 11 where grain = 'day' and dimension = 'total'",
            "events 11, of its parts 10",
        ),
        (
            "periods_agree_with_their_parts",
            "update rollups.metric set visitors = 2 where grain = 'day' and dimension = 'total'",
            "visitors 2, of its parts 3 to 5",
        ),
        (
            "periods_agree_with_their_parts",
            "update rollups.metric set sessions = 5 where grain = 'day' and dimension = 'total'",
            "sessions 5, of its parts 2 to 4",
        ),
        (
            "session_sums_are_in_domain",
            "update rollups.session_metric set bounces = 2 where dimension = 'total'",
            "out of bounds",
        ),
        (
            "session_sums_are_in_domain",
            "delete from rollups.session_metric where value_kind = 'not_set'",
            "by channel: sessions 2, in total 3",
        ),
        (
            "sessions_started_are_sessions",
            "update rollups.session_metric set sessions_started = 4 where dimension = 'total'",
            "sessions started 4, unique sessions 3",
        ),
        ("goals_are_in_domain", "update rollups.goal_metric set events = 9, sessions = 4", "sessions 4; sessions st"),
        (
            "retention_is_in_domain",
            "update rollups.cohort_retention set returning_users = 9 where period_offset = 2",
            "returned 9 of 10, before 8",
        ),
        ("funnels_never_widen", "update rollups.funnel_step set users = 10 where step_no = 2", "users 10, before 9"),
    ],
)
def test_a_check_names_what_cannot_be(name: str, damage: str, line: str, sound: psycopg.Connection) -> None:
    sound.execute(damage)
    found = implausible(sound, name)
    assert line in " ".join(found["shop"])
    assert dg.AssetCheckResult(**checks.result_of(found)).passed is False


@pytest.mark.parametrize(
    "state",
    ["dirty_since = now()", "computed_at = now() - interval '27 hours'", "computed_at = now()"],
    ids=["waits", "old", "just now"],
)
def test_only_settled_periods_that_were_computed_lately_are_looked_at(state: str, sound: psycopg.Connection) -> None:
    sound.execute("update rollups.metric set users = 50")
    sound.execute(f"update rollups.periods set {state}")
    assert implausible(sound, "users_are_visitors") == {}


def test_the_lake_is_searched_for_what_the_contract_does_not_allow(lake: HandMadeLake, settings: Settings) -> None:
    lake.append(
        [
            event("ok", NOW, user_id="u"),
            event("nobody", NOW),
            event("wrong", NOW, user_id="u", source="fax", duration_ms=-1),
        ]
    )
    snapshot = LakeTable(lake_directory(settings), EVENTS).snapshot()
    opened: AbstractContextManager[duckdb.DuckDBPyConnection] = partial(connect, settings)()
    with opened as duck:
        broken = lake_domain.broken_rows(duck, lake_domain.newest_files(snapshot))
    assert broken == [
        ("shop", "duration_ms is negative", 1),
        ("shop", "no id of any kind", 1),
        ("shop", "source is not one of ours", 1),
    ]


def test_an_unusual_last_hour_is_a_warning(connection: psycopg.Connection) -> None:
    connection.execute(
        "insert into rollups.hourly_anomaly values ('shop', 'events', %s, '2026-05-12', 13, 0, 5, 100, -95, 100, 10, 4,"
        " false, true, now())",
        [NOW - timedelta(hours=1)],
    )
    result = dg.AssetCheckResult(**checks.volume_of(checks.unusual_volume(connection, NOW)))
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "shop: 2026-05-12T13:20+00:00: 5 events, 100 are usual" in str(result.description)


def test_a_failing_check_is_kept_for_health_and_told_to_the_app_it_is_about(connection: psycopg.Connection) -> None:
    create_webhook(connection, "https://example.com/x", app_id="shop")
    create_webhook(connection, "https://example.com/y", app_id="peak")
    asset, key = dg.AssetKey(["rollups", "x"]), dg.AssetCheckKey(dg.AssetKey(["rollups", "x"]), "plausible")

    def evaluate(found: dict[str, Any]) -> None:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(asset_key=asset, check_name="plausible", **checks.result_of(found))
        )
        check_results.keep(connection, latest_results(instance, [key], [asset], NOW), {}, NOW)

    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            evaluate({"shop": ["wrong"]})
        assert connection.execute("select check_name, has_passed, findings from rollups.check_result").fetchall() == [
            ("plausible", False, {"shop": ["wrong"]})
        ]
        evaluate({})
    told = connection.execute(
        "select url, body -> 'eventmill' ->> 'state' from control.delivery join control.webhook using (webhook_id)"
        " order by delivery.created_at, 2"
    ).fetchall()
    assert told == [("https://example.com/x", "opened"), ("https://example.com/x", "resolved")]


def test_a_check_that_ends_with_an_error_is_a_warning_and_what_it_said_before_holds_while_it_runs() -> None:
    asset = dg.AssetKey(["rollups", "x"])
    outcomes = [True, False]

    @dg.asset_check(asset=asset, name="plausible")
    def check() -> dg.AssetCheckResult:
        if not outcomes.pop(0):
            raise RuntimeError("away")
        return dg.AssetCheckResult(passed=True)

    job = dg.define_asset_job("checks", dg.AssetSelection.checks(check))
    definitions = dg.Definitions(assets=[dg.AssetSpec(asset)], asset_checks=[check], jobs=[job])
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            definitions.resolve_job_def("checks").execute_in_process(instance=instance, raise_on_error=False)
        now = datetime.now(UTC)
        for later, expected in [(timedelta(), (True, "ERROR")), (timedelta(hours=2), (False, "WARN"))]:
            (result,) = latest_results(instance, list(check.check_keys), [asset], now + later)
            assert (result.has_passed, result.severity) == expected
