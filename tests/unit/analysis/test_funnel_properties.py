"""Funnels of every kind equal the reference that tries all paths."""

from collections.abc import Sequence
from datetime import timedelta
from statistics import mean, median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventmill.analysis.funnel import FunnelStepRow, run
from eventmill.analysis.funnel_definition import parse_funnel
from tests.funnel_events import BEGIN, connected, fill
from tests.funnel_reference import Event, Funnel, Path, counted_path, entry_value

Row = tuple[str, str, int, int, int, float | None, float | None]

KINDS = "ABCX"
events = st.builds(
    Event,
    st.sampled_from(KINDS),
    st.integers(-1, 8),
    st.sampled_from([None, "", "DE", "US"]),
    st.sampled_from([False] * 9 + [True]),
)
histories = st.lists(st.lists(events, min_size=1, max_size=6), min_size=1, max_size=12)
distinct = st.sampled_from([["A", "B"], ["A", "B", "C"], ["C", "A", "B"]])
overlapping = st.lists(st.sampled_from(["A", "B", "C", "AB", "ABC", "BC"]), min_size=2, max_size=4)
# A tenth of the profile's: an example is many histories, and costs as much as a query.
PROPERTY = settings(max_examples=settings().max_examples // 10)


@st.composite
def exclusions(draw: st.DrawFn, steps: Sequence[str], kinds: Sequence[str]) -> list[tuple[str, int, int]]:
    first = draw(st.integers(1, len(steps) - 1))
    return draw(
        st.lists(
            st.tuples(st.sampled_from(kinds), st.just(first), st.integers(first + 1, len(steps))),
            min_size=1,
            max_size=2,
        )
    )


@st.composite
def funnels(draw: st.DrawFn, order: str, steps: st.SearchStrategy[list[str]], excluded: Sequence[str] = ()) -> Funnel:
    chosen = draw(steps)
    return Funnel(
        chosen,
        draw(st.integers(1, 6)),
        order,
        draw(st.integers(0, 1)),
        draw(st.integers(2, 7)),
        draw(exclusions(chosen, excluded)) if excluded else (),
    )


def asked(funnel: Funnel) -> dict[str, object]:
    """The funnel as its definition in JSON."""

    def kinds(chosen: str) -> dict[str, object]:
        return {"event_type": chosen} if len(chosen) == 1 else {"filters": [["is", "event_type", list(chosen)]]}

    spans = [
        kinds(chosen) | ({} if funnel.order == "any" else {"from_step": first, "to_step": last})
        for chosen, first, last in funnel.exclude
    ]
    return {
        "steps": [kinds(step) for step in funnel.steps],
        "window": f"{funnel.window}s",
        "order": funnel.order,
        "from": (BEGIN + timedelta(seconds=funnel.start)).isoformat(),
        "to": (BEGIN + timedelta(seconds=funnel.end)).isoformat(),
        "exclude": spans,
        "breakdown": "country",
    }


def expected(funnel: Funnel, actors: Sequence[Sequence[Event]], complete_through: int) -> list[Row]:
    """Rows of the total, of every country by size and name, and of none."""
    found = [(path, entry_value(funnel, one, path)) for one in actors if (path := counted_path(funnel, one))]
    sizes = {value: sum(one == value for _, one in found) for _, value in found if value}
    rows = _rows(funnel, "total", "", [path for path, _ in found], complete_through)
    for value in sorted(sizes, key=lambda one: (-sizes[one], one)):
        rows += _rows(funnel, "value", value, [path for path, one in found if one == value], complete_through)
    unset = [path for path, one in found if not one]
    return rows + (_rows(funnel, "not_set", "", unset, complete_through) if unset else [])


def _rows(funnel: Funnel, kind: str, value: str, paths: list[Path], complete_through: int) -> list[Row]:
    rows: list[Row] = []
    for step in range(1, len(funnel.steps) + 1):
        here = [path for path in paths if len(path.times) >= step]
        ended = [path for path in here if len(path.times) == step < len(funnel.steps)]
        is_open = sum(path.latest + funnel.window >= complete_through for path in ended)
        waits = [path.times[step - 1] - path.times[step - 2] for path in here] if step > 1 else []
        times = (float(median(waits)), float(mean(waits))) if waits else (None, None)
        rows.append((kind, value, step, len(here), is_open, *times))
    return rows


def short(row: FunnelStepRow) -> Row:
    return (
        row.breakdown_kind,
        row.breakdown_value,
        row.step_no,
        row.users,
        row.in_progress,
        row.median_seconds,
        pytest.approx(row.mean_seconds) if row.mean_seconds is not None else None,
    )


def holds(funnel: Funnel, actors: Sequence[Sequence[Event]], complete_through: int) -> None:
    connection = connected()
    fill(connection, actors)
    through = BEGIN + timedelta(seconds=complete_through)
    rows = run(connection, parse_funnel(asked(funnel)), "events", complete_through=through)
    assert [short(row) for row in rows] == expected(funnel, actors, complete_through)


complete = st.integers(0, 12)


@PROPERTY
@given(funnels("ordered", distinct), histories, complete)
def test_ordered_with_distinct_steps(funnel: Funnel, actors: list[list[Event]], through: int) -> None:
    holds(funnel, actors, through)


@PROPERTY
@given(funnels("ordered", overlapping), histories, complete)
def test_ordered_with_steps_that_share_events(funnel: Funnel, actors: list[list[Event]], through: int) -> None:
    holds(funnel, actors, through)


@PROPERTY
@given(funnels("ordered", overlapping, ["X", "AX", "C", "B"]), histories, complete)
def test_ordered_with_exclusions(funnel: Funnel, actors: list[list[Event]], through: int) -> None:
    holds(funnel, actors, through)


@PROPERTY
@given(funnels("strict", overlapping), histories, complete)
def test_strict(funnel: Funnel, actors: list[list[Event]], through: int) -> None:
    holds(funnel, actors, through)


@PROPERTY
@given(funnels("strict", overlapping, ["X", "B"]), histories, complete)
def test_strict_with_exclusions(funnel: Funnel, actors: list[list[Event]], through: int) -> None:
    holds(funnel, actors, through)


@PROPERTY
@given(funnels("any", distinct), histories, complete)
def test_any_with_distinct_steps(funnel: Funnel, actors: list[list[Event]], through: int) -> None:
    holds(funnel, actors, through)


@PROPERTY
@given(funnels("any", distinct, ["X"]), histories, complete)
def test_any_with_distinct_steps_and_exclusions(funnel: Funnel, actors: list[list[Event]], through: int) -> None:
    holds(funnel, actors, through)


@PROPERTY
@given(funnels("any", overlapping), histories, complete)
def test_any_with_steps_that_share_events(funnel: Funnel, actors: list[list[Event]], through: int) -> None:
    holds(funnel, actors, through)


@PROPERTY
@given(funnels("any", overlapping, ["X", "AX", "C"]), histories, complete)
def test_any_with_shared_events_and_exclusions(funnel: Funnel, actors: list[list[Event]], through: int) -> None:
    holds(funnel, actors, through)
