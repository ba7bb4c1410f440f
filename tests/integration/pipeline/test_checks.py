"""The asset checks tell what is wrong, and nothing else."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from analytics_pipeline import commits
from analytics_pipeline.defs.rollups import checks
from analytics_pipeline.refresh import Refresher
from eventmill.settings import Settings
from tests.lake_of import Clock, HandMadeLake, event

pytestmark = pytest.mark.integration


@pytest.fixture
def yesterday(
    settings: Settings, lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, clock: Clock
) -> datetime:
    """An instant of a closed day that holds two events, one of them twice, and was computed."""
    clock.now = datetime.now(UTC)
    instant = clock.now - timedelta(days=2)
    lake.append([event("e1", instant, user_id="u"), event("e1", instant, user_id="u"), event("e2", instant)])
    commits.notice(settings, connection, 0, clock.now)
    refresher.refresh([*refresher.hours(instant - timedelta(hours=1), instant), *refresher.days(instant, instant)])
    return instant


@pytest.mark.parametrize("grain", ["hour", "day"])
@pytest.mark.usefixtures("yesterday")
def test_a_period_that_equals_the_lake_passes(grain: str, refresher: Refresher) -> None:
    result = checks._compare(refresher, grain)
    assert (result.passed, result.metadata["periods_compared"].value) == (True, 1)


@pytest.mark.parametrize("grain", ["hour", "day"])
@pytest.mark.usefixtures("yesterday")
def test_a_period_that_differs_is_named(grain: str, refresher: Refresher, connection: psycopg.Connection) -> None:
    connection.execute("update rollups.metric set events = events + 1")
    result = checks._compare(refresher, grain)
    assert not result.passed
    assert "rollup 3, lake 2" in str(result.metadata["wrong"].value)


@pytest.mark.parametrize("grain", ["hour", "day"])
def test_what_was_committed_a_moment_ago_is_not_missing_yet(
    grain: str, yesterday: datetime, lake: HandMadeLake, refresher: Refresher
) -> None:
    lake.append([event("e3", yesterday)])
    result = checks._compare(refresher, grain)
    assert (result.passed, result.metadata["periods_compared"].value) == (True, 0)
