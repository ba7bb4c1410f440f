"""Saved cohorts and funnels follow the lake: computed when new or behind it, and left alone otherwise."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg
import psycopg
import pytest

from analytics_pipeline import definition_versions
from analytics_pipeline.cohorts import refresh_cohorts
from analytics_pipeline.defs.definitions import sensors as definition_sensors
from analytics_pipeline.engines.connection import connect
from analytics_pipeline.funnels import refresh_funnels
from analytics_pipeline.stores import definitions as results
from eventmill.control import apps, definitions
from eventmill.control.definitions import COHORT, FUNNEL, GOAL
from eventmill.settings import Settings
from tests.lake_of import NOW, HandMadeLake, Row, event

pytestmark = pytest.mark.integration
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
SIGNED_UP = {"filter": {"event_type": "signup"}, "return_event": {"event_type": "login"}}


def cohort(connection: psycopg.Connection, definition: dict[str, Any] = SIGNED_UP) -> definitions.Saved:
    return definitions.create(connection, COHORT, "shop", "Signed up", definition)


def funnel(connection: psycopg.Connection, **more: Any) -> definitions.Saved:
    steps = [{"event_type": "signup"}, {"event_type": "login"}]
    return definitions.create(connection, FUNNEL, "shop", "Log in", {"steps": steps, "window": "3d", **more})


def happened(number: int, event_type: str, at: datetime, **fields: Any) -> Row:
    return event(f"e{number}", at, event_type=event_type, **fields)


def three_weeks() -> list[Row]:
    """Two sign up three weeks ago, one of whom logs in a day and a week later; one signs up today."""
    start = NOW - 21 * DAY
    return [
        happened(1, "signup", start, anonymous_id="v1"),
        happened(2, "signup", start, user_id="u2"),
        happened(3, "login", start + DAY, user_id="u1", anonymous_id="v1"),
        happened(4, "login", start + 7 * DAY, user_id="u1"),
        happened(5, "signup", NOW, user_id="u3"),
        happened(6, "signup", NOW, user_id="rival", app_id="peak"),
    ]


def run_cohorts(settings: Settings, now: datetime = NOW) -> int:
    return refresh_cohorts(settings, partial(connect, settings), now).computed


def run_funnels(settings: Settings, now: datetime = NOW) -> int:
    return refresh_funnels(settings, partial(connect, settings), now).computed


def want(connection: psycopg.Connection, version: int) -> None:
    """What the sensor notes of a commit: a period of the app wants that version of the lake."""
    connection.execute(
        "insert into rollups.periods (table_name, app_id, grain, period_start, period_end, local_date, wanted_version)"
        " values ('metric', 'shop', 'day', %(at)s, %(at)s, %(at)s, %(version)s)"
        " on conflict (table_name, app_id, grain, period_start) do update set wanted_version = %(version)s",
        {"at": NOW.replace(hour=0, minute=0), "version": version},
    )


def test_a_new_cohort_is_computed_with_its_retention(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    lake.append(three_weeks())
    saved = cohort(connection, SIGNED_UP | {"return_event": "any"})
    assert run_cohorts(settings) == 1
    [row] = connection.execute(
        "select user_count, retention_rate, is_exact, lake_version from rollups.cohort where cohort_id = %s", [saved.id]
    ).fetchall()
    # Who signed up as v1 logged in as u1: one person, who came back.
    assert row == (3, 50.0, True, lake.version)
    cells = connection.execute(
        "select cohort_date, cohort_size, returning_users from rollups.cohort_retention"
        " where interval_kind = 'month' and mode = 'on' and recurrence = 'first_time'"
        " order by cohort_date, period_offset"
    ).fetchall()
    assert cells == [(date(2026, 4, 1), 2, 1), (date(2026, 4, 1), 2, 0), (date(2026, 5, 1), 1, 0)]


def test_a_new_funnel_is_computed(settings: Settings, connection: psycopg.Connection, lake: HandMadeLake) -> None:
    start = NOW - 2 * DAY
    lake.append(
        [
            happened(1, "signup", start, user_id="u1"),
            happened(2, "login", start + MINUTE, user_id="u1"),
            happened(3, "signup", start, user_id="u2"),
            happened(4, "signup", start, user_id="rival", app_id="peak"),
        ]
    )
    saved = funnel(connection)
    assert run_funnels(settings) == 1
    rows = connection.execute(
        "select step_no, users, median_seconds, range_from, window_seconds from rollups.funnel_step"
        " where funnel_id = %s order by step_no",
        [saved.id],
    ).fetchall()
    first_day = NOW.replace(hour=0, minute=0) - 29 * DAY
    assert rows == [(1, 2, None, first_day, 259200), (2, 1, 60.0, first_day, 259200)]


def test_a_funnel_can_count_sessions(settings: Settings, connection: psycopg.Connection, lake: HandMadeLake) -> None:
    start = NOW - 2 * DAY
    lake.append(
        [
            happened(1, "signup", start, user_id="u1", session_id="s1"),
            happened(2, "login", start + MINUTE, user_id="u1", session_id="s2"),
            happened(3, "signup", start, user_id="u2", session_id="s3"),
            happened(4, "login", start + MINUTE, user_id="u2", session_id="s3"),
        ]
    )
    funnel(connection, count_by="session", days=3)
    run_funnels(settings)
    rows = connection.execute("select step_no, users from rollups.funnel_step order by step_no").fetchall()
    assert rows == [(1, 2), (2, 1)]


def test_nothing_is_computed_again_while_nothing_changes(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    want(connection, lake.append(three_weeks()))
    cohort(connection)
    funnel(connection)
    assert (run_cohorts(settings), run_funnels(settings)) == (1, 1)
    later = NOW + 50 * MINUTE
    assert (run_cohorts(settings, later), run_funnels(settings, later)) == (0, 0)


def test_a_result_follows_the_lake_five_minutes_after_it_was_computed(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    want(connection, lake.append(three_weeks()))
    cohort(connection)
    run_cohorts(settings)
    want(connection, lake.append([happened(9, "signup", NOW, user_id="u9")]))
    assert run_cohorts(settings, NOW + 4 * MINUTE) == 0
    assert run_cohorts(settings, NOW + 5 * MINUTE) == 1
    assert connection.execute("select user_count from rollups.cohort").fetchall() == [(4,)]


def test_a_closed_period_that_changed_and_a_new_day_ask_for_another_computation(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    want(connection, lake.append(three_weeks()))
    cohort(connection)
    run_cohorts(settings)
    connection.execute(
        "insert into rollups.restatement (app_id, table_name, grain, period_start, local_date, metric, rows_changed,"
        " cause, restated_at) values ('shop', 'metric', 'day', %(at)s, %(at)s, 'events', 1, 'erasure', %(at)s)",
        {"at": NOW + MINUTE},
    )
    assert run_cohorts(settings, NOW + 6 * MINUTE) == 1
    assert run_cohorts(settings, NOW + 12 * MINUTE) == 0
    assert run_cohorts(settings, NOW + DAY) == 1


def test_results_go_with_their_definition(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    lake.append(three_weeks())
    saved = cohort(connection), funnel(connection)
    run_cohorts(settings)
    run_funnels(settings)
    for kind, one in zip((COHORT, FUNNEL), saved, strict=True):
        definitions.delete(connection, kind, "shop", str(one.id))
    for table in ("cohort", "cohort_retention", "funnel_step"):
        assert connection.execute(f"select count(*) from rollups.{table}").fetchone() == (0,)


def test_definitions_and_results_go_with_their_app(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    lake.append(three_weeks())
    cohort(connection)
    funnel(connection)
    run_cohorts(settings)
    run_funnels(settings)
    apps.delete_rollups(connection, "shop")
    connection.execute("delete from control.app where app_id = 'shop'")
    for table in (
        "control.cohort",
        "control.funnel",
        "rollups.cohort",
        "rollups.cohort_retention",
        "rollups.funnel_step",
    ):
        assert connection.execute(f"select count(*) from {table}").fetchone() == (0,)


def test_a_definition_deleted_while_it_was_computed_leaves_nothing(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    lake.append(three_weeks())
    saved = cohort(connection)
    [due] = results.due(connection, results.COHORT, definition_versions.of_cohorts(), NOW)
    definitions.delete(connection, COHORT, "shop", saved.name)
    assert not results.hold(connection, results.COHORT, due)


@pytest.mark.parametrize("table", [results.COHORT, results.FUNNEL_STEP], ids=lambda table: table.name)
def test_a_floor_that_rose_while_a_definition_was_computed_leaves_its_result_unwritten(
    connection: psycopg.Connection, table: results.ResultTable
) -> None:
    (cohort if table is results.COHORT else funnel)(connection)
    [due] = results.due(connection, table, "d1", NOW)
    assert results.hold(connection, table, due)
    connection.execute("update control.app set lake_floor = %s where app_id = 'shop'", [NOW])
    assert not results.hold(connection, table, due)


# The newest archived event sets the floor: it lies within a day.
@pytest.mark.parametrize(
    "floor", [NOW - 10 * DAY, NOW - 21 * DAY + timedelta(microseconds=1)], ids=["later", "same day"]
)
def test_what_was_archived_stays_as_it_was_computed(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake, floor: datetime
) -> None:
    events = three_weeks()
    lake.append(events)
    cohort(connection, {"filter": {"event_name": "signup"}, "return_event": {"event_type": "login"}})
    run_cohorts(settings)
    query = (
        "select interval_kind, mode, recurrence, cohort_date, period_offset, cohort_size, returning_users"
        " from rollups.cohort_retention where cohort_date = %s order by 1, 2, 3, 4, 5"
    )
    old_day = [(NOW - 21 * DAY).date()]
    before = connection.execute(query, old_day).fetchall()
    # The floor rises and the archived events leave the lake.
    connection.execute("update control.app set lake_floor = %s where app_id = 'shop'", [floor])
    emptied = HandMadeLake(settings.home / "after-retention")
    emptied.append([one for one in events if one["event_time"] >= floor])
    moved = settings.model_copy(update={"lake_url": str(emptied.directory)})
    refresh_cohorts(moved, partial(connect, moved), NOW + DAY)
    # Of the two whose return was archived with the rest, one came back: that rate is kept too.
    assert connection.execute("select is_exact, retention_rate from rollups.cohort").fetchall() == [(False, 50.0)]
    assert before
    assert connection.execute(query, old_day).fetchall() == before


def test_the_sensor_asks_for_what_is_due_and_for_the_days_of_new_goals(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    want(connection, lake.append(three_weeks()))
    cohort(connection)
    definitions.create(connection, GOAL, "shop", "Signed up", {"filter": {"event_type": "signup"}})
    [sensor] = definition_sensors.sensors(settings)
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance=instance) as context:
        asked = sensor(context)
        assert isinstance(asked, dg.SensorResult)
        assert [request.job_name for request in asked.run_requests or []] == ["refresh_cohorts"]
        assert connection.execute("select count(*) from rollups.periods where table_name = 'goals'").fetchone() == (1,)
        run_cohorts(settings, datetime.now(UTC))
        assert isinstance(sensor(context), dg.SkipReason)
