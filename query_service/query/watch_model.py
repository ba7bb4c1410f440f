"""Questions about what was watched: anomalies and restatements."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from query_service.query import model
from query_service.query.errors import InvalidParameter
from query_service.query.model import EACH, Parameters, Tenant
from query_service.query.ranges import DateRange, InstantRange, date_range, hour_range

METRICS = ("events", "page_views", "unique_visitors", "unique_sessions")
MAX_HOURLY_DAYS = 400
FLAGS = {"true": True, "false": False}
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class AnomalyQuery:
    """Hours of a range beside the weeks before. `metric` None: a row for each."""

    tenant: Tenant
    range: DateRange | InstantRange
    metric: str | None
    is_flagged: bool
    limit: int
    # Start and metric of the last row of the page before.
    after: tuple[datetime, str] | None


@dataclass(frozen=True, slots=True)
class RestatementQuery:
    """Closed periods whose numbers changed in a range of days, the latest first."""

    tenant: Tenant
    range: DateRange
    limit: int
    before_id: int | None


def anomaly_query(parameters: Parameters, tenant: Tenant, now: datetime) -> AnomalyQuery:
    """Parameters metric, flagged, start, end, limit, cursor. Raises InvalidParameter."""
    start, end = parameters.get("start"), parameters.get("end")
    if start is None:
        start = (now.astimezone(tenant.time_zone).date() - timedelta(days=7)).isoformat()
    return AnomalyQuery(
        tenant,
        hour_range(start, end, now, tenant.time_zone, MAX_HOURLY_DAYS),
        metric=_metric(parameters.get("metric")),
        is_flagged=_flag(parameters.get("flagged")),
        limit=_limit(parameters),
        after=_decoded(parameters.get("cursor"), lambda found: (_instant(found[0]), str(found[1]))),
    )


def restatement_query(parameters: Parameters, tenant: Tenant, now: datetime) -> RestatementQuery:
    """Parameters start, end, limit, cursor. Raises InvalidParameter."""
    return RestatementQuery(
        tenant,
        date_range(parameters.get("start"), parameters.get("end"), now, tenant.time_zone),
        limit=_limit(parameters),
        before_id=_decoded(parameters.get("cursor"), lambda found: _row_id(found[0])),
    )


def encoded(*values: object) -> str:
    """A cursor: the text that a client sends back."""
    return base64.urlsafe_b64encode(json.dumps([str(value) for value in values]).encode()).decode()


def _decoded(text: str | None, read: Callable[[Sequence[Any]], Found]) -> Found | None:
    if text is None:
        return None
    try:
        return read(json.loads(base64.urlsafe_b64decode(text.encode())))
    except (binascii.Error, ValueError, TypeError, LookupError):
        raise InvalidParameter("cursor", "The cursor is not one.", "next_cursor of the previous page.") from None


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(text)
    return instant


def _row_id(text: str) -> int:
    row_id = int(text)
    if not 0 <= row_id < 2**63:
        raise ValueError(text)
    return row_id


def _metric(text: str | None) -> str | None:
    if text == EACH:
        return None
    metric = text or "page_views"
    if metric not in METRICS:
        raise InvalidParameter(
            "metric", f"metric={metric!r} is not compared.", f"One of: {EACH}, {', '.join(METRICS)}."
        )
    return metric


def _flag(text: str | None) -> bool:
    if text is not None and text not in FLAGS:
        raise InvalidParameter("flagged", f"flagged={text!r} is neither.", f"One of: {', '.join(FLAGS)}.")
    return FLAGS[text or "false"]


def _limit(parameters: Parameters) -> int:
    return model.number("limit", parameters.get("limit"), model.DEFAULT_ROWS, model.MAX_ROWS)
