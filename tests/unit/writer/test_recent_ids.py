"""The window of recent ids, against a plain list of what arrived."""

import random
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from ingest_service.writer.id_keys import IdKeys
from ingest_service.writer.recent_ids import BYTES_PER_ID, RecentIds, copies_within

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = timedelta(minutes=10)
Arrival = tuple[str, str, float]


def keys(*arrivals: Arrival) -> IdKeys:
    """Keys of events given as app, id and minutes after noon."""
    apps, ids, minutes = zip(*arrivals, strict=True)
    received_at = [NOON + timedelta(minutes=minute) for minute in minutes]
    columns = {"app_id": apps, "event_id": ids, "received_at": pa.array(received_at, pa.timestamp("us", "UTC"))}
    return IdKeys.of(pa.table({name: pa.array(values) for name, values in columns.items()}))


def remembered(*arrivals: Arrival) -> RecentIds:
    recent = RecentIds(WINDOW, 10_000)
    recent.add(keys(*arrivals))
    return recent


def test_a_copy_within_the_window_is_seen_and_another_apps_event_is_not() -> None:
    recent = remembered(("shop", "e1", 0))
    assert recent.seen(keys(("shop", "e1", 9.99), ("shop", "e2", 1), ("peak", "e1", 1))).tolist() == [
        True,
        False,
        False,
    ]


def test_the_window_ends_where_it_says_and_counts_from_the_first_copy() -> None:
    recent = remembered(("shop", "e1", 0), ("shop", "e2", 6))
    assert recent.seen(keys(("shop", "e1", 10), ("shop", "e2", 10))).tolist() == [False, True]


def test_a_separator_inside_an_id_makes_no_two_ids_one() -> None:
    recent = remembered(("a", "b\0c", 0))
    assert not recent.seen(keys(("a", "b", 0), ("c", "a\0b", 0), ("a", "c\0b", 0))).any()


def test_an_id_has_the_same_key_whatever_its_neighbours_are() -> None:
    long = [str(uuid.UUID(int=number << 64)) for number in range(100)]
    alone = keys(*(("shop", text, 0) for text in long))
    mixed = keys(("shop", "short", 0), *(("shop", text, 0) for text in long), ("peak", long[0], 0))
    assert mixed.first[1:-1].tolist() == alone.first.tolist()
    assert mixed.second[1:-1].tolist() == alone.second.tolist()
    assert len({*mixed.first.tolist(), *mixed.second.tolist()}) == 2 * len(mixed)


def test_copies_inside_a_batch_count_from_the_one_that_is_stored() -> None:
    batch = keys(("shop", "e", 0), ("shop", "x", 1), ("shop", "e", 6), ("shop", "e", 11), ("shop", "e", 12))
    assert copies_within(batch, WINDOW).tolist() == [False, False, True, False, True]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_seen_is_what_a_plain_list_says(seed: int) -> None:
    rng = random.Random(seed)
    recent, plain = RecentIds(WINDOW, 100_000), dict[str, list[float]]()
    for batch in range(40):
        arrivals = [("shop", f"e{rng.randrange(3_000)}", batch + rng.random()) for _ in range(300)]
        batch_keys = keys(*arrivals)
        expected = [any(abs(minute - at) < 10 for at in plain.get(name, ())) for _, name, minute in arrivals]
        seen = recent.seen(batch_keys)
        assert seen.tolist() == expected
        recent.add(batch_keys.where(~seen))
        for (_, name, minute), is_copy in zip(arrivals, expected, strict=True):
            if not is_copy:
                plain.setdefault(name, []).append(minute)


def test_a_window_with_too_many_ids_gets_shorter_and_says_so() -> None:
    recent = RecentIds(WINDOW, 10_000)
    for minute in range(9):
        recent.add(keys(*(("shop", str(uuid.UUID(int=minute * 3_000 + number)), minute) for number in range(3_000))))
    assert len(recent) <= 10_000
    assert 0 < recent.seconds < 600
    last = keys(("shop", str(uuid.UUID(int=8 * 3_000)), 8.5))
    assert recent.seen(last).all()


def test_what_has_left_the_window_takes_no_room() -> None:
    recent = RecentIds(WINDOW, 1_000_000)
    for minute in range(60):
        recent.add(keys(*(("shop", f"{minute}.{number}", minute) for number in range(1_000))))
    # A quarter of the window is begun, and one more waits for its newest id.
    assert len(recent) <= 15_000
    assert recent.seconds == 600


def test_an_id_costs_what_the_setting_says() -> None:
    recent = RecentIds(timedelta(hours=1), 400_000)
    numbers = np.random.default_rng(1).integers(0, 2**64, (2, 300_000), dtype=np.uint64)
    recent.add(IdKeys(numbers[0], numbers[1], np.arange(300_000)))
    tables = (array for generation in recent._generations for array in vars(generation).values())
    size = sum(array.nbytes for array in tables if isinstance(array, np.ndarray))
    assert size <= 400_000 * BYTES_PER_ID
