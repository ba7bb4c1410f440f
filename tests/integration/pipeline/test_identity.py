"""A closed period whose events turn out to be another visitor's is computed again."""

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest

from analytics_pipeline import identity
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.refresh_days import refresh_days
from tests.lake_of import NOW, Clock, HandMadeLake, event

pytestmark = pytest.mark.integration
LAST_WEEK = NOW - timedelta(days=7)


@pytest.fixture
def mark(refresher: Refresher, connection: psycopg.Connection, clock: Clock) -> Callable[[], int]:
    """Looks for the periods that the pairs of ids touch."""

    def run() -> int:
        with refresher.connect() as duck:
            return identity.mark_touched(connection, duck, refresher.snapshot(), clock.now)

    return run


def visitors(connection: psycopg.Connection) -> tuple[int, int]:
    query = (
        "select users, visitors from rollups.metric"
        " where grain = 'day' and dimension = 'total' and traffic = 'all' and local_date = %s"
    )
    row = connection.execute(query, [LAST_WEEK.date()]).fetchone()
    assert row is not None
    return row[0], row[1]


def test_old_periods_follow_who_a_visitor_turns_out_to_be(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, mark: Callable[[], int]
) -> None:
    lake.append([event("e1", LAST_WEEK, anonymous_id="a"), event("e2", LAST_WEEK, user_id="u")])
    days = [day for day in refresher.days(LAST_WEEK, LAST_WEEK) if day.app_id == "shop"]
    refresher.refresh(days)
    mark()
    before = visitors(connection)

    lake.append([event("e3", NOW, anonymous_id="a", user_id="u")])
    touched = mark()
    causes = connection.execute(
        "select distinct grain, cause, computed_version is null from rollups.periods where period_start < %s", [NOW]
    ).fetchall()
    refresher.refresh(days)

    assert (before, visitors(connection), touched) == ((1, 2), (1, 1), 1)
    assert ("day", "identity", True) in causes


def test_old_periods_follow_an_id_that_was_somebodys_for_a_moment(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, mark: Callable[[], int]
) -> None:
    lake.append([event("e1", LAST_WEEK, anonymous_id="a")])
    mark()
    days = [day for day in refresher.days(LAST_WEEK, LAST_WEEK) if day.app_id == "shop"]
    lake.append([event("e2", NOW, anonymous_id="a", user_id="u")])
    refresher.refresh(days)
    in_between = visitors(connection)
    lake.append([event("e3", NOW, anonymous_id="a", user_id="v")])
    assert mark() == 1
    refresher.refresh(days)
    assert (in_between, visitors(connection)) == ((1, 1), (0, 1))


def test_what_became_of_anonymous_ids_is_counted(
    lake: HandMadeLake, connection: psycopg.Connection, mark: Callable[[], int]
) -> None:
    lake.append(
        [
            event(f"e{user}{anonymous}", NOW, anonymous_id=anonymous, user_id=user)
            for user, anonymous in (("u", "a"), ("u", "b"), ("v", "b"), ("w", "c"))
        ]
    )
    mark()
    rows = connection.execute("select app_id, stitched, ambiguous from rollups.identity_count").fetchall()
    assert rows == [("shop", 2, 1)]


def test_nothing_is_looked_for_where_no_pair_is_new(lake: HandMadeLake, mark: Callable[[], int]) -> None:
    lake.append([event("e1", NOW, anonymous_id="a", user_id="u")])
    mark()
    lake.append([event("e2", NOW, anonymous_id="a", user_id="u")])
    assert mark() == 0


def test_the_kept_days_of_actors_lead_to_the_old_events_of_a_visitor(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection, mark: Callable[[], int]
) -> None:
    lake.append([event("e1", LAST_WEEK, anonymous_id="a"), event("e2", LAST_WEEK - timedelta(days=5), user_id="u")])
    first = LAST_WEEK - timedelta(days=5)
    days = [day for day in refresher.days(first, LAST_WEEK) if day.app_id == "shop"]
    refresher.refresh(days)
    refresh_days(refresher, days)
    mark()

    lake.append([event("e3", NOW, anonymous_id="a", user_id="u")])
    assert mark() == 1
