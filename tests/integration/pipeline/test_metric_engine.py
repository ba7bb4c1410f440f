"""However events arrive, the kept numbers of open periods and an exact computation are those of an oracle."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_pipeline.engines import cuts, days, duckdb_sql, exact
from analytics_pipeline.engines.open_state import OpenState
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.stores import day_tables
from eventmill.lake import SESSIONS, LakeTable
from tests import oracle
from tests.lake_of import NOW, ZONES, HandMadeLake, Row, event
from tests.metric_cells import cells_of, period_of

pytestmark = pytest.mark.integration
KEPT = 2
ZONE = {"shop": ZONES["shop"]}


@pytest.fixture(autouse=True)
def few_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_sql, "KEPT_VALUES", KEPT)


def periods() -> list[Period]:
    return [
        *calendar.hours_meeting("shop", ZONES["shop"], NOW - timedelta(hours=1), NOW),
        *calendar.days_meeting("shop", ZONES["shop"], NOW, NOW),
        calendar.day("shop", ZONES["shop"], NOW.date()),
    ]


class Engines:
    """A lake, the kept state over it, and the cells that its refreshes handed out."""

    def __init__(self, directory: Path) -> None:
        self.lake = HandMadeLake(directory)
        self.periods = sorted(set(periods()))
        self.cells: dict[oracle.Cell, oracle.Numbers] = {}
        self._db = duckdb.connect(config={"threads": 1})
        self._state = OpenState(self._db)
        self._written: dict[tuple[str, str, datetime], int | None] = {}

    def refresh(self) -> int:
        """Bring `cells` up to the lake; returns how many rows of it were read."""
        snapshot = self.lake.table.snapshot()
        self._db.begin()
        found = self._state.refresh(snapshot, self.periods, self._written)
        self._db.commit()
        whole = {(period.app_id, period.grain, period.start) for period in found.whole}
        self.cells = {cell: numbers for cell, numbers in self.cells.items() if cell[:3] not in whole}
        for key in found.gone.to_pylist():
            self.cells.pop((*period_of(key), key["traffic"], key["dimension"], key["value_kind"], key["value"]), None)
        self.cells |= cells_of(found.rows)
        self._written = {(period.app_id, period.grain, period.start): snapshot.version for period in self.periods}
        return found.new_rows

    def close(self) -> None:
        self._db.close()

    def exactly(self) -> dict[oracle.Cell, oracle.Numbers]:
        """The cells as computed from the lake, once the day of its sessions is."""
        snapshot = self.lake.table.snapshot()
        today = calendar.day("shop", ZONES["shop"], NOW.date())
        with duckdb.connect(config={"threads": 1}) as connection:
            days.compute(connection, snapshot, [today], ZONE)
            sessions = LakeTable(self.lake.directory, SESSIONS)
            of_day = (today.local_date, "shop")
            day_tables.replace(sessions, [of_day], lambda _: days.lake_rows(connection, SESSIONS, 0), snapshot.version)
        with duckdb.connect(config={"threads": 1}) as connection:
            return cells_of(exact.metric_rows(connection, snapshot, self.periods).rows)

    def expected(self, *, are_open: bool) -> dict[oracle.Cell, oracle.Numbers]:
        """The cells as the oracle says."""
        keys = {(period.app_id, period.grain, period.start) for period in self.periods}
        cells = oracle.metric(self.lake.rows, ZONE, KEPT, are_open=are_open)
        return {cell: numbers for cell, numbers in cells.items() if cell[:3] in keys}


@pytest.fixture
def engines(new_directory: Callable[[], Path]) -> Iterator[Engines]:
    with closing(Engines(new_directory())) as engines:
        yield engines


def at(minute: int) -> datetime:
    return NOW - timedelta(minutes=minute)


def rows(events: Iterable[dict[str, Any]]) -> list[Row]:
    return [
        event(f"e{fields.pop('id')}", at(fields.pop("minute")), received_at=NOW, **fields)
        for fields in (dict(one) for one in events)
    ]


EVENTS = st.fixed_dictionaries(
    {
        "id": st.integers(0, 60),
        "minute": st.integers(0, 190),
        "event_type": st.sampled_from(["page_view", "click"]),
        "source": st.sampled_from(["web", "web", "server"]),
        "page_url": st.sampled_from([None, "/a", "/b", "/c", "/d"]),
        "user_id": st.sampled_from([None, None, None, "u1", "u2"]),
        "anonymous_id": st.sampled_from(["a1", "a2", "a3", "a4"]),
        "session_id": st.sampled_from([None, None, "s1", "s2"]),
        "is_bot": st.sampled_from([False, False, False, True]),
        "country": st.sampled_from([None, "DE", "NP", "US"]),
        "utm_source": st.sampled_from([None, "mail", "ads", "feed"]),
    }
)


@given(batches=st.lists(st.lists(EVENTS, min_size=1, max_size=12), min_size=2, max_size=4))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
def test_any_order_of_arrival_gives_the_same_cells(
    batches: list[list[dict[str, Any]]], new_directory: Callable[[], Path]
) -> None:
    with closing(Engines(new_directory())) as engines:
        for batch in batches:
            engines.lake.append(rows(batch))
            engines.refresh()
            assert engines.cells == engines.expected(are_open=True)
        assert engines.exactly() == engines.expected(are_open=False)


def test_a_visitor_before_and_after_signing_in_is_one(engines: Engines) -> None:
    engines.lake.append(rows([{"id": 1, "minute": 15, "anonymous_id": "a1", "event_type": "A"}]))
    engines.refresh()
    engines.lake.append(
        rows(
            [
                {"id": 2, "minute": 10, "anonymous_id": "a1", "user_id": "u1", "event_type": "identify"},
                {"id": 3, "minute": 5, "user_id": "u1", "event_type": "B"},
            ]
        )
    )
    engines.refresh()
    day = ("shop", "day", NOW.replace(hour=0, minute=0), "human", "total", "total", "")
    assert engines.cells[day][2:4] == (1, 1)


def test_an_anonymous_id_of_two_users_stays_on_its_own(engines: Engines) -> None:
    for number, user in enumerate(["u1", "u2"]):
        both = {"id": number, "minute": 10, "anonymous_id": "a1", "user_id": user}
        engines.lake.append(rows([both, {"id": f"n{number}", "minute": 9, "anonymous_id": "a1"}]))
        engines.refresh()
    day = ("shop", "day", NOW.replace(hour=0, minute=0), "human", "total", "total", "")
    assert engines.cells[day][2:4] == (2, 3)


def test_ids_that_share_a_number_are_numbered_anew(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    engines.lake.append(rows([{"id": number, "minute": 1, "anonymous_id": f"a{number}"} for number in range(3)]))
    gather = cuts.gather

    def with_a_collision(connection: duckdb.DuckDBPyConnection) -> None:
        number = "case getvariable('salt') when 0 then 7::ubigint else hash(app_id, id, getvariable('salt')) end"
        connection.execute(f"create or replace temp macro key_of(app_id, id) as {number}")
        gather(connection)

    monkeypatch.setattr(cuts, "gather", with_a_collision)
    assert engines.exactly() == engines.expected(are_open=False)
