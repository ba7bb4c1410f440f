"""Shapes what was watched into answers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from eventmill.contracts.freshness import SESSIONS, tier_of
from query_service.query.answer import Answer, meta
from query_service.query.executor import Result
from query_service.query.model import Tenant
from query_service.query.watch_model import AnomalyQuery, RestatementQuery, encoded

Rows = Sequence[Mapping[str, Any]]
Status = Literal["ok", "warning", "failing"]
# Which tables (and grain) a mart is computed from: it is as fresh as the least fresh of them.
MARTS: Mapping[str, Sequence[tuple[str, str]]] = {
    "acquisition": (("sessions", "day"), ("goals", "day")),
    "active_users": (("metric", "day"), ("metric", "week"), ("metric", "month")),
    "cohort_retention": (("cohorts", "all"),),
    "cohorts": (("cohorts", "all"),),
    "daily_metrics": (("metric", "day"),),
    "daily_stats": (("metric", "day"),),
    "funnel_steps": (("funnels", "all"),),
    "goal_conversions": (("sessions", "day"), ("goals", "day")),
    "hourly_anomalies": (("metric", "hour"),),
    "hourly_stats": (("metric", "hour"),),
    "ingest_accounting": (("metric", "hour"),),
    "metrics": (("metric", "day"), ("metric", "week"), ("metric", "month"), ("sessions", "day")),
    "monthly_stats": (("metric", "month"), ("sessions", "day")),
    "page_daily": (("metric", "day"), ("sessions", "day")),
    "restatements": (("metric", "hour"),),
    "revenue": (("sessions", "day"),),
    "session_stats": (("sessions", "day"),),
    "top_pages": (("metric", "day"), ("sessions", "day")),
    "weekly_stats": (("metric", "week"), ("sessions", "day")),
}


class HealthMeta(msgspec.Struct, kw_only=True):
    """When it was told, and through which instant everything that arrived is in the lake.

    The counts are those of the marts, exact as far as `late_pending` events do not wait.
    """

    as_of: datetime
    complete_through: datetime | None
    late_pending: int
    source: str = "rollup"
    exact: bool = True


class HealthAnswer(msgspec.Struct, kw_only=True):
    """How an app's numbers stand."""

    data: Mapping[str, Any]
    meta: HealthMeta


def anomaly_answer(query: AnomalyQuery, result: Result) -> Answer:
    """At most `limit` hours, in the app's local time, and the cursor that continues after them."""
    rows = result.rows[: query.limit]
    cursor = None
    if len(result.rows) > query.limit:
        cursor = encoded(rows[-1]["timestamp"].isoformat(), rows[-1]["metric"])
    data = [_local(row, query.tenant, "timestamp") for row in rows]
    return Answer(data=data, meta=meta(result.freshness, query.range, next_cursor=cursor))


def restatement_answer(query: RestatementQuery, result: Result) -> Answer:
    """At most `limit` restatements, the latest first, and the cursor that continues with earlier ones."""
    rows = result.rows[: query.limit]
    cursor = encoded(rows[-1]["restatement_id"]) if len(result.rows) > query.limit else None
    data = [_local(row, query.tenant, "timestamp", "restated_at") for row in rows]
    return Answer(data=data, meta=meta(result.freshness, query.range, next_cursor=cursor))


def health_answer(tenant: Tenant, app: Mapping[str, Any], found: Mapping[str, Rows]) -> HealthAnswer:
    """Everything in one: freshness by table and mart, arrivals, anomalies, checks, what is wrong now."""
    (lake,), (accounting,), (deliveries,), (checked,) = (
        found[name] for name in ("lake", "accounting", "deliveries", "checked")
    )
    tables = [_table(row, lake) for row in found["tables"]]
    data = {
        "app_id": tenant.app_id,
        "status": _status(found, tables, app),
        "lake": {"complete_through": lake["complete_through"], "lag_seconds": lake["lag_seconds"]},
        "tables": tables,
        "marts": [_mart(name, tables) for name in MARTS],
        "silent_since": app["silent_since"],
        "last_event_at": app["last_event_at"],
        "accounting": accounting,
        "quarantine": {row["reason"]: row["events"] for row in found["quarantine"]},
        "anomalies": [_local(row, tenant, "timestamp") for row in found["anomalies"]],
        "checks": {**checked, "failing": found["checks"]},
        "incidents": found["incidents"],
        "restatements": {row["cause"]: row["periods"] for row in found["restatements"]},
        "webhooks": deliveries,
    }
    late = max((row["late_pending"] or 0 for row in tables), default=0)
    meta = HealthMeta(as_of=lake["as_of"].astimezone(UTC), complete_through=lake["complete_through"], late_pending=late)
    return HealthAnswer(data=data, meta=meta)


def _status(found: Mapping[str, Rows], tables: Rows, app: Mapping[str, Any]) -> Status:
    has_failed = any(row["severity"] == "ERROR" for row in found["checks"])
    if has_failed or found["incidents"] or app["silent_since"] is not None:
        return "failing"
    is_odd = found["checks"] or found["anomalies"] or any(row["is_late"] for row in tables)
    return "warning" if is_odd else "ok"


def _table(row: Mapping[str, Any], lake: Mapping[str, Any]) -> dict[str, Any]:
    """How fresh one table is at one grain. Cohorts and funnels say themselves through when they are complete."""
    is_saved = row["granularity"] == "all"
    tier = SESSIONS if is_saved else tier_of(row["table"], row["granularity"])
    since, through = row["dirty_since"], lake["complete_through"]
    complete = through if since is None or through is None else min(through, since)
    lag = timedelta() if since is None else lake["as_of"] - since
    return {
        **{name: row[name] for name in ("table", "granularity", "dirty", "late_pending", "computed_at")},
        "tier": tier.name,
        "aim_seconds": tier.aim.total_seconds(),
        "complete_through": complete,
        "lag_seconds": max(lag.total_seconds(), 0.0),
        "is_late": lag > tier.late,
    }


def _mart(name: str, tables: Rows) -> dict[str, Any]:
    parts = [row for row in tables if (row["table"], row["granularity"]) in MARTS[name]]
    known = [row["complete_through"] for row in parts if row["complete_through"] is not None]
    return {
        "mart": name,
        "complete_through": min(known, default=None),
        "lag_seconds": max((row["lag_seconds"] for row in parts), default=None),
        "is_late": any(row["is_late"] for row in parts),
    }


def _local(row: Mapping[str, Any], tenant: Tenant, *names: str) -> dict[str, Any]:
    return {**row, **{name: row[name].astimezone(tenant.time_zone).isoformat() for name in names}}
