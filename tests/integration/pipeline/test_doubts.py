"""What asks for a period anew while it is computed is not lost, whatever else the computation saw."""

from datetime import timedelta

import psycopg
import pytest

from analytics_pipeline import commits, refresh_long
from analytics_pipeline.cohorts import refresh_cohorts
from analytics_pipeline.engines import duckdb_sql, exact
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.refresh_days import refresh_days
from analytics_pipeline.stores import periods as period_store
from eventmill.control import definitions
from tests.lake_of import NOW, ZONES, Clock, HandMadeLake, event

pytestmark = pytest.mark.integration
LONG_AGO = NOW - timedelta(days=30)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
THE_DAY = calendar.day("shop", ZONES["shop"], LONG_AGO.date())
THE_WEEK = calendar.week_of("shop", ZONES["shop"], LONG_AGO.date())
# A Sunday.
LAST_DAY = calendar.day("shop", ZONES["shop"], THE_WEEK.local_date + timedelta(days=6)).start


def is_dirty(connection: psycopg.Connection, period: Period, table: str = "metric") -> bool:
    row = connection.execute(
        "select dirty_since is not null from rollups.periods"
        " where table_name = %s and app_id = %s and grain = %s and period_start = %s",
        [table, period.app_id, period.grain, period.start],
    ).fetchone()
    assert row is not None
    return bool(row[0])


@pytest.fixture
def stored(lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock) -> int:
    lake.append([event("e1", LONG_AGO, anonymous_id="a")])
    return commits.notice(refresher.settings, connection, 0, clock.now)


def test_a_period_doubted_while_it_is_computed_stays_dirty_until_it_is_computed_again(
    stored: int, refresher: Refresher, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = exact.metric_rows

    def doubted_meanwhile(*arguments: object) -> exact.Computed:
        found = really(*arguments)  # type: ignore[arg-type]
        period_store.distrust(connection, "metric", [THE_DAY], NOW, cause="identity")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(exact, "metric_rows", doubted_meanwhile)
        refresher.refresh([THE_DAY])
    assert is_dirty(connection, THE_DAY)
    refresher.refresh([THE_DAY])
    assert not is_dirty(connection, THE_DAY)


def test_a_week_stays_dirty_while_a_day_of_it_has_another_definition(
    stored: int, refresher: Refresher, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh_days(refresher, [THE_DAY])
    refresh_long.refresh_long(refresher, [THE_WEEK])
    assert not is_dirty(connection, THE_WEEK)
    really = duckdb_sql.definition_version
    monkeypatch.setattr(duckdb_sql, "definition_version", lambda folder="metric": f"new {really(folder)}")
    commits.notice(refresher.settings, connection, stored, NOW)
    refresh_long.refresh_long(refresher, [THE_WEEK])
    assert is_dirty(connection, THE_WEEK)
    refresh_days(refresher, [THE_DAY])
    refresh_long.refresh_long(refresher, [THE_WEEK])
    assert not is_dirty(connection, THE_WEEK)


def test_a_late_event_asks_for_the_week_after_it_whose_sessions_it_cuts_elsewhere(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    person = {"session_id": "s", "user_id": "u"}
    for number, at in enumerate((LAST_DAY - 4 * HOUR, LAST_DAY + 34 * HOUR, LAST_DAY + 53 * HOUR)):
        lake.append([event(f"e{number}", at, **person)])
    version = commits.notice(refresher.settings, connection, 0, NOW)
    following = calendar.week_of("shop", ZONES["shop"], (LAST_DAY + DAY).date())

    def sessions() -> int:
        first = LAST_DAY - 2 * DAY
        days = calendar.days_meeting("shop", ZONES["shop"], first, LAST_DAY + 4 * DAY)
        refresh_days(refresher, list(days))
        refresh_long.refresh_long(refresher, [following])
        row = connection.execute(
            "select sessions from rollups.metric where app_id = 'shop' and grain = 'week' and period_start = %s"
            " and dimension = 'total' and traffic = 'all'",
            [following.start],
        ).fetchone()
        assert row is not None
        return int(row[0])

    assert sessions() == 1
    # It joins Saturday's event with Monday's: the run is then a day old at the midnight after Monday.
    lake.append([event("late", LAST_DAY + 12 * HOUR, **person)])
    commits.notice(refresher.settings, connection, version, NOW)
    assert is_dirty(connection, following)
    assert sessions() == 2


def test_a_cohort_is_behind_while_days_that_it_rests_on_are(
    stored: int, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> None:
    definitions.create(connection, definitions.COHORT, "shop", "Came", {"filter": {"event_type": "page_view"}})

    def computed() -> int:
        clock.now += timedelta(minutes=6)
        return refresh_cohorts(refresher.settings, refresher.connect, clock.now).computed

    assert computed() == 1
    assert computed() == 1
    refresh_days(refresher, [THE_DAY])
    assert computed() == 1
    assert computed() == 0
