"""Funnels and cohorts that nobody saved, computed from the lake at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from eventmill.analysis.cohorts import CohortDefinition, parse_cohort
from eventmill.analysis.funnel_definition import CountBy, FunnelDefinition, Order
from eventmill.analysis.local_days import INTERVALS, Calendar
from eventmill.analysis.retention import RECURRENCES
from eventmill.analysis.saved_funnels import parse_saved_funnel
from eventmill.lake import ACTOR_FIRST
from query_service.lake.jobs import EventFiles, Task
from query_service.query.definitions import MODES
from query_service.query.errors import InvalidParameter
from query_service.query.lake_asking import Asked, LakeAsking
from query_service.query.lake_meta import OF_PEOPLE, LakeRows, lake_meta, microseconds
from query_service.query.model import Tenant

SESSIONS = "sessions"
_DAY, _MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
# No event is earlier: a zone's local dates would lie outside the calendar.
_EVER = datetime(1, 1, 3, tzinfo=UTC)
_RATES = ("conversion_from_start", "conversion_from_previous", "dropoff_percent")
_DEFAULTS = {"interval": "week", "mode": "on", "recurrence": "first_time"}
_OPTIONS = {"interval": INTERVALS, "mode": MODES, "recurrence": RECURRENCES}


@dataclass(frozen=True, slots=True)
class FunnelQuery:
    """A funnel of one app with its range, and the JSON that says it."""

    tenant: Tenant
    definition: FunnelDefinition
    given: Mapping[str, Any]

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """The instants between which paths start."""
        start, end = self.definition.range_from, self.definition.range_to
        if start is None or end is None:
            msg = "a funnel is computed over a range"
            raise ValueError(msg)
        return start, end


@dataclass(frozen=True, slots=True)
class RetentionQuery:
    """A cohort of one app and the table that is wanted of it; `options` are interval, mode, recurrence."""

    tenant: Tenant
    definition: CohortDefinition
    options: Mapping[str, str]


def parse_funnel_query(asked: Mapping[str, Any], tenant: Tenant, now: datetime) -> FunnelQuery:
    """The definition of a funnel, with from and to or days. Raises DefinitionError."""
    saved = parse_saved_funnel(asked)
    definition = saved.at(now, Calendar(tenant.time_zone, tenant.week_start))
    query = FunnelQuery(tenant, definition, saved.given)
    start, end = query.bounds
    return FunnelQuery(tenant, definition, {**saved.given, "from": start.isoformat(), "to": end.isoformat()})


def parse_retention_query(asked: Mapping[str, Any], tenant: Tenant) -> RetentionQuery:
    """The definition of a cohort, and interval, mode, recurrence. Raises DefinitionError or InvalidParameter."""
    options = {name: asked.get(name) or default for name, default in _DEFAULTS.items()}
    for name, allowed in _OPTIONS.items():
        if options[name] not in allowed:
            raise InvalidParameter(name, f"{name} is not known.", f"One of: {', '.join(allowed)}.")
    return RetentionQuery(tenant, parse_cohort({k: v for k, v in asked.items() if k not in _OPTIONS}), options)


class LakeFunnels:
    """Answers ad-hoc funnels and retention. Raises as LakeAsking does."""

    def __init__(self, asking: LakeAsking) -> None:
        self._asking = asking

    async def funnel(self, query: FunnelQuery) -> LakeRows:
        """Rows as those of a saved funnel."""

        async def answered(through: datetime | None) -> LakeRows:
            table, _ = await self._asking.run(self.funnel_asked("funnel", query, through))
            start, end = query.bounds
            floor = query.tenant.lake_floor
            zone = query.tenant.time_zone
            meta = lake_meta(
                query.tenant,
                {"start": start.astimezone(zone).isoformat(), "end": end.astimezone(zone).isoformat()},
                through,
                bots=OF_PEOPLE,
                exact=floor is None or start >= floor,
                definition=query.given,
                window_seconds=int(query.definition.window.total_seconds()),
            )
            return LakeRows(data=[_rounded(row) for row in table.to_pylist()], meta=meta)

        return await self._asking.at_last_commits(answered)

    def funnel_asked(self, task: Task, query: FunnelQuery, through: datetime | None, **more: Any) -> Asked:
        """What a worker is asked about a funnel."""
        start, end = query.bounds
        app_id, snapshots = query.tenant.app_id, self._asking.snapshots
        first, last = microseconds(start), microseconds(end + query.definition.window) + 1
        days = {}
        if query.definition.count_by is CountBy.SESSION:
            zone = query.tenant.time_zone
            dates = start.astimezone(zone).date() - 2 * _DAY, (end + query.definition.window).astimezone(zone).date()
            days[SESSIONS] = snapshots.days(SESSIONS, app_id, *dates)
        # Once the last window is over it makes no difference how much later it is.
        over = end + query.definition.window + _MICROSECOND
        known = None if through is None else min(through, over).isoformat()
        arguments = {"definition": query.given, "complete_through": known, **more}
        return Asked(task, app_id, arguments, self._asking.events(app_id, first, last, _types(query.definition)), days)

    async def retention(self, query: RetentionQuery) -> LakeRows:
        """Rows as those of a saved cohort's retention."""

        async def answered(through: datetime | None) -> LakeRows:
            table, body = await self._asking.run(self.retention_asked("retention", query, through))
            rows = [{**row, "retention_rate": _percent(row)} for row in table.to_pylist()]
            given = query.definition.to_json()
            meta = lake_meta(
                query.tenant,
                {name: given[side] for name, side in (("start", "from"), ("end", "to")) if side in given},
                through,
                bots=OF_PEOPLE,
                exact=_is_exact(query),
                definition=given,
                averages=_averages(rows),
                user_count=body["user_count"],
                daily_visitors=body["daily_visitors"],
            )
            return LakeRows(data=rows, meta=meta)

        return await self._asking.at_last_commits(answered)

    def retention_asked(self, task: Task, query: RetentionQuery, through: datetime | None, **more: Any) -> Asked:
        """What a worker is asked about a cohort."""
        tenant, now = query.tenant, datetime.now(UTC)
        arguments = {
            "definition": query.definition.to_json(),
            "time_zone": tenant.time_zone.key,
            "week_start": tenant.week_start,
            "complete_through": min(through or now, now).isoformat(),
            **query.options,
            **more,
        }
        days = {ACTOR_FIRST.name: self._asking.snapshots.days(ACTOR_FIRST.name, tenant.app_id)}
        return Asked(task, tenant.app_id, arguments, self._all_events(query), days)

    def _all_events(self, query: RetentionQuery) -> EventFiles:
        last = self._asking.snapshots.last_event_us(query.tenant.app_id) + 1
        types = [query.definition.filter.event_type]
        types += [] if query.definition.return_event is None else [query.definition.return_event.event_type]
        is_of_types = query.definition.return_event is not None and None not in types
        chosen = tuple(sorted({one for one in types if one is not None})) if is_of_types else ()
        return self._asking.events(query.tenant.app_id, microseconds(_EVER), last, chosen)


def _types(definition: FunnelDefinition) -> tuple[str, ...]:
    """The types of the events that matter; none where it cannot be told by type."""
    filters = [step.filter for step in definition.steps] + [one.filter for one in definition.exclude]
    types = {one.event_type for one in filters}
    if None in types or definition.order is Order.STRICT:
        return ()
    return tuple(sorted(one for one in types if one is not None))


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: row[name] if row[name] is None else round(row[name], 2) for name in _RATES}


def _percent(row: Mapping[str, Any]) -> float | None:
    size = row["cohort_size"]
    return round(100 * row["returning_users"] / size, 2) if size else None


def _averages(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Pooled by offset: all who returned of all who could, over periods that are over."""
    pooled: dict[int, dict[str, Any]] = {}
    for row in rows:
        if not row["is_incomplete"]:
            offset = row["period_offset"]
            one = pooled.setdefault(offset, {"period_offset": offset, "cohort_size": 0, "returning_users": 0})
            one["cohort_size"] += row["cohort_size"]
            one["returning_users"] += row["returning_users"]
    return [{**one, "retention_rate": _percent(one)} for _, one in sorted(pooled.items())]


def _is_exact(query: RetentionQuery) -> bool:
    """Whether nothing that was archived could change the cohort."""
    floor, definition = query.tenant.lake_floor, query.definition
    if floor is None:
        return True
    if definition.only_type is None:
        return False
    if definition.start is None:
        return definition.is_known_for_ever
    return Calendar(query.tenant.time_zone).midnight(definition.start) >= floor
