"""An app's tracking plan, one JSON Schema an event type."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from eventmill.contracts.limits import MAX_EVENT_TYPE
from eventmill.contracts.plan import PlanAction
from eventmill.contracts.plan_schema import compile_schema
from eventmill.control.apps import get_app
from eventmill.errors import EventmillError

MAX_TYPES = 500


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """One event type of a plan; `schema` is the text of the JSON Schema of its properties."""

    event_type: str
    action: str
    schema: str
    updated_at: datetime


def set_type(
    connection: psycopg.Connection[Any], app_id: str, event_type: str, schema: bytes, action: PlanAction
) -> None:
    """Add or replace an event type's schema and action. The caller commits.

    Raises EventmillError for an unknown app, a schema that breaks a rule (naming the place), or too many types.
    """
    get_app(connection, app_id)
    if not 1 <= len(event_type) <= MAX_EVENT_TYPE or "\x00" in event_type:
        raise EventmillError(f"event_type must have 1 to {MAX_EVENT_TYPE} characters.")
    compile_schema(schema)
    with connection.transaction():
        connection.execute(
            "insert into control.tracking_plan (app_id, event_type, schema, action) values (%s, %s, %s, %s)"
            " on conflict (app_id, event_type) do update set schema = excluded.schema, action = excluded.action,"
            " updated_at = now()",
            [app_id, event_type, schema.decode(), action],
        )
        if len(list_types(connection, app_id)) > MAX_TYPES:
            raise EventmillError(f"A plan has at most {MAX_TYPES} event types.")


def list_types(connection: psycopg.Connection[Any], app_id: str) -> list[PlanEntry]:
    """All event types of the app's plan by name. Raises EventmillError for an unknown app."""
    get_app(connection, app_id)
    with connection.cursor(row_factory=class_row(PlanEntry)) as cursor:
        return cursor.execute(
            "select event_type, action, schema, updated_at from control.tracking_plan"
            " where app_id = %s order by event_type",
            [app_id],
        ).fetchall()


def get_type(connection: psycopg.Connection[Any], app_id: str, event_type: str) -> PlanEntry:
    """One event type of the plan. Raises EventmillError where it has none of that name."""
    for entry in list_types(connection, app_id):
        if entry.event_type == event_type:
            return entry
    raise _missing(app_id, event_type)


def delete_type(connection: psycopg.Connection[Any], app_id: str, event_type: str) -> None:
    """Take an event type out of the plan. The caller commits. Raises EventmillError where it is not in it."""
    get_app(connection, app_id)
    deleted = connection.execute(
        "delete from control.tracking_plan where app_id = %s and event_type = %s", [app_id, event_type]
    ).rowcount
    if not deleted:
        raise _missing(app_id, event_type)


def _missing(app_id: str, event_type: str) -> EventmillError:
    return EventmillError(
        f"The plan of app {app_id!r} has no event type {event_type!r}.",
        f"`eventmill plan list --app {app_id}` shows all.",
    )
