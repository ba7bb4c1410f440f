"""The person's events in the archive: counted, and removed by writing the file again without them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from eventmill.archive import parts
from eventmill.archive.parts import Part
from eventmill.archive.working import Workplace
from eventmill.archive.writing import noted, read_part, store_rows
from eventmill.erasure.accounts import arrivals_of
from eventmill.erasure.person import Person


@dataclass(frozen=True, slots=True)
class ArchiveErasure:
    """The person in the archive's parts."""

    place: Workplace
    person: Person

    def count(self) -> int:
        """Events of the person."""
        return sum(
            pc.sum(self.person.rows_of(rows)).as_py() or 0
            for part in self._parts()
            for rows in read_part(self.place.archive, part)
        )

    def erase(self) -> int:
        """Write each part that holds the person again, verified, then delete the old one; returns how many events."""
        erased = 0
        for part in self._parts():
            arrived: Counter[str] = Counter()
            for rows in read_part(self.place.archive, part):
                arrived.update(arrivals_of(rows.filter(self.person.rows_of(rows))))
            if arrived:
                self._replace(part, arrived)
                erased += arrived.total()
        return erased

    def _parts(self) -> list[Part]:
        return parts.list_parts(self.place.connection, self.person.app_id)

    def _replace(self, part: Part, arrived: Counter[str]) -> None:
        place = self.place
        written = store_rows(place.archive, self._rest(part), (part.app_id, part.event_date), part, place.scratch)
        told = Counter(part.erased)
        # Of events that the lake has too, the accounts hear when they leave the lake.
        if part.state == "archived":
            told += arrived
        with place.connection.transaction():
            parts.replace(place.connection, part, _like(part, written, told))
        noted(place.scratch, written)
        place.archive.delete(part.manifest_path)
        place.archive.delete(part.path)

    def _rest(self, part: Part) -> Iterator[pa.Table]:
        for rows in read_part(self.place.archive, part):
            rest = rows.filter(pc.invert(self.person.rows_of(rows)))
            if rest.num_rows:
                yield rest


def _like(part: Part, written: Part, erased: Counter[str]) -> Part:
    """The new file in the old part's place: it stands for the same hours, so the floor stays where it is."""
    return replace(
        written,
        first_event_at=part.first_event_at,
        last_event_at=part.last_event_at,
        first_received_at=part.first_received_at,
        last_received_at=part.last_received_at,
        state=part.state,
        restored_until=part.restored_until,
        erased=dict(erased),
    )
