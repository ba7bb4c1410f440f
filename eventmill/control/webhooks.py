"""Webhooks: addresses to which news are posted, and the outbox of what is still to be sent."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from eventmill.control.apps import get_app
from eventmill.errors import EventmillError

# What news can be about.
KINDS = ("alert", "anomaly", "silence", "slo", "check", "restatement")
MAX_WEBHOOKS = 50
MAX_URL = 2_000
SIGNING_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where news go. `app_id` None: those of every app and of the installation."""

    webhook_id: UUID
    app_id: str | None
    # May hold a token: shown to nobody as a whole.
    url: str = field(repr=False)
    secret: str | None = field(repr=False)
    kinds: Sequence[str]
    created_at: datetime

    @property
    def host(self) -> str:
        """The part of the address that may be shown: scheme, host, port."""
        return shown(self.url)


def shown(url: str) -> str:
    """Scheme, host and port of an address: the rest may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"


def checked_url(url: str) -> str:
    """The address, if it can be one. Raises EventmillError that names the rule, never the address."""
    rule = f"http:// or https:// with a host, without user or password, at most {MAX_URL} characters."
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_right = False
    else:
        is_right = is_right and parts.username is None and parts.password is None
    if not is_right or len(url) > MAX_URL or not url.isascii() or any(one <= " " for one in url):
        raise EventmillError("url: this is no address of a webhook.", f"Rule: {rule}")
    return url


def create_webhook(
    connection: psycopg.Connection[Any],
    url: str,
    *,
    app_id: str | None = None,
    kinds: Sequence[str] = KINDS,
    is_signed: bool = False,
) -> Webhook:
    """Keep an address, with a new secret where bodies are to be signed. The caller commits.

    Raises EventmillError for an unknown app or kind, a wrong address, or too many webhooks.
    """
    if app_id is not None:
        get_app(connection, app_id)
    for kind in kinds:
        if kind not in KINDS:
            raise EventmillError(f"kinds: {kind!r} is none.", f"Rule: some of {', '.join(KINDS)}.")
    row = connection.execute("select count(*) from control.webhook where app_id is not distinct from %s", [app_id])
    if (row.fetchone() or (0,))[0] >= MAX_WEBHOOKS:
        raise EventmillError(f"There are at most {MAX_WEBHOOKS} webhooks per app.", "`eventmill webhook list`")
    secret = SIGNING_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode() if is_signed else None
    with connection.cursor(row_factory=class_row(Webhook)) as cursor:
        return cursor.execute(
            "insert into control.webhook (app_id, url, secret, kinds) values (%s, %s, %s, %s) returning *",
            [app_id, checked_url(url), secret, list(dict.fromkeys(kinds))],
        ).fetchall()[0]


def list_webhooks(connection: psycopg.Connection[Any], app_id: str | None = None) -> list[Webhook]:
    """Those of an app, or all, oldest first."""
    with connection.cursor(row_factory=class_row(Webhook)) as cursor:
        return cursor.execute(
            "select * from control.webhook where %s::text is null or app_id = %s order by created_at, webhook_id",
            [app_id, app_id],
        ).fetchall()


def get_webhook(connection: psycopg.Connection[Any], webhook_id: str) -> Webhook:
    """Raises EventmillError where there is none of this id."""
    with connection.cursor(row_factory=class_row(Webhook)) as cursor:
        found = cursor.execute("select * from control.webhook where webhook_id::text = %s", [webhook_id]).fetchone()
    if found is None:
        raise EventmillError(f"There is no webhook {webhook_id!r}.", "`eventmill webhook list` shows all.")
    return found


def backlog(connection: psycopg.Connection[Any], webhook: Webhook) -> dict[str, Any]:
    """How many bodies wait to be sent (pending) or were given up (failed), and the last error; None for none."""
    row = connection.execute(
        "select count(*) filter (where next_attempt_at is not null), count(*) filter (where failed_at is not null),"
        " (array_agg(last_error order by created_at desc) filter (where delivered_at is null))[1]"
        " from control.delivery where webhook_id = %s",
        [webhook.webhook_id],
    ).fetchone()
    return dict(zip(("pending", "failed", "last_error"), row or (0, 0, None), strict=True))


def delete_webhook(connection: psycopg.Connection[Any], webhook_id: str) -> None:
    """Forget it with what was to be sent there. The caller commits. Raises EventmillError where alerts name it."""
    get_webhook(connection, webhook_id)
    alerts = connection.execute(
        "select app_id || '/' || name from control.alert where webhook_id::text = %s", [webhook_id]
    ).fetchall()
    if alerts:
        names = ", ".join(name for (name,) in alerts)
        raise EventmillError(f"Alerts go there: {names}.", "Delete these first: `eventmill alert delete`.")
    connection.execute("delete from control.webhook where webhook_id::text = %s", [webhook_id])


def enqueue(
    connection: psycopg.Connection[Any],
    webhook_ids: Sequence[UUID],
    body: dict[str, Any],
    now: datetime,
    incident_id: int | None = None,
) -> None:
    """Put a body into the outbox, once per webhook. The caller commits, together with what the news are about."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into control.delivery (webhook_id, incident_id, body, created_at, next_attempt_at)"
            " values (%s, %s, %s, %s, %s)",
            [[webhook_id, incident_id, Jsonb(body), now, now] for webhook_id in webhook_ids],
        )
