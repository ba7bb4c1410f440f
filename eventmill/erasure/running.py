"""Erases a person from every store, in an order in which a crash at any step is taken up by the same command."""

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from eventmill import __version__, delta_log
from eventmill.archive.retention import Retained, take_up
from eventmill.archive.working import Workplace, alone
from eventmill.contracts.suppression import digest
from eventmill.control.apps import get_app
from eventmill.erasure import journal
from eventmill.erasure.archived import ArchiveErasure
from eventmill.erasure.finding import find_person
from eventmill.erasure.journal import Begun
from eventmill.erasure.lake_tables import TABLES, TableErasure
from eventmill.erasure.person import Person
from eventmill.erasure.stream import StreamErasure
from eventmill.erasure.suppression import salt_of, suppress
from eventmill.lake import SESSIONS, LakeTable
from eventmill.settings import Settings

Report = Callable[[str], None]
STREAM, ARCHIVE = "stream", "archive"


def found_of(settings: Settings, app_id: str, user_id: str) -> dict[str, int]:
    """What every store holds of a person, by store; nothing is changed. Raises EventmillError for an unknown app."""
    with alone(settings) as place:
        get_app(place.connection, app_id)
        person = find_person(place, app_id, user_id)
        return _count(place, person, _session_keys(place, person))


def erase(
    settings: Settings, app_id: str, user_id: str, *, is_suppressed: bool = False, report: Report = lambda _: None
) -> dict[str, Any]:
    """Erase the person and return the certificate, which is also kept as a file and in `control.erasure`.

    Raises EventmillError for an unknown app, NotReadyError where a store or the writer does not answer: the same
    command then goes on where this one stopped.
    """
    with alone(settings) as place:
        get_app(place.connection, app_id)
        salt = salt_of(place.connection)
        subject = digest(salt, f"u{user_id}").hex()
        path = journal.path_of(settings, app_id, subject)
        take_up(place, Retained())
        begun = journal.load(path) or _begin(place, app_id, user_id, path, report)
        if is_suppressed:
            count = suppress(place.connection, app_id, begun.person.actors, salt)
            report(f"{count} ids are suppressed: gateway and writer leave out their events within 30 s")
        _erase(place, begun, report)
        after = _count(place, begun.person, begun.session_keys)
        certificate = _certificate(begun, subject, after, is_suppressed=is_suppressed)
        _keep(place, begun, subject, certificate)
        path.unlink(missing_ok=True)
    return certificate


def _begin(place: Workplace, app_id: str, user_id: str, path: Path, report: Report) -> Begun:
    """Find who and what there is, once nothing of it is only in the stream, and note it."""
    asyncio.run(StreamErasure(place.settings, Person(app_id, user_id)).settle())
    person = find_person(place, app_id, user_id)
    keys = _session_keys(place, person)
    row = place.connection.execute("select lake_floor from control.app where app_id = %s", [app_id]).fetchone()
    before = _count(place, person, keys)
    begun = Begun(uuid.uuid4(), datetime.now(UTC), person, keys, before, row[0] if row else None)
    begun.save(path)
    report(f"found in {sum(count > 0 for count in before.values())} stores, with {len(person.anonymous_ids)} other ids")
    return begun


def _session_keys(place: Workplace, person: Person) -> frozenset[str]:
    sessions = LakeTable(place.events.directory.parent, SESSIONS)
    return TableErasure(sessions, person).keys_of_sessions()


def _erase(place: Workplace, begun: Begun, report: Report) -> None:
    """The stream first, from which the lake is repaired; the derived tables after the events they are computed from."""
    erased = asyncio.run(StreamErasure(place.settings, begun.person).erase())
    report(f"stream: {erased:,} messages erased")
    report(f"archive: {ArchiveErasure(place, begun.person).erase():,} events erased")
    for erasure in _tables(place, begun.person, begun.session_keys):
        report(f"lake {erasure.table.definition.name}: {erasure.erase():,} rows erased")
    if begun.person.shared:
        hours = TableErasure(place.events, begun.person).touch_shared()
        report(f"{hours:,} hours hold events of ids that others share: they are computed again")


def _tables(place: Workplace, person: Person, keys: frozenset[str]) -> list[TableErasure]:
    lake = place.events.directory.parent
    return [TableErasure(LakeTable(lake, definition), person, keys) for definition in TABLES]


def _count(place: Workplace, person: Person, keys: frozenset[str]) -> dict[str, int]:
    counts = {
        STREAM: asyncio.run(StreamErasure(place.settings, person).count()),
        ARCHIVE: ArchiveErasure(place, person).count(),
    }
    return counts | {one.table.definition.name: one.count() for one in _tables(place, person, keys)}


def _certificate(begun: Begun, subject: str, after: dict[str, int], *, is_suppressed: bool) -> dict[str, Any]:
    return {
        "erasure_id": str(begun.erasure_id),
        "app_id": begun.person.app_id,
        "subject_sha256": subject,
        "started_at": begun.started_at.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(),
        "anonymous_ids": len(begun.person.anonymous_ids),
        "shared_ids": len(begun.person.shared),
        "is_suppressed": is_suppressed,
        "stores": {name: {"before": count, "after": after[name]} for name, count in begun.before.items()},
        "kept": _kept(begun),
        "program": f"eventmill {__version__}",
    }


def _kept(begun: Begun) -> list[str]:
    """What stays, and why."""
    kept = ["Sums without ids for which the person was counted, until the touched periods are computed again."]
    if begun.floor is not None and begun.before[ARCHIVE]:
        kept.append(
            f"Sums without ids of periods that start before {begun.floor.isoformat()}: their raw events had been "
            "archived, so they are not computed again."
        )
    if begun.person.shared:
        kept.append("Events that bear only ids which other users have too.")
    return kept


def _keep(place: Workplace, begun: Begun, subject: str, certificate: dict[str, Any]) -> None:
    place.connection.execute(
        "insert into control.erasure (erasure_id, app_id, subject_sha256, finished_at, certificate)"
        " values (%s, %s, %s, %s, %s) on conflict do nothing",
        [begun.erasure_id, begun.person.app_id, subject, certificate["finished_at"], Jsonb(certificate)],
    )
    file = certificate_path(place.settings, certificate)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.unlink(missing_ok=True)
    delta_log.write_durably(file, json.dumps(certificate, indent=2).encode() + b"\n")
    delta_log.sync_directory(file.parent)


def certificate_path(settings: Settings, certificate: dict[str, Any]) -> Path:
    """Where a certificate lies."""
    return settings.home / "erasures" / f"{certificate['app_id']}-{certificate['erasure_id']}.json"
