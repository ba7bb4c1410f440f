"""Saved goals, cohorts and funnels of an app."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from eventmill.analysis import filters
from eventmill.analysis.cohorts import parse_cohort
from eventmill.analysis.goals import parse_goal
from eventmill.analysis.saved_funnels import parse_saved_funnel
from eventmill.control.apps import get_app
from eventmill.errors import DefinitionError, EventmillError

MAX_NAME = 200
MAX_IDENTIFIER = 63
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Definition(Protocol):
    """A goal, cohort or funnel, checked."""

    def to_json(self) -> dict[str, Any]:
        """The definition with its defaults, as it is stored."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of definition: `name` names its table in `control`; an app has at most `limit` of them."""

    name: str
    parse: Callable[[object], Definition]
    limit: int


# Cohorts and funnels are computed again every few minutes while events arrive.
GOAL = Kind("goal", parse_goal, 100)
COHORT = Kind("cohort", parse_cohort, 50)
FUNNEL = Kind("funnel", parse_saved_funnel, 50)
KINDS = {kind.name: kind for kind in (GOAL, COHORT, FUNNEL)}


@dataclass(frozen=True, slots=True)
class Saved:
    """A stored definition. `definition` is its JSON, with the defaults filled in."""

    id: UUID
    app_id: str
    identifier: str
    name: str
    definition: dict[str, Any]
    created_at: datetime


class UnknownDefinitionError(EventmillError):
    """The app has no such goal, cohort or funnel."""


def create(
    connection: psycopg.Connection[Any],
    kind: Kind,
    app_id: str,
    name: object,
    definition: object,
    identifier: object = None,
) -> Saved:
    """Store a definition, its identifier made from the name unless given. The caller commits.

    Raises DefinitionError for what breaks a rule, EventmillError for an unknown app of one too many too.
    """
    _existing_app(connection, app_id)
    checked = kind.parse(definition).to_json()
    label = filters.text(name, "name", MAX_NAME)
    if label is None or not label.strip():
        raise DefinitionError("name", f"a text of 1 to {MAX_NAME} characters")
    values = [app_id, _identifier(identifier, label), label, Jsonb(checked)]
    with connection.transaction():
        saved = _insert(connection, kind, values)
        if len(list_all(connection, kind, app_id)) > kind.limit:
            raise DefinitionError(kind.name, f"an app has at most {kind.limit} of them; delete one that nobody needs")
    return saved


def list_all(connection: psycopg.Connection[Any], kind: Kind, app_id: str) -> list[Saved]:
    """The app's definitions by name. Raises EventmillError for an unknown app."""
    _existing_app(connection, app_id)
    statement = sql.SQL(
        "select {} as id, app_id, identifier, name, definition, created_at from {} where app_id = %s order by name"
    ).format(_id_column(kind), _table(kind))
    with connection.cursor(row_factory=class_row(Saved)) as cursor:
        return cursor.execute(statement, [app_id]).fetchall()


def get(connection: psycopg.Connection[Any], kind: Kind, app_id: str, reference: str) -> Saved:
    """The definition of that id, identifier or name, in this order.

    Raises UnknownDefinitionError where there is none, EventmillError for an unknown app.
    """
    found = list_all(connection, kind, app_id)
    for matches in (lambda one: str(one.id), lambda one: one.identifier, lambda one: one.name):
        for one in found:
            if matches(one) == reference:
                return one
    raise UnknownDefinitionError(
        f"App {app_id!r} has no {kind.name} {reference!r}.", f"`eventmill {kind.name} list --app {app_id}` shows all."
    )


def delete(connection: psycopg.Connection[Any], kind: Kind, app_id: str, reference: str) -> Saved:
    """Delete a definition and, by their foreign keys, its results; returns what it was. The caller commits.

    Raises as `get` does.
    """
    saved = get(connection, kind, app_id, reference)
    statement = sql.SQL("delete from {} where {} = %s").format(_table(kind), _id_column(kind))
    connection.execute(statement, [saved.id])
    return saved


def _existing_app(connection: psycopg.Connection[Any], app_id: str) -> None:
    if get_app(connection, app_id).deleted_at is not None:
        raise EventmillError(f"App {app_id!r} is being deleted.")


def _identifier(given: object, name: str) -> str:
    """The one given, checked, or one made from the name's letters and digits."""
    if given is not None:
        if not isinstance(given, str) or not _IDENTIFIER.fullmatch(given):
            raise DefinitionError("identifier", "1 to 63 of a-z, 0-9, - and _, the first a letter or a digit")
        return given
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    made = re.sub(r"[^a-z0-9_]+", "-", ascii_name.lower()).strip("-_")[:MAX_IDENTIFIER]
    if not made:
        raise DefinitionError("identifier", "has to be given where the name holds no Latin letter or digit")
    return made


def _insert(connection: psycopg.Connection[Any], kind: Kind, values: list[Any]) -> Saved:
    statement = sql.SQL(
        "insert into {} (app_id, identifier, name, definition) values (%s, %s, %s, %s)"
        " returning {} as id, app_id, identifier, name, definition, created_at"
    ).format(_table(kind), _id_column(kind))
    try:
        with connection.transaction(), connection.cursor(row_factory=class_row(Saved)) as cursor:
            saved = cursor.execute(statement, values).fetchone()
    except psycopg.errors.UniqueViolation as error:
        field = "identifier" if "identifier" in (error.diag.constraint_name or "") else "name"
        raise DefinitionError(field, f"is taken by another {kind.name} of this app") from None
    if saved is None:
        msg = f"the new {kind.name} of app {values[0]!r} came back empty"
        raise RuntimeError(msg)
    return saved


def _table(kind: Kind) -> sql.Identifier:
    return sql.Identifier("control", kind.name)


def _id_column(kind: Kind) -> sql.Identifier:
    return sql.Identifier(f"{kind.name}_id")
