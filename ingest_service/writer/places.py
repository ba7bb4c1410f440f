"""Places of events in the stream (`stream_seq`, `row_no`): which are in a table, and which a commit left out.

A commit's note lists the copies that the window of recent ids kept out, in runs: `[stream_seq, first, last row_no]`.
Whoever decodes a stretch of the stream again knows by it what had been stored.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eventmill import delta_log
from eventmill.lake import LakeTable

Place = tuple[int, int]
COPIES = "copies"


def places_of(rows: pa.Table) -> Iterator[Place]:
    """The place of each row."""
    return zip(rows["stream_seq"].to_pylist(), rows["row_no"].to_pylist(), strict=True)


def without_places(rows: pa.Table, places: set[Place]) -> pa.Table:
    """The rows whose place is none of `places`."""
    return rows.filter(pa.array([place not in places for place in places_of(rows)], pa.bool_())) if places else rows


def places_in(table: LakeTable, paths: Iterable[str], first: int, last: int) -> set[Place]:
    """Places of the sequences `[first, last]` that the table's files of these paths hold."""
    places: set[Place] = set()
    for path in paths:
        rows = pq.read_table(table.directory / unquote(path), columns=["stream_seq", "row_no"], partitioning=None)
        within = pc.and_(pc.greater_equal(rows["stream_seq"], first), pc.less_equal(rows["stream_seq"], last))
        places.update(places_of(rows.filter(within)))
    return places


def encode_copies(copies: pa.Table) -> list[list[int]]:
    """Runs of the rows' places, in order."""
    runs: list[list[int]] = []
    for sequence, row in sorted(places_of(copies)):
        if runs and runs[-1][0] == sequence and runs[-1][2] == row - 1:
            runs[-1][2] = row
        else:
            runs.append([sequence, row, row])
    return runs


def decode_copies(runs: Sequence[Sequence[int]]) -> Iterator[Place]:
    """The places in runs."""
    return ((sequence, row) for sequence, first, last in runs for row in range(first, last + 1))


def recorded_copies(table: LakeTable, version: int, first: int) -> set[Place] | None:
    """Copies that the commits of the sequences from `first` on left out; None where not all of them can tell.

    `version` is the table's latest. Commits of older programs do not tell, nor does what log clean-up has removed.
    """
    places: set[Place] = set()
    for number in range(version, -1, -1):
        try:
            actions = delta_log.read(table.directory, number)
        except FileNotFoundError:
            return None
        info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
        if "through" not in info:
            continue
        if info["through"] < first:
            return places
        if COPIES not in info:
            return None
        places.update(decode_copies(info[COPIES]))
    return places
