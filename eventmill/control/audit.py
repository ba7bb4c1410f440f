"""What administrators did: read from the log that triggers write in the same transactions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Entry:
    """Who (`key:<prefix>`, `oidc:<subject>`, `cli:<user>`) did what to what, and when."""

    audit_id: int
    at: datetime
    app_id: str | None
    actor: str
    action: str
    target: str
    details: Mapping[str, Any]


def entries(
    connection: psycopg.Connection[Any], app_id: str | None, limit: int, before_id: int | None = None
) -> list[Entry]:
    """The latest entries of an app, or of all; those before the entry `before_id` where it is given."""
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(
            "select audit_id, at, app_id, actor, action, target, details from control.audit"
            " where (%(app)s::text is null or app_id = %(app)s)"
            " and (%(before)s::bigint is null or audit_id < %(before)s) order by audit_id desc limit %(limit)s",
            {"app": app_id, "before": before_id, "limit": limit},
        ).fetchall()


def act_as(connection: psycopg.Connection[Any], actor: str) -> None:
    """Name who acts until the end of the transaction."""
    connection.execute("select set_config('eventmill.actor', %s, true)", [actor])
