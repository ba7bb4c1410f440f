"""An app's filters of internal traffic."""

from typing import Any

import psycopg

from eventmill.contracts.filters import checked_pattern
from eventmill.control.apps import get_app
from eventmill.errors import EventmillError

# Each event is compared with all of them.
MAX_FILTERS = 200


def add_filter(connection: psycopg.Connection[Any], app_id: str, kind: str, pattern: str) -> tuple[str, bool]:
    """Add a filter; its canonical pattern, and whether it is new. The caller commits.

    Raises EventmillError for an unknown app, a pattern that breaks a rule, or too many filters.
    """
    get_app(connection, app_id)
    checked = _checked(kind, pattern)
    with connection.transaction():
        added = connection.execute(
            "insert into control.filter (app_id, kind, pattern) values (%s, %s, %s) on conflict do nothing",
            [app_id, kind, checked],
        ).rowcount
        if len(list_filters(connection, app_id)) > MAX_FILTERS:
            raise EventmillError(f"An app has at most {MAX_FILTERS} filters.", "One range or glob can replace many.")
    return checked, bool(added)


def remove_filter(connection: psycopg.Connection[Any], app_id: str, kind: str, pattern: str) -> str:
    """Remove a filter and return its canonical pattern. The caller commits. Raises EventmillError where it is none."""
    get_app(connection, app_id)
    checked = _checked(kind, pattern)
    removed = connection.execute(
        "delete from control.filter where app_id = %s and kind = %s and pattern = %s", [app_id, kind, checked]
    ).rowcount
    if not removed:
        raise EventmillError(
            f"App {app_id!r} has no filter {kind} {checked!r}.", f"`eventmill filter list --app {app_id}` shows all."
        )
    return checked


def list_filters(connection: psycopg.Connection[Any], app_id: str) -> list[tuple[str, str]]:
    """Kind and pattern of each filter, in order. Raises EventmillError for an unknown app."""
    get_app(connection, app_id)
    return connection.execute(
        "select kind, pattern from control.filter where app_id = %s order by kind, pattern", [app_id]
    ).fetchall()


def _checked(kind: str, pattern: str) -> str:
    try:
        return checked_pattern(kind, pattern)
    except ValueError as error:
        raise EventmillError(f"{error}.") from None
