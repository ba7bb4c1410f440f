"""`/api/quarantine`: rejected events as they were sent, for who has to find out why; for admin keys."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Annotated, Any

from litestar import get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Parameter

from eventmill.contracts.reasons import Reason
from eventmill.lake import QUARANTINE, LakeTable, lake_directory
from eventmill.quarantine import Quarantine, QuarantinedEvent, QuarantineFilter, QuarantineId
from eventmill.settings import Settings
from query_service.auth import require_admin
from query_service.query.errors import InvalidParameter
from query_service.query.model import number
from query_service.query.path import QueryPath, utc_now
from query_service.query.ranges import date_range
from query_service.reader import Reader
from query_service.rest import parameters as p
from query_service.rest.problems import PROBLEMS

DEFAULT_ROWS, MAX_ROWS = 20, 100
DEFAULT_DAYS = 7
MAX_SHOWN_CHARACTERS = 4_000
ReasonOf = Annotated[str | None, Parameter(description="One reason code; all by default.")]
Start = Annotated[str | None, Parameter(description="First day, YYYY-MM-DD in the app's time zone; 7 days ago.")]
Limit = Annotated[str | None, Parameter(description=f"Most rows: {DEFAULT_ROWS}, up to {MAX_ROWS}.")]


@get("/quarantine", summary="Rejected events, the newest first", guards=[require_admin], responses=PROBLEMS)
async def quarantine(
    state: State,
    reader: NamedDependency[Reader],
    app_id: p.AppId = None,
    reason: ReasonOf = None,
    start: Start = None,
    end: p.End = None,
    limit: Limit = None,
) -> dict[str, Any]:
    """Rows `{id, received_at, reason, rule, path, message, event_id, sent, is_cut}`; `sent` is the event itself.

    Needs an admin key: what was sent may name persons. `sent` ends after 4,000 characters (`is_cut`); `eventmill
    quarantine show` has all of it.
    """
    path: QueryPath = state.path
    tenant = await path.tenant({"app_id": app_id}, reader.app_ids)
    now = utc_now()
    first = start or (now.astimezone(tenant.time_zone).date() - timedelta(days=DEFAULT_DAYS)).isoformat()
    days = date_range(first, end, now, tenant.time_zone)
    since, until = days.instants
    wanted = QuarantineFilter(tenant.app_id, _reasons(reason), since, until)
    most = number("limit", limit, DEFAULT_ROWS, MAX_ROWS)
    found = await asyncio.to_thread(_newest, state.settings, wanted, most)
    return {"data": [_row(one) for one in found], "meta": {"as_of": now, "range": days.echo()}}


def _reasons(reason: str | None) -> tuple[str, ...]:
    if reason is None:
        return ()
    if reason not in list(Reason):
        raise InvalidParameter("reason", f"reason={reason[:60]!r} is none.", f"One of: {', '.join(Reason)}.")
    return (reason,)


def _newest(settings: Settings, wanted: QuarantineFilter, most: int) -> Sequence[QuarantinedEvent]:
    """At most so many rows with their bytes, which are read of these rows alone."""
    table = LakeTable(lake_directory(settings), QUARANTINE)
    if not table.exists():
        return []
    stored = Quarantine(table)
    newest = stored.newest(wanted, most)
    if not newest:
        return []
    ids = tuple(QuarantineId.parse(one.id) for one in newest)
    span = QuarantineFilter(wanted.app_id, wanted.reasons, wanted.since, wanted.until, ids)
    whole = {one.id: one for one in stored.events(span)}
    return [whole[one.id] for one in newest]


def _row(one: QuarantinedEvent) -> dict[str, Any]:
    sent = one.raw.decode("utf-8", errors="replace")
    return {
        "id": one.id,
        "received_at": one.received_at.astimezone(UTC),
        "reason": one.reason,
        "rule": Reason(one.reason).rule if one.reason in list(Reason) else None,
        "path": one.path,
        "message": one.message,
        "event_id": one.event_id,
        "sent": sent[:MAX_SHOWN_CHARACTERS],
        "is_cut": len(sent) > MAX_SHOWN_CHARACTERS,
    }
