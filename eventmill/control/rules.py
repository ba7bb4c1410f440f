"""What gateway and writer judge an app's events by, read in one query: retention, filters, tracking plan, rate."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg
import structlog

from eventmill.contracts.decode import AppRules
from eventmill.contracts.filters import filters_of
from eventmill.contracts.plan import PlanAction, PlannedType, TrackingPlan
from eventmill.contracts.suppression import Suppression
from eventmill.errors import EventmillError

# Of `control.app a`; `rules_of` reads these columns in this order.
RULE_COLUMNS = """
    a.app_id, a.retention_days, a.events_per_second,
    (select coalesce(json_agg(json_build_array(f.kind, f.pattern) order by f.kind, f.pattern), '[]')
     from control.filter f where f.app_id = a.app_id),
    (select coalesce(json_agg(json_build_array(p.event_type, p.schema, p.action) order by p.event_type), '[]')
     from control.tracking_plan p where p.app_id = a.app_id),
    (select coalesce(json_agg(encode(s.id_sha256, 'hex')), '[]') from control.suppression s where s.app_id = a.app_id),
    (select salt from control.erasure_salt)
"""
_ALL = f"select {RULE_COLUMNS} from control.app a where a.deleted_at is null"  # noqa: S608 - our own text, no input

log = structlog.get_logger(__name__)


def app_rules(connection: psycopg.Connection[Any]) -> Mapping[str, AppRules]:
    """What validation needs of every app that accepts events."""
    rules = (rules_of(*row) for row in connection.execute(_ALL).fetchall())
    return {one.app_id: one for one in rules}


def rules_of(
    app_id: str,
    retention_days: int,
    events_per_second: int,
    filters: list[tuple[str, str]],
    plan: list[tuple[str, str, str]],
    suppressed: list[str],
    salt: bytes | None,
) -> AppRules:
    """Rules of one app, of a row of RULE_COLUMNS."""
    left_out = filters_of(filters)
    if suppressed and salt is not None:
        people = Suppression(bytes(salt), frozenset(map(bytes.fromhex, suppressed)))
        left_out = replace(left_out, people=people)
    return AppRules(app_id, retention_days, left_out, _plan_of(app_id, plan), events_per_second)


def _plan_of(app_id: str, rows: list[tuple[str, str, str]]) -> TrackingPlan | None:
    types: dict[str, PlannedType] = {}
    for event_type, schema, action in rows:
        planned = PlannedType(schema.encode(), PlanAction(action))
        try:
            planned.compile()
        except EventmillError:
            # Checked when it was set, so an upgrade has changed the rules: no reason to take no events any more.
            log.exception("part of a tracking plan is ignored", app_id=app_id, event_type=event_type)
        else:
            types[event_type] = planned
    return TrackingPlan(types) if types else None
