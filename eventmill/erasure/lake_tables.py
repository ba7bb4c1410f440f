"""The person's rows in the lake's tables: counted, and removed with every file that ever held them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from eventmill import delta_log, row_removal
from eventmill.delta_log import Commit, CommitConflictError, DataFile
from eventmill.erasure.accounts import arrivals_of, forgotten
from eventmill.erasure.finding import may_hold, sessions_of
from eventmill.erasure.person import Person
from eventmill.lake import (
    ACTOR_DAYS,
    ACTOR_FIRST,
    EVENTS,
    IDENTITY_MAP,
    QUARANTINE,
    SESSION_DAYS,
    SESSIONS,
    LakeTable,
    TouchedHour,
    encode_note,
)
from eventmill.row_removal import Hit

FILES_PER_COMMIT = 50
# The map follows the events at once: what is counted in between is counted with who the person was.
TABLES = (EVENTS, IDENTITY_MAP, QUARANTINE, SESSION_DAYS, SESSIONS, ACTOR_DAYS, ACTOR_FIRST)
_ENTRY = re.compile(r"(\d{20})\.json")
_LOOKED_AT = {
    EVENTS.name: ("app_id", "user_id", "anonymous_id"),
    IDENTITY_MAP.name: ("app_id", "user_id", "anonymous_id"),
    QUARANTINE.name: ("app_id", "raw", "context"),
    SESSION_DAYS.name: ("session_key",),
    SESSIONS.name: ("actor",),
    ACTOR_DAYS.name: ("actor",),
    ACTOR_FIRST.name: ("actor",),
}


@dataclass(frozen=True, slots=True)
class TableErasure:
    """The person in one table. `session_keys` are those of the person's sessions, for tables that know no actor."""

    table: LakeTable
    person: Person
    session_keys: frozenset[str] = frozenset()

    def count(self) -> int:
        """Rows of the person."""
        return sum(hit.doomed for hit in self._hits())

    def erase(self) -> int:
        """Remove the rows, and destroy the files that held them; returns how many rows went."""
        erased = 0
        while hits := list(islice(self._hits(), FILES_PER_COMMIT)):
            commit = Commit(
                adds=row_removal.write_rest(self.table, hits, self._doomed),
                removes=[hit.file for hit in hits],
                metadata={"operation": "ERASE"} | self._note(hits),
            )
            if row_removal.commit_replacement(self.table, commit):
                erased += sum(hit.doomed for hit in hits)
        self._destroy()
        return erased

    def _hits(self) -> Iterator[Hit]:
        if not self.table.exists():
            return iter(())
        files = row_removal.active_files(self.table, self.table.snapshot(), self._may_hold)
        return row_removal.find(self.table, files, _LOOKED_AT[self.table.definition.name], self._doomed)

    def _may_hold(self, row: dict[str, Any]) -> bool:
        if "app_id" in self.table.definition.partition_columns:
            return bool(row["partition.app_id"] == self.person.app_id)
        return may_hold(row, self.person.app_id)

    def _doomed(self, rows: pa.Table, _: DataFile) -> pa.ChunkedArray:
        match self.table.definition.name:
            case QUARANTINE.name:
                return pa.chunked_array([pa.array(self._named_in(rows), pa.bool_())])
            case SESSION_DAYS.name:
                return pc.is_in(rows["session_key"], value_set=pa.array(sorted(self.session_keys), pa.string()))
            case EVENTS.name | IDENTITY_MAP.name:
                return self.person.rows_of(rows) if self.table.definition is EVENTS else self._pairs(rows)
            case _:
                return sessions_of(rows, self.person.actors)

    def _pairs(self, rows: pa.Table) -> pa.ChunkedArray:
        is_user = pc.equal(rows["user_id"], self.person.user_id)
        return pc.and_(pc.equal(rows["app_id"], self.person.app_id), is_user)

    def _named_in(self, rows: pa.Table) -> list[bool]:
        columns = (rows[name].to_pylist() for name in _LOOKED_AT[QUARANTINE.name])
        return [
            app_id == self.person.app_id and (self.person.is_in(raw) or self.person.is_in(context.encode()))
            for app_id, raw, context in zip(*columns, strict=True)
        ]

    def _note(self, hits: Sequence[Hit]) -> dict[str, Any]:
        """For events: which hours must be computed again, and what the accounts of arrivals forget."""
        if self.table.definition is not EVENTS:
            return {}
        hours: set[Any] = set()
        arrived: Counter[str] = Counter()
        flagged: Counter[str] = Counter()
        for hit in hits:
            rows = row_removal.read(self.table, hit.file)
            mine = rows.filter(self._doomed(rows, hit.file))
            hours.update(_hours(mine))
            arrived.update(arrivals_of(mine))
            flagged.update(arrivals_of(mine.filter(pc.is_valid(mine["plan_violation"]))))
        app_id = self.person.app_id
        accounting = [forgotten(app_id, hour, events, flagged[hour]) for hour, events in sorted(arrived.items())]
        return self._touching(hours) | {"accounting": accounting}

    def _touching(self, hours: Iterable[datetime]) -> dict[str, Any]:
        touched = [TouchedHour(self.person.app_id, hour.astimezone(UTC), 0) for hour in sorted(hours)]
        return encode_note(touched, None) | {"cause": "erasure"}

    def touch_shared(self) -> int:
        """Of the events: have the hours with ids that the person shared computed again; returns how many these are.

        Call it once the identity map has forgotten the person: such an id may belong to somebody else now, in every
        file that has it.
        """
        hours: set[datetime] = set()
        for file in row_removal.active_files(self.table, self.table.snapshot(), self._may_hold):
            rows = row_removal.read(self.table, file, ("app_id", "anonymous_id", "event_time"))
            hours.update(_hours(rows.filter(self.person.rows_beside(rows))))
        note = {"operation": "ERASE", "accounting": []} | self._touching(hours)
        while hours:
            try:
                self.table.append(Commit(metadata=note), self.table.version())
                break
            except CommitConflictError:
                continue  # the writer was quicker
        return len(hours)

    def _destroy(self) -> int:
        """Delete every file that some version of the table had and the latest has not: it may have held the person.

        Whoever still reads one gets an error for a missing file and reads again. Files that no entry of the log has
        removed yet are a writer's in the making.
        """
        if not self.table.exists():
            return 0
        active = {unquote(path) for path in self.table.snapshot().files["path"].to_pylist()}
        destroyed = 0
        for path in _removed(self.table) - active:
            file = self.table.directory / path
            if file.exists():
                file.unlink()
                delta_log.sync_directory(file.parent)
                destroyed += 1
        return destroyed

    def keys_of_sessions(self) -> frozenset[str]:
        """Keys of the person's sessions; call it on the table `sessions`."""
        keys: set[str] = set()
        for hit in self._hits():
            rows = row_removal.read(self.table, hit.file, ("actor", "session_key"))
            keys.update(rows.filter(self._doomed(rows, hit.file))["session_key"].to_pylist())
        return frozenset(keys)


def _hours(rows: pa.Table) -> list[datetime]:
    hours: list[datetime] = pc.floor_temporal(rows["event_time"], unit="hour").unique().to_pylist()
    return hours


def _removed(table: LakeTable) -> set[str]:
    """Files that entries of the log have removed, as far back as it goes."""
    directory = table.directory / delta_log.LOG_DIRECTORY
    versions = sorted(int(found[1]) for path in directory.iterdir() if (found := _ENTRY.fullmatch(path.name)))
    removed: set[str] = set()
    for version in versions:
        try:
            actions = delta_log.read(table.directory, version)
        except FileNotFoundError:
            continue  # clean-up came in between: what it removed is long gone
        removed.update(unquote(action["remove"]["path"]) for action in actions if "remove" in action)
    return removed
