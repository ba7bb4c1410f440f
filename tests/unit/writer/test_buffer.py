"""When the writer's buffer is due."""

from datetime import timedelta

import pytest

from ingest_service.writer.buffer import Buffer, FlushLimits
from tests.lake_writer_bench import RECEIVED_AT, envelope, lines

LIMITS = FlushLimits(rows=10, bytes=5_000, age_seconds=1, wide_partitions=2, wide_age_seconds=10, wide_factor=3)


def spread(hours: int) -> list[bytes]:
    return [
        line
        for hour in range(hours)
        for line in lines(hour, 1, timestamp=(RECEIVED_AT - timedelta(hours=hour)).isoformat())
    ]


def test_an_empty_buffer_is_never_due() -> None:
    assert Buffer(0, LIMITS).seconds_left(1e9) == float("inf")


def test_age_counts_from_the_first_envelope() -> None:
    buffer = Buffer(0, LIMITS)
    buffer.add(envelope(1, lines(1)), now=100.0)
    buffer.add(envelope(2, lines(2)), now=100.8)
    assert buffer.seconds_left(100.9) == pytest.approx(0.1)
    assert buffer.seconds_left(101.5) == 0


def test_rows_make_it_due_and_rejected_ones_count() -> None:
    buffer = Buffer(0, LIMITS)
    buffer.add(envelope(1, [*lines(1, 8), b"bad"]), now=0.0)
    assert buffer.seconds_left(0.0) > 0
    buffer.add(envelope(2, [b"bad"]), now=0.0)
    assert buffer.seconds_left(0.0) == 0


def test_bytes_make_it_due() -> None:
    buffer = Buffer(0, LIMITS)
    buffer.add(envelope(1, lines(1, 1, page_title="x" * 5_000)), now=0.0)
    assert buffer.seconds_left(0.0) == 0


def test_a_buffer_that_touches_many_partitions_lingers_and_grows() -> None:
    buffer = Buffer(0, LIMITS)
    buffer.add(envelope(1, spread(hours=3)), now=0.0)
    buffer.add(envelope(2, lines(2, 20)), now=0.0)
    assert buffer.seconds_left(2.0) == 8
    buffer.add(envelope(3, lines(3, 10)), now=2.0)
    assert buffer.seconds_left(2.0) == 0


def test_batches_follow_each_other_without_a_gap() -> None:
    buffer = Buffer(6, LIMITS)
    buffer.add(envelope(8, lines(8)), now=0.0)
    buffer.add(envelope(9, []), now=0.0)
    first = buffer.take()
    buffer.add(envelope(12, lines(12)), now=5.0)
    second = buffer.take()
    assert (first.after, first.through, second.after, second.through) == (6, 9, 9, 12)
    assert buffer.seconds_left(99.0) == float("inf")
    assert first.complete_through == RECEIVED_AT + timedelta(seconds=9)


def test_the_rest_of_a_batch_starts_where_the_lake_ends() -> None:
    buffer = Buffer(0, LIMITS)
    for sequence in (1, 2, 3):
        buffer.add(envelope(sequence, lines(sequence)), now=0.0)
    batch = buffer.take()
    rest = batch.beyond(2)
    assert (rest.after, [item.sequence for item in rest.envelopes]) == (2, [3])
    assert batch.beyond(0) is batch
