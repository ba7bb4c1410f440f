"""Questions about saved goals, cohorts and funnels: what there is, and what was computed of it."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from eventmill import warehouse
from eventmill.analysis.local_days import INTERVALS
from eventmill.analysis.retention import RECURRENCES
from eventmill.control import definitions
from eventmill.control.audit import act_as
from eventmill.control.definitions import Kind, UnknownDefinitionError
from eventmill.settings import Settings
from query_service.query import answer
from query_service.query import definition_sql as sql
from query_service.query.answer import Meta
from query_service.query.errors import InvalidParameter
from query_service.query.executor import Executor
from query_service.query.json_body import json_object
from query_service.query.model import Parameters, Tenant
from query_service.query.ranges import date_range

BOTS = "left out unless the definition says include_bots"
MODES = ("on", "on_or_after")
_INTERNAL = ("definition", "computed_at", "complete_through", "definition_version", "is_exact", "daily_visitors")
_INTERNAL_OF_FUNNELS = (*_INTERNAL, "range_from", "range_to", "window_seconds")


class DefinitionMeta(Meta, kw_only=True):
    """What a result rests on. `as_of` is when it was computed, now where it was not yet.

    `averages` pools retention by offset over complete periods; `daily_visitors` were left out, because their ids hold
    for a day; `window_seconds` is a funnel's.
    """

    definition: Mapping[str, Any] | None = None
    daily_visitors: int | None = None
    averages: Sequence[Mapping[str, Any]] | None = None
    window_seconds: int | None = None


class DefinitionAnswer(msgspec.Struct, kw_only=True):
    """Saved definitions, or the results of one."""

    data: Sequence[Mapping[str, Any]]
    meta: DefinitionMeta


class DefinitionQueries:
    """Answers for one app at a time. Raises UnknownDefinitionError for a reference that is none of the app's."""

    def __init__(self, executor: Executor, settings: Settings) -> None:
        self._executor, self._settings = executor, settings

    async def saved(self, kind: Kind, tenant: Tenant, reference: str | None = None) -> DefinitionAnswer:
        """The app's definitions by name, or one, with its summary."""
        rows, meta = await self._read(kind, tenant, reference)
        hidden = _INTERNAL_OF_FUNNELS if kind is definitions.FUNNEL else _INTERNAL
        data = [{name: value for name, value in row.items() if name not in hidden} for row in rows]
        return DefinitionAnswer(data=data, meta=meta)

    async def create(self, kind: Kind, tenant: Tenant, body: bytes, actor: str) -> DefinitionAnswer:
        """Store the definition in `body` (JSON: name, perhaps identifier, and the definition's own fields)."""
        given = json_object(body, "name and the definition")
        name, identifier = given.pop("name", None), given.pop("identifier", None)

        def store() -> UUID:
            with closing(warehouse.connect(self._settings)) as connection:
                act_as(connection, actor)
                found = definitions.create(connection, kind, tenant.app_id, name, given, identifier)
                connection.commit()
            return found.id

        return await self.saved(kind, tenant, str(await asyncio.to_thread(store)))

    async def delete(self, kind: Kind, tenant: Tenant, reference: str, actor: str) -> None:
        """Delete the definition and its results."""

        def remove() -> None:
            with closing(warehouse.connect(self._settings)) as connection:
                act_as(connection, actor)
                definitions.delete(connection, kind, tenant.app_id, reference)
                connection.commit()

        await asyncio.to_thread(remove)

    async def goal(self, tenant: Tenant, reference: str, parameters: Parameters, now: datetime) -> DefinitionAnswer:
        """Rows date, events, visitors, sessions_with_goal, sessions, conversion_rate."""
        days = date_range(parameters.get("start"), parameters.get("end"), now, tenant.time_zone)
        [saved], _ = await self._read(definitions.GOAL, tenant, reference)
        result = await self._executor.run(sql.plan_goal(tenant, reference, days))
        fields = msgspec.structs.asdict(answer.meta(result.freshness, days)) | {"bots": "left out"}
        return DefinitionAnswer(data=result.rows, meta=DefinitionMeta(**fields, definition=saved["definition"]))

    async def retention(self, tenant: Tenant, reference: str, parameters: Parameters) -> DefinitionAnswer:
        """Rows cohort_date, period_offset, cohort_size, returning_users, retention_rate, is_incomplete."""
        asked = {
            "interval": _one_of("interval", parameters.get("interval"), INTERVALS, "week"),
            "mode": _one_of("mode", parameters.get("mode"), MODES, "on"),
            "recurrence": _one_of("recurrence", parameters.get("recurrence"), RECURRENCES, "first_time"),
        }
        more = {"rows": sql.RETENTION, "averages": sql.AVERAGES}
        found = await self._found(definitions.COHORT, tenant, reference, more, asked)
        meta = _meta(found, tenant)
        meta.averages = found["averages"]
        return DefinitionAnswer(data=found["rows"], meta=meta)

    async def funnel(self, tenant: Tenant, reference: str) -> DefinitionAnswer:
        """Rows of the steps: of the whole funnel, then of each value of its breakdown."""
        found = await self._found(definitions.FUNNEL, tenant, reference, {"rows": sql.STEPS}, {})
        return DefinitionAnswer(data=found["rows"], meta=_meta(found, tenant))

    async def _read(
        self, kind: Kind, tenant: Tenant, reference: str | None
    ) -> tuple[list[dict[str, Any]], DefinitionMeta]:
        found = await self._found(kind, tenant, reference, {}, {})
        return found["saved"], _meta(found, tenant)

    async def _found(
        self,
        kind: Kind,
        tenant: Tenant,
        reference: str | None,
        more: Mapping[str, Any],
        values: Mapping[str, Any],
    ) -> dict[str, list[dict[str, Any]]]:
        """`saved` definitions (one where there is a reference), `late`, and the rows of `more`, of one instant."""
        statements = {"saved": sql.SAVED[kind.name], "late": sql.LATE, **more}
        asked = {"app_id": tenant.app_id, "reference": reference, **values}
        # Postgres refuses a text with NUL, and no identifier has one.
        is_possible = reference is None or "\x00" not in reference
        found = await self._executor.in_one_snapshot(statements, asked) if is_possible else {"saved": []}
        if reference is not None and not found["saved"]:
            raise UnknownDefinitionError(f"There is no {kind.name} {reference!r}.")
        return found


def _meta(found: Mapping[str, list[dict[str, Any]]], tenant: Tenant) -> DefinitionMeta:
    saved, [late] = found["saved"], found["late"]
    one = saved[0] if len(saved) == 1 else {}
    versions = {row["definition_version"] for row in saved if row["definition_version"]}
    through = [row["complete_through"] for row in saved]
    return DefinitionMeta(
        as_of=min((row["computed_at"] for row in saved if row["computed_at"]), default=late["now"]).astimezone(UTC),
        complete_through=None if not through or None in through else min(through).astimezone(UTC),
        late_pending=late["late_pending"],
        source="rollup",
        exact=all(row["is_exact"] for row in saved),
        definition_version="+".join(sorted(versions)) or None,
        mixed=len(versions) > 1,
        bots=BOTS,
        range=_range(one, tenant),
        definition=one.get("definition"),
        daily_visitors=one.get("daily_visitors"),
        window_seconds=one.get("window_seconds"),
    )


def _range(row: Mapping[str, Any], tenant: Tenant) -> dict[str, str]:
    """The range that the definition names, or that its result was computed for."""
    zone = {"time_zone": tenant.time_zone.key}
    if row.get("range_from") is not None:
        local = {name: row[f"range_{side}"].astimezone(tenant.time_zone) for name, side in _SIDES.items()}
        return {name: instant.isoformat() for name, instant in local.items()} | zone
    definition = row.get("definition") or {}
    return {name: definition[side] for name, side in _SIDES.items() if side in definition} | zone


_SIDES = {"start": "from", "end": "to"}


def _one_of(field: str, text: str | None, allowed: Sequence[str], default: str) -> str:
    if text is None:
        return default
    if text not in allowed:
        raise InvalidParameter(field, f"{field} is {text!r}.", f"One of: {', '.join(allowed)}.")
    return text
