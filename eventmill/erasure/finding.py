"""Which anonymous ids belong to a user alone: by the lake, its map of identities and the archive."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from eventmill import row_removal
from eventmill.archive import parts
from eventmill.archive.working import Workplace
from eventmill.archive.writing import read_part
from eventmill.erasure.person import Person
from eventmill.lake import IDENTITY_MAP, LakeTable

_COLUMNS = ("app_id", "user_id", "anonymous_id")


def find_person(place: Workplace, app_id: str, user_id: str) -> Person:
    """The user with all anonymous ids that were ever seen with that id; two passes over the ids of the app's events."""
    mine: set[str] = set()
    for rows in _pairs(place, app_id):
        mine.update(rows.filter(pc.equal(rows["user_id"], user_id))["anonymous_id"].unique().to_pylist())
    wanted = pa.array(sorted(mine), pa.string())
    shared: set[str] = set()
    for rows in _pairs(place, app_id) if mine else ():
        is_other = pc.and_(pc.not_equal(rows["user_id"], user_id), pc.is_in(rows["anonymous_id"], value_set=wanted))
        shared.update(rows.filter(is_other)["anonymous_id"].unique().to_pylist())
    return Person(app_id, user_id, frozenset(mine - shared), frozenset(shared))


def _pairs(place: Workplace, app_id: str) -> Iterator[pa.Table]:
    """The app's rows with both ids."""
    for rows in _rows(place, app_id):
        both = pc.and_(pc.is_valid(rows["user_id"]), pc.is_valid(rows["anonymous_id"]))
        yield rows.filter(pc.and_(both, pc.equal(rows["app_id"], app_id)))


def _rows(place: Workplace, app_id: str) -> Iterator[pa.Table]:
    known = LakeTable(place.events.directory.parent, IDENTITY_MAP)
    for table in (place.events, known):
        if table.exists():
            for file in row_removal.active_files(table, table.snapshot(), lambda row: may_hold(row, app_id)):
                yield row_removal.read(table, file, _COLUMNS)
    for part in parts.list_parts(place.connection, app_id):
        for rows in read_part(place.archive, part):
            yield rows.select(_COLUMNS)


def may_hold(row: dict[str, object], app_id: str) -> bool:
    """Whether a file's statistics (row of `Snapshot.files`) allow events of the app."""
    least, greatest = row.get("min.app_id"), row.get("max.app_id")
    return not (isinstance(least, str) and isinstance(greatest, str)) or least <= app_id <= greatest


def sessions_of(rows: pa.Table, actors: Sequence[str]) -> pa.ChunkedArray:
    """Which rows of a table with an `actor` are the person's."""
    return pc.is_in(rows["actor"], value_set=pa.array(actors, pa.string()))
