"""Every closed period whose numbers change says so, with its cause; what is computed first does not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from analytics_pipeline import commits
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import periods as period_store
from eventmill.control import replays
from eventmill.control.replays import Replay
from eventmill.settings import Settings
from tests.lake_of import NOW, HandMadeLake, event

pytestmark = pytest.mark.integration
OLD = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
Refresh = Callable[[], None]


def restated(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "select grain, value_before, value_after, cause from rollups.restatement where table_name = 'metric'"
        " and app_id = 'shop' order by grain, restatement_id"
    ).fetchall()


@pytest.fixture
def refresh(settings: Settings, refresher: Refresher, connection: psycopg.Connection) -> Refresh:
    """Notice everything in the lake and compute the old hour and its day."""

    def notice_and_compute() -> None:
        commits.notice(settings, connection, 0, NOW)
        refresher.refresh([*refresher.hours(OLD - timedelta(hours=1), OLD), *refresher.days(OLD, OLD)])

    return notice_and_compute


@pytest.fixture
def computed(lake: HandMadeLake, refresh: Refresh) -> HandMadeLake:
    """A closed hour, and its day, with one event."""
    lake.append([event("e1", OLD, user_id="u")])
    refresh()
    return lake


@pytest.mark.usefixtures("computed")
def test_the_first_computation_is_no_restatement(connection: psycopg.Connection) -> None:
    assert restated(connection) == []


def test_late_events_restate_their_hour_and_their_day(
    computed: HandMadeLake, refresh: Refresh, connection: psycopg.Connection
) -> None:
    computed.append([event("e2", OLD, user_id="v")])
    refresh()
    assert restated(connection) == [("day", 1, 2, "late_events"), ("hour", 1, 2, "late_events")]


def test_a_computation_that_changes_nothing_restates_nothing(
    computed: HandMadeLake, refresh: Refresh, connection: psycopg.Connection
) -> None:
    computed.append([event("e1", OLD, user_id="u")])
    refresh()
    assert restated(connection) == []


@pytest.mark.parametrize("cause", ["identity", "erasure", "backfill"])
def test_a_restatement_names_the_cause_that_made_the_period_dirty(
    cause: period_store.Cause, computed: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    connection.execute("update rollups.metric set events = 7 where dimension = 'total'")
    period_store.distrust(connection, "metric", refresher.days(OLD, OLD), NOW, cause)
    refresher.refresh(refresher.days(OLD, OLD))
    assert restated(connection) == [("day", 7, 1, cause)]


@pytest.mark.usefixtures("computed")
def test_a_new_definition_is_a_cause(connection: psycopg.Connection, refresh: Refresh) -> None:
    connection.execute("update rollups.metric set events = 7 where dimension = 'total' and grain = 'hour'")
    connection.execute("update rollups.periods set definition_version = 'an older one'")
    refresh()
    assert restated(connection) == [("hour", 7, 1, "definition")]


def test_a_replay_from_the_quarantine_is_a_cause(
    computed: HandMadeLake, refresh: Refresh, connection: psycopg.Connection
) -> None:
    replay = Replay("shop", "q1", "somebody", [], 1, "m1", stream_seq=2, outcome="published")
    replays.record(connection, [replay])
    computed.append([event("e2", OLD, user_id="v")])
    refresh()
    assert restated(connection) == [("day", 1, 2, "replay"), ("hour", 1, 2, "replay")]


def test_a_stronger_cause_stays_when_late_events_follow(
    computed: HandMadeLake, refresher: Refresher, refresh: Refresh, connection: psycopg.Connection
) -> None:
    period_store.distrust(connection, "metric", refresher.days(OLD, OLD), NOW, "identity")
    computed.append([event("e2", OLD, user_id="v")])
    refresh()
    assert ("day", 1, 2, "identity") in restated(connection)


def test_a_computation_that_fails_leaves_no_restatement(
    computed: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ConnectionError

    computed.append([event("e2", OLD, user_id="v")])
    monkeypatch.setattr(period_store, "mark_computed", fail)
    with pytest.raises(ConnectionError):
        refresher.refresh(refresher.days(OLD, OLD))
    assert restated(connection) == []
