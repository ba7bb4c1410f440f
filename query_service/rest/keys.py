"""`/api/keys` and `/api/audit`: an app's keys, and what its administrators did; for admin keys."""

from dataclasses import asdict
from datetime import UTC, timedelta
from typing import Annotated, Any

from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from eventmill.control import audit as audit_log
from eventmill.control import keys
from eventmill.control.credentials import PEOPLE
from eventmill.control.keys import Key, NewKey
from eventmill.errors import DefinitionError, EventmillError
from query_service.auth import require_admin
from query_service.control_store import ControlStore
from query_service.query.errors import InvalidParameter
from query_service.query.path import QueryPath
from query_service.reader import Reader
from query_service.rest import parameters as p
from query_service.rest.bodies import instant, json_object
from query_service.rest.problems import PROBLEMS

WhoReads = NamedDependency[Reader]
NEW_FIELDS = ("kind", "name", "people", "expires_at", "allowed_origins")
MAX_ENTRIES = 1_000
Entries = Annotated[str | None, Parameter(description=f"Most entries of an answer: 100, up to {MAX_ENTRIES}.")]


@get("/keys", summary="An app's keys", guards=[require_admin], responses=PROBLEMS)
async def list_keys(state: State, reader: WhoReads, app_id: p.AppId = None) -> dict[str, list[dict[str, Any]]]:
    """Rows `{id, prefix, kind, name, people, allowed_origins, created_at, expires_at, revoked_at, last_used_at}`.

    The latest first. Needs an admin key. `last_used_at` is behind by up to two minutes.
    """
    tenant = await _path(state).tenant({"app_id": app_id}, reader.app_ids)
    found = await _store(state).run(lambda connection: keys.list_keys(connection, tenant.app_id))
    return {"data": [_row(one) for one in found]}


@post("/keys", summary="Make a key", guards=[require_admin], responses=PROBLEMS)
async def create_key(
    request: Request[Any, Any, Any], state: State, reader: WhoReads, app_id: p.AppId = None
) -> dict[str, list[dict[str, Any]]]:
    """Takes `{kind: read|write|admin, name, people, expires_at, allowed_origins}`; all but `kind` may be left out.

    The row has the `key` itself, which cannot be shown again. Needs an admin key.
    """
    tenant = await _path(state).tenant({"app_id": app_id}, reader.app_ids)
    given = await json_object(request, NEW_FIELDS)
    ends = given.get("expires_at")
    expires_at = None if ends is None else instant(ends, "expires_at")
    origins = _origins(given.get("allowed_origins"))

    def make(connection: Any) -> NewKey:
        try:
            return keys.create_key(
                connection,
                tenant.app_id,
                given.get("kind"),
                name=given.get("name", ""),
                may_see_people=given.get("people", False),
                expires_at=expires_at,
                allowed_origins=origins,
            )
        except DefinitionError:
            raise
        except EventmillError as error:
            raise InvalidParameter("allowed_origins", error.message, error.hint) from None

    return _made(await _store(state).run(make, reader.subject))


@post("/keys/{key_id:str}/rotate", summary="Replace a key", guards=[require_admin], responses=PROBLEMS)
async def rotate_key(
    request: Request[Any, Any, Any], state: State, reader: WhoReads, key_id: FromPath[str], app_id: p.AppId = None
) -> dict[str, list[dict[str, Any]]]:
    """Takes `{grace_seconds}`, a day by default: so long the old key goes on working. Answers as making a key does."""
    tenant = await _path(state).tenant({"app_id": app_id}, reader.app_ids)
    seconds = (await json_object(request, ("grace_seconds",))).get("grace_seconds", 86_400)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= 90 * 86_400:
        raise DefinitionError("grace_seconds", "a whole number, 0 to 7776000")
    grace = timedelta(seconds=seconds)
    made = await _store(state).run(
        lambda connection: keys.rotate(connection, tenant.app_id, key_id, grace), reader.subject
    )
    return _made(made)


@delete("/keys/{key_id:str}", summary="Revoke a key", guards=[require_admin], responses=PROBLEMS)
async def revoke_key(state: State, reader: WhoReads, key_id: FromPath[str], app_id: p.AppId = None) -> None:
    """By its id or prefix; services forget it within 30 s. A key of several apps keeps the others."""
    tenant = await _path(state).tenant({"app_id": app_id}, reader.app_ids)
    await _store(state).run(lambda connection: keys.revoke(connection, tenant.app_id, key_id), reader.subject)


@get("/audit", summary="What administrators did", guards=[require_admin], responses=PROBLEMS)
async def audit(
    state: State, reader: WhoReads, app_id: p.AppId = None, limit: Entries = None, cursor: p.PageCursor = None
) -> dict[str, Any]:
    """Rows `{id, at, actor, action, target, details}`, the latest first; by command line and by API.

    `actor` is `key:<prefix>`, `oidc:<subject>` or `cli:<user>`. Needs an admin key.
    """
    tenant = await _path(state).tenant({"app_id": app_id}, reader.app_ids)
    wanted = _number("limit", limit, 100, MAX_ENTRIES)
    before = None if cursor is None else _number("cursor", cursor, 0, 2**62)
    found = await _store(state).run(lambda connection: audit_log.entries(connection, tenant.app_id, wanted + 1, before))
    rows = [
        {
            "id": one.audit_id,
            "at": one.at.astimezone(UTC),
            "actor": one.actor,
            "action": one.action,
            "target": one.target,
            "details": one.details,
        }
        for one in found[:wanted]
    ]
    return {"data": rows, "meta": {"next_cursor": str(rows[-1]["id"]) if len(found) > wanted else None}}


def _path(state: State) -> QueryPath:
    path: QueryPath = state.path
    return path


def _store(state: State) -> ControlStore:
    store: ControlStore = state.control
    return store


def _made(made: NewKey) -> dict[str, list[dict[str, Any]]]:
    return {"data": [_row(made.found) | {"key": made.key}]}


def _row(key: Key) -> dict[str, Any]:
    row = asdict(key)
    key_id, scopes = row.pop("key_id"), row.pop("scopes")
    return {"id": str(key_id)} | row | {"people": PEOPLE in scopes}


def _origins(given: object) -> list[str] | None:
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise DefinitionError("allowed_origins", "a list of web origins, such as https://www.example.org")
    return given


def _number(field: str, text: str | None, default: int, most: int) -> int:
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:20]) <= most:
        raise InvalidParameter(field, f"{field} is {text[:40]!r}.", f"A whole number, 1 to {most}.")
    return int(text)


ENDPOINTS = [list_keys, create_key, rotate_key, revoke_key, audit]
