"""`/api/alerts`: thresholds on an app's metrics."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any

import psycopg
from litestar import Request, delete, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from eventmill.control import alerts
from eventmill.control.alerts import Alert
from eventmill.control.dashboards import possible, unknown
from eventmill.control.webhooks import get_webhook
from eventmill.errors import DefinitionError, EventmillError
from query_service.auth import require_admin
from query_service.control_store import ControlStore
from query_service.query.errors import InvalidParameter
from query_service.query.path import QueryPath
from query_service.reader import Reader
from query_service.rest import parameters as p
from query_service.rest.bodies import json_object
from query_service.rest.problems import PROBLEMS

Covered = NamedDependency[tuple[str, ...]]
WhoReads = NamedDependency[Reader]
# Field → its type and default; one without a default has to be given.
FIELDS: dict[str, tuple[tuple[type, ...], Any]] = {
    "name": ((str,), ...),
    "metric": ((str,), ...),
    "dimension": ((str,), "total"),
    "value": ((str, type(None)), None),
    "comparison": ((str,), ...),
    "threshold": ((int, float), ...),
    "window": ((str,), "hour"),
    "for_minutes": ((int,), 0),
    "incomplete": ((bool,), False),
    "webhook_id": ((str, type(None)), None),
}
_NAMES: dict[type, str] = {str: "a text", int: "a number", float: "a number", bool: "true or false", type(None): "null"}
_COLUMNS = {"window": "period", "incomplete": "takes_incomplete"}


@get("/alerts", summary="An app's alerts", responses=PROBLEMS)
async def list_alerts(state: State, covered: Covered, app_id: p.AppId = None) -> dict[str, list[dict[str, Any]]]:
    """Rows by name: the condition, and what was seen last (`value_now`, `evaluated_at`, `firing_since`)."""
    app = await _app(state, app_id, covered)

    def read(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
        return [_row(one) | _seen(connection, one) for one in alerts.list_alerts(connection, app)]

    return {"data": await _store(state).run(read)}


@get("/alerts/{alert_id:str}", summary="An alert", responses=PROBLEMS)
async def get_alert(
    state: State, covered: Covered, alert_id: FromPath[str], app_id: p.AppId = None
) -> dict[str, list[dict[str, Any]]]:
    """One row, as in the list, with its `history`: when it fired, and when that was over."""
    app = await _app(state, app_id, covered)

    def read(connection: psycopg.Connection[Any]) -> dict[str, Any]:
        found = _find(connection, app, alert_id)
        fired = [
            {"fired_at": at.astimezone(UTC), "resolved_at": over and over.astimezone(UTC)}
            for at, over in alerts.history(connection, found)
        ]
        return _row(found) | _seen(connection, found) | {"history": fired}

    return {"data": [await _store(state).run(read)]}


@post("/alerts", summary="Make an alert", guards=[require_admin], responses=PROBLEMS)
async def create_alert(
    request: Request[Any, Any, Any], state: State, reader: WhoReads, app_id: p.AppId = None
) -> dict[str, list[dict[str, Any]]]:
    """Takes `{name, metric, dimension, value, comparison, threshold, window, for_minutes, incomplete, webhook_id}`.

    `comparison` is above, below, at_least or at_most; `window` is hour or day. Needs an admin key.
    """
    app = await _app(state, app_id, reader.app_ids)
    rule = _rule(await json_object(request, tuple(FIELDS)))

    def make(connection: psycopg.Connection[Any]) -> dict[str, Any]:
        _check_webhook(connection, app, rule["webhook_id"])
        with _refusals_as_problems():
            return _row(alerts.create_alert(connection, app, **rule))

    return {"data": [await _store(state).run(make, reader.subject)]}


@put("/alerts/{alert_id:str}", summary="Change an alert", guards=[require_admin], responses=PROBLEMS)
async def update_alert(
    request: Request[Any, Any, Any], state: State, reader: WhoReads, alert_id: FromPath[str], app_id: p.AppId = None
) -> dict[str, list[dict[str, Any]]]:
    """Takes what making one does, and replaces all of it; what it saw so far is forgotten. Needs an admin key."""
    app = await _app(state, app_id, reader.app_ids)
    given = await json_object(request, tuple(FIELDS))

    def change(connection: psycopg.Connection[Any]) -> dict[str, Any]:
        found = _find(connection, app, alert_id)
        rule = _rule(given)
        _check_webhook(connection, app, rule["webhook_id"])
        with _refusals_as_problems():
            return _row(alerts.update_alert(connection, found, **rule))

    return {"data": [await _store(state).run(change, reader.subject)]}


@delete("/alerts/{alert_id:str}", summary="Delete an alert", guards=[require_admin], responses=PROBLEMS)
async def delete_alert(state: State, reader: WhoReads, alert_id: FromPath[str], app_id: p.AppId = None) -> None:
    """With its history. Needs an admin key."""
    app = await _app(state, app_id, reader.app_ids)

    def remove(connection: psycopg.Connection[Any]) -> None:
        alerts.delete_alert(connection, app, _find(connection, app, alert_id).name)

    await _store(state).run(remove, reader.subject)


async def _app(state: State, app_id: str | None, covered: tuple[str, ...]) -> str:
    path: QueryPath = state.path
    return (await path.tenant({"app_id": app_id}, covered)).app_id


@contextmanager
def _refusals_as_problems() -> Iterator[None]:
    """What the command line says of a rule, as a problem: it begins with the field."""
    try:
        yield
    except EventmillError as error:
        field, _, detail = error.message.partition(": ")
        shown = {column: name for name, column in _COLUMNS.items()}.get(field, field)
        raise InvalidParameter(shown, detail, error.hint.removeprefix("Rule: ")) from None


def _store(state: State) -> ControlStore:
    store: ControlStore = state.control
    return store


def _find(connection: psycopg.Connection[Any], app_id: str, alert_id: str) -> Alert:
    for one in alerts.list_alerts(connection, app_id):
        if alert_id in {str(one.alert_id), one.name}:
            return one
    raise unknown("alert", alert_id)


def _rule(given: dict[str, Any]) -> dict[str, Any]:
    """The body's fields, of the right types, as `create_alert` names them. Raises DefinitionError."""
    rule = {}
    for name, (types, default) in FIELDS.items():
        value = given.get(name, default)
        if value is ... or not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise DefinitionError(name, " or ".join(dict.fromkeys(_NAMES[one] for one in types)))
        rule[_COLUMNS.get(name, name)] = value
    if abs(rule["threshold"]) > 1e15:
        raise DefinitionError("threshold", "a number of at most 15 digits")
    return rule


def _check_webhook(connection: psycopg.Connection[Any], app_id: str, webhook_id: str | None) -> None:
    """The same words for a webhook that is another app's and for one that is not there. Raises DefinitionError."""
    if webhook_id is None:
        return
    try:
        found = get_webhook(connection, possible(webhook_id))
    except EventmillError:
        found = None
    if found is None or found.app_id != app_id:
        raise DefinitionError("webhook_id", "the id of a webhook of this app")


def _row(one: Alert) -> dict[str, Any]:
    return {
        "id": str(one.alert_id),
        "name": one.name,
        "condition": one.condition(),
        "metric": one.metric,
        "dimension": one.dimension,
        "value": one.value,
        "comparison": one.comparison,
        "threshold": one.threshold,
        "window": one.period,
        "for_minutes": one.for_minutes,
        "incomplete": one.takes_incomplete,
        "webhook_id": one.webhook_id and str(one.webhook_id),
        "created_at": one.created_at.astimezone(UTC),
    }


def _seen(connection: psycopg.Connection[Any], one: Alert) -> dict[str, Any]:
    seen = alerts.last_look(connection, one)
    return {name: value.astimezone(UTC) if hasattr(value, "astimezone") else value for name, value in seen.items()}


ENDPOINTS = [list_alerts, get_alert, create_alert, update_alert, delete_alert]
