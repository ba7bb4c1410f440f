"""Places of events in the stream are noted as runs, and come back from them."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ingest_service.writer.places import decode_copies, encode_copies


def rows(places: list[tuple[int, int]]) -> pa.Table:
    return pa.table(
        {
            "stream_seq": pa.array([sequence for sequence, _ in places], pa.int64()),
            "row_no": pa.array([row for _, row in places], pa.int32()),
        }
    )


def test_neighbours_of_an_envelope_are_one_run() -> None:
    assert encode_copies(rows([(3, 1), (3, 0), (3, 2), (3, 4), (4, 5)])) == [[3, 0, 2], [3, 4, 4], [4, 5, 5]]


@given(st.sets(st.tuples(st.integers(1, 4), st.integers(0, 9))))
def test_what_was_noted_comes_back(places: set[tuple[int, int]]) -> None:
    assert set(decode_copies(encode_copies(rows(sorted(places))))) == places
