"""What is wrong now: opened once, resolved once, each with its news in the outbox in the same transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from eventmill.control import webhooks
from eventmill.webhook_message import message

# App (None: the installation) and what is wrong there, within a kind.
Key = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: a headline, lines that explain it, and numbers for programs."""

    title: str
    lines: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    # Of a threshold alert; its news go to `webhook_id` alone where it names one.
    alert_id: UUID | None = None
    webhook_id: UUID | None = None


def settle(
    connection: psycopg.Connection,
    kind: str,
    firing: Mapping[Key, Finding],
    now: datetime,
    hold: Collection[Key] = (),
) -> list[Key]:
    """Open what is in `firing` and not open yet, resolve what is open and neither there nor in `hold`.

    Returns the keys opened. The caller commits.
    """
    is_open = open_since(connection, kind)
    opened = [key for key in firing if key not in is_open and _open(connection, kind, key, firing[key], now)]
    for key in is_open:
        if key not in firing and key not in hold:
            _resolve(connection, kind, key, now)
    return opened


def open_since(connection: psycopg.Connection, kind: str) -> dict[Key, datetime]:
    """Since when each open incident of a kind is open."""
    rows = connection.execute(
        "select app_id, subject, opened_at from control.incident where kind = %s and resolved_at is null", [kind]
    ).fetchall()
    return {(app_id, subject): opened_at for app_id, subject, opened_at in rows}


def announce(connection: psycopg.Connection, kind: str, key: Key, finding: Finding, now: datetime) -> None:
    """News of something that is over already: noted, and told once. The caller commits."""
    incident_id = _insert(connection, kind, key, finding, now, now)
    if incident_id is not None:
        _tell(connection, "notice", kind, key[0], finding, now, incident_id)


def _open(connection: psycopg.Connection, kind: str, key: Key, finding: Finding, now: datetime) -> bool:
    incident_id = _insert(connection, kind, key, finding, now, None)
    if incident_id is None:
        return False
    _tell(connection, "opened", kind, key[0], finding, now, incident_id)
    return True


def _insert(
    connection: psycopg.Connection, kind: str, key: Key, finding: Finding, now: datetime, resolved_at: datetime | None
) -> int | None:
    # Of an app that was deleted meanwhile there are no news.
    row = connection.execute(
        "insert into control.incident (kind, app_id, subject, alert_id, title, details, opened_at, resolved_at)"
        " select %(kind)s, %(app)s, %(subject)s, %(alert)s, %(title)s, %(details)s, %(now)s, %(resolved)s"
        " where %(app)s::text is null or exists (select from control.app where app_id = %(app)s)"
        " on conflict do nothing returning incident_id",
        {
            "kind": kind,
            "app": key[0],
            "subject": key[1],
            "alert": finding.alert_id,
            "title": finding.title,
            "details": Jsonb({"lines": list(finding.lines), **finding.details}),
            "now": now,
            "resolved": resolved_at,
        },
    ).fetchone()
    return None if row is None else int(row[0])


def _resolve(connection: psycopg.Connection, kind: str, key: Key, now: datetime) -> None:
    row = connection.execute(
        "update control.incident set resolved_at = %s where kind = %s and app_id is not distinct from %s"
        " and subject = %s and resolved_at is null returning incident_id, title, details",
        [now, kind, *key],
    ).fetchone()
    if row is None:
        return
    incident_id, title, details = row
    # Those who heard that it was open hear that it is over.
    told = connection.execute(
        "select distinct webhook_id from control.delivery where incident_id = %s", [incident_id]
    ).fetchall()
    lines = details.pop("lines", [])
    body = message("resolved", kind, key[0], title, lines, details | {"incident_id": incident_id}, now)
    webhooks.enqueue(connection, [webhook_id for (webhook_id,) in told], body, now, incident_id)


def _tell(
    connection: psycopg.Connection,
    state: str,
    kind: str,
    app_id: str | None,
    finding: Finding,
    now: datetime,
    incident_id: int,
) -> None:
    listening = connection.execute(
        "select webhook_id from control.webhook where case when %(named)s::uuid is not null"
        " then webhook_id = %(named)s else (app_id is null or app_id = %(app)s) and %(kind)s = any(kinds) end",
        {"named": finding.webhook_id, "app": app_id, "kind": kind},
    ).fetchall()
    details = {**finding.details, "incident_id": incident_id}
    body = message(state, kind, app_id, finding.title, list(finding.lines), details, now)
    webhooks.enqueue(connection, [webhook_id for (webhook_id,) in listening], body, now, incident_id)
