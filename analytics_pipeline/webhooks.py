"""Sends what is in the outbox: each body until its webhook takes it, with growing pauses, for a day."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from eventmill import warehouse
from eventmill.control.webhooks import Webhook, get_webhook
from eventmill.settings import Settings
from eventmill.webhook_request import DeliveryError, post

log = logging.getLogger(__name__)
# All of these wait at the same time; a tick of the sensor ends after one batch.
BATCH = 16
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(hours=1)
PATIENCE = timedelta(days=1)
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A body on its way to one webhook. `attempts`: those that failed."""

    delivery_id: UUID
    webhook_id: UUID
    body: dict[str, Any] = field(repr=False)
    created_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a batch: bodies taken, to be tried again, given up."""

    delivered: int = 0
    postponed: int = 0
    failed: int = 0


def deliver(settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Sent:
    """Send one batch of what is due.

    A row stays locked while its body is sent, so nobody else sends it meanwhile. A crash between the receiver's answer
    and our note of it sends it again, under the same `webhook-id`.
    """
    with closing(warehouse.connect(settings)) as connection, connection.transaction():
        due = _due(connection, clock())
        errors = asyncio.run(_post_all(settings, connection, due, clock()))
        outcomes = [_note(connection, one, error, clock()) for one, error in zip(due, errors, strict=True)]
    return Sent(*(outcomes.count(name) for name in ("delivered", "postponed", "failed")))


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: 10 s, 20 s, 40 s … at most an hour."""
    return min(FIRST_PAUSE * 2 ** min(attempts - 1, 16), LONGEST_PAUSE)


def forget(connection: psycopg.Connection, now: datetime) -> int:
    """Delete what was sent or given up 30 days ago, and return how many. The caller commits."""
    return connection.execute(
        "delete from control.delivery where next_attempt_at is null and created_at < %s", [now - KEPT]
    ).rowcount


def _due(connection: psycopg.Connection, now: datetime) -> list[Delivery]:
    """One body a webhook, the oldest due: news stay in their order, and nobody is flooded."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute(
            "select delivery_id, webhook_id, body, created_at, attempts from control.delivery as d"
            " where next_attempt_at <= %s and not exists (select from control.delivery as older"
            "  where older.webhook_id = d.webhook_id and older.next_attempt_at is not null"
            "  and (older.created_at, older.delivery_id) < (d.created_at, d.delivery_id))"
            " order by next_attempt_at limit %s for update skip locked",
            [now, BATCH],
        ).fetchall()


async def _post_all(
    settings: Settings, connection: psycopg.Connection, due: Sequence[Delivery], now: datetime
) -> list[DeliveryError | None]:
    hooks = [get_webhook(connection, str(one.webhook_id)) for one in due]
    return await asyncio.gather(
        *(_post(settings, hook, one, now) for hook, one in zip(hooks, due, strict=True)),
    )


async def _post(settings: Settings, hook: Webhook, one: Delivery, now: datetime) -> DeliveryError | None:
    try:
        await post(hook, str(one.delivery_id), one.body, now, may_be_private=settings.webhook_private_addresses)
    except DeliveryError as error:
        return error
    return None


def _note(connection: psycopg.Connection, one: Delivery, error: DeliveryError | None, now: datetime) -> str:
    attempts = one.attempts + 1
    if error is None:
        _update(connection, one, attempts, None, delivered_at=now)
        return "delivered"
    is_given_up = error.is_final or now - one.created_at >= PATIENCE
    log.warning(
        "Webhook %s did not take delivery %s at attempt %d: %s", one.webhook_id, one.delivery_id, attempts, error
    )
    if is_given_up:
        _update(connection, one, attempts, error.message, failed_at=now)
        return "failed"
    _update(connection, one, attempts, error.message, next_attempt_at=now + pause_after(attempts))
    return "postponed"


def _update(
    connection: psycopg.Connection,
    one: Delivery,
    attempts: int,
    error: str | None,
    *,
    next_attempt_at: datetime | None = None,
    delivered_at: datetime | None = None,
    failed_at: datetime | None = None,
) -> None:
    connection.execute(
        "update control.delivery set attempts = %s, last_error = %s, next_attempt_at = %s, delivered_at = %s,"
        " failed_at = %s where delivery_id = %s",
        [attempts, error, next_attempt_at, delivered_at, failed_at, one.delivery_id],
    )
