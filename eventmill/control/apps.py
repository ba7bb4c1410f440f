"""Apps: the tenants. Each has an id that names its subject and its rows, and the settings its numbers follow."""

import re
import unicodedata
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from eventmill.contracts.subjects import APP_ID, is_app_id
from eventmill.control import reconciliation
from eventmill.control.credentials import PEOPLE, KeyKind, issue_key, revoke_keys
from eventmill.control.origins import key_origins
from eventmill.errors import EventmillError

_COLUMNS = sql.SQL(
    "app_id, identifier::text, name, org_id, owner_id, time_zone, week_start, retention_days,"
    " events_per_second, created_at, deleted_at"
)
_CHANGEABLE = ("name", "owner_id", "time_zone", "week_start", "retention_days", "events_per_second")
_MAX_APP_ID = 63
MAX_EVENTS_PER_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class App:
    """A tenant. `week_start` is an ISO weekday (1 Monday); `retention_days` 0 keeps events for ever.

    `events_per_second` is what the gateways take; 0 is no limit.
    """

    app_id: str
    identifier: str
    name: str
    org_id: str
    owner_id: str | None
    time_zone: str
    week_start: int
    retention_days: int
    events_per_second: int
    created_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class IssuedKeys:
    """A new app's keys; only their digests are kept."""

    write_key: str
    read_key: str
    admin_key: str


def create_app(
    connection: psycopg.Connection[Any],
    name: str,
    *,
    app_id: str | None = None,
    org_id: str = "default",
    allowed_origins: Sequence[str] | None = None,
    **settings: Any,
) -> tuple[App, IssuedKeys]:
    """Create an app and its three keys; without `app_id` the id is made of the name. The caller commits.

    `allowed_origins` are those of the write key, any where they are left out; `settings` are those of `update_app`,
    by their columns' defaults where left out. Raises EventmillError where the id is taken or a value breaks a rule.
    """
    values = _checked({"name": name} | settings)
    with connection.transaction():
        connection.execute("insert into control.org (org_id) values (%s) on conflict do nothing", [org_id])
        app = _insert(connection, app_id, slug(name), values | {"org_id": org_id})
        keys = IssuedKeys(
            issue_key(connection, org_id, "write", [app.app_id], allowed_origins=allowed_origins),
            issue_key(connection, org_id, "read", [app.app_id]),
            issue_key(connection, org_id, "admin", [app.app_id]),
        )
    return app, keys


def _insert(connection: psycopg.Connection[Any], app_id: str | None, base: str, values: Mapping[str, Any]) -> App:
    if app_id is not None:
        if not is_app_id(app_id):
            raise EventmillError(f"App id {app_id!r} must match {APP_ID.pattern}.", "Choose another with --id.")
        app = _try_insert(connection, app_id, values)
        if app is None:
            raise EventmillError(f"App {app_id!r} exists already.", "`eventmill app list` shows all apps.")
        return app
    for number in count(1):
        suffix = "" if number == 1 else f"-{number}"
        if app := _try_insert(connection, base[: _MAX_APP_ID - len(suffix)] + suffix, values):
            return app
    raise AssertionError("count() never ends")


def _try_insert(connection: psycopg.Connection[Any], app_id: str, values: Mapping[str, Any]) -> App | None:
    given = {"app_id": app_id, **values}
    statement = sql.SQL(
        "insert into control.app ({names}) values ({values}) on conflict (app_id) do nothing returning {columns}"
    ).format(
        names=sql.SQL(", ").join(map(sql.Identifier, given)),
        values=sql.SQL(", ").join(map(sql.Placeholder, given)),
        columns=_COLUMNS,
    )
    with connection.cursor(row_factory=class_row(App)) as cursor:
        return cursor.execute(statement, given).fetchone()


def slug(name: str) -> str:
    """An app id made of a name: ASCII letters and digits in lower case, joined by hyphens; `app` where none is left."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:_MAX_APP_ID].rstrip("-") or "app"


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, checked by name. Raises EventmillError naming the field and the rule, ValueError for another name."""
    if unknown := set(values) - set(_CHANGEABLE):
        msg = f"not changeable: {sorted(unknown)}"
        raise ValueError(msg)
    if "name" in values and not 1 <= len(values["name"]) <= 200:
        raise EventmillError("name must have 1 to 200 characters.")
    if "time_zone" in values and values["time_zone"] not in zoneinfo.available_timezones():
        raise EventmillError(
            f"time_zone {values['time_zone']!r} is not an IANA time zone.",
            "Examples: UTC, Europe/Berlin, Asia/Kathmandu.",
        )
    if "week_start" in values and not 1 <= values["week_start"] <= 7:
        raise EventmillError("week_start must be 1 (Monday) to 7 (Sunday).")
    if "retention_days" in values and not 0 <= values["retention_days"] <= 36_500:
        raise EventmillError("retention_days must be 0 (for ever) to 36500.")
    if "events_per_second" in values and not 0 <= values["events_per_second"] <= MAX_EVENTS_PER_SECOND:
        raise EventmillError(f"events_per_second must be 0 (no limit) to {MAX_EVENTS_PER_SECOND}.")
    return dict(values)


def get_app(connection: psycopg.Connection[Any], app_id: str) -> App:
    """One app, one being deleted too. Raises EventmillError where there is none of that id."""
    with connection.cursor(row_factory=class_row(App)) as cursor:
        statement = sql.SQL("select {} from control.app where app_id = %s").format(_COLUMNS)
        app = cursor.execute(statement, [app_id]).fetchone()
    if app is None:
        raise EventmillError(f"There is no app {app_id!r}.", "`eventmill app list` shows all apps.")
    return app


def list_apps(connection: psycopg.Connection[Any]) -> list[App]:
    """All apps by id, those being deleted too."""
    with connection.cursor(row_factory=class_row(App)) as cursor:
        return cursor.execute(sql.SQL("select {} from control.app order by app_id").format(_COLUMNS)).fetchall()


def update_app(connection: psycopg.Connection[Any], app_id: str, **changes: Any) -> App:
    """Change name, owner_id, time_zone, week_start, retention_days or events_per_second. The caller commits.

    A new time zone moves every period, so the app's rollups go in the same transaction, and the pipeline is asked to
    compute them anew from the lake; another first weekday does so with its weeks, but for those before the app's lake
    floor. Raises EventmillError for an unknown app or a value that breaks a rule.
    """
    values = _checked(changes)
    with connection.transaction():
        before = get_app(connection, app_id)
        if values:
            assignments = sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in values
            )
            statement = sql.SQL("update control.app set {} where app_id = {}").format(
                assignments, sql.Placeholder("app_id")
            )
            connection.execute(statement, values | {"app_id": app_id})
        after = get_app(connection, app_id)
        if after.time_zone != before.time_zone:
            _refuse_if_archived(connection, app_id)
            delete_rollups(connection, app_id, keep="ingest_%|identity_count")
            reconciliation.request(connection)
        elif after.week_start != before.week_start:
            _delete_weeks(connection, app_id)
            reconciliation.request(connection)
    return after


def rotate_key(
    connection: psycopg.Connection[Any],
    app_id: str,
    kind: KeyKind,
    *,
    allowed_origins: Sequence[str] | None = None,
    may_see_people: bool = False,
    grace: timedelta = timedelta(),
) -> str:
    """Revoke the app's keys of that kind, after `grace`, and return a new one. The caller commits.

    It has their origins unless told. Raises EventmillError for an unknown app, or people for another kind than read.
    """
    if may_see_people and kind != "read":
        raise EventmillError(
            "people: only a read key needs it.", "An admin key shows people anyway, a write key nothing."
        )
    with connection.transaction():
        app = get_app(connection, app_id)
        origins = key_origins(connection, app_id, kind) if allowed_origins is None else allowed_origins
        revoke_keys(connection, app_id, kind, grace)
        scopes = [PEOPLE] if may_see_people else []
        return issue_key(connection, app.org_id, kind, [app_id], allowed_origins=origins, scopes=scopes)


def _refuse_if_archived(connection: psycopg.Connection[Any], app_id: str) -> None:
    """Raise EventmillError where periods would go that cannot be computed again: their events are archived."""
    row = connection.execute("select lake_floor from control.app where app_id = %s", [app_id]).fetchone()
    if row is not None and row[0] is not None:
        raise EventmillError(
            f"time_zone cannot change while events before {row[0]:%Y-%m-%d %H:%M %Z} are archived: their numbers would"
            " be lost, for they cannot be computed again.",
            f"`eventmill archive restore --app {app_id} --from DATE --to DATE` brings the events back first.",
        )


def _delete_weeks(connection: psycopg.Connection[Any], app_id: str) -> None:
    """Delete the app's weeks, but for those that ended before its lake floor."""
    for table in ("metric", "periods"):
        statement = sql.SQL(
            "delete from rollups.{} as old using control.app where app.app_id = old.app_id and old.app_id = %s"
            " and grain = 'week' and (lake_floor is null or period_start + interval '7 days 1 hour' > lake_floor)"
        ).format(sql.Identifier(table))
        connection.execute(statement, [app_id])


def delete_rollups(connection: psycopg.Connection[Any], app_id: str, keep: str = "") -> int:
    """Delete the app's rows from every table of `rollups` that has an app, and return how many. The caller commits.

    Tables whose name is similar to `keep` stay: what is kept of arrivals cannot be computed from the lake again.
    """
    tables = connection.execute(
        "select c.table_schema, c.table_name from information_schema.columns c"
        " join information_schema.tables t using (table_schema, table_name)"
        " where c.table_schema in ('rollups', 'marts') and c.column_name = 'app_id' and t.table_type = 'BASE TABLE'"
        " and c.table_name not similar to %s",
        [keep],
    ).fetchall()
    statement = sql.SQL("delete from {} where app_id = %s")
    return sum(connection.execute(statement.format(sql.Identifier(*table)), [app_id]).rowcount for table in tables)
