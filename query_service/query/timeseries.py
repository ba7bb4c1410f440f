"""Events over time, of one type or all: the question of `/api/metrics/timeseries`."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from eventmill.contracts import limits
from query_service.query.model import GRANULARITIES, Parameters, Tenant, hours_or_days, name_of
from query_service.query.periods import AUTO, Granularity, of_few_points
from query_service.query.ranges import DEFAULT_DAYS, MAX_DAYS, DateRange, InstantRange, date_range, hour_range

LONGER: tuple[Granularity, ...] = ("week", "month")


@dataclass(frozen=True, slots=True)
class TimeseriesQuery:
    """Events per hour, day, week or month, of one event type or of all (None)."""

    tenant: Tenant
    # Days and longer by date, hours by instant.
    range: DateRange | InstantRange
    event_type: str | None = None
    granularity: Granularity = "day"


def timeseries_query(parameters: Parameters, tenant: Tenant, now: datetime) -> TimeseriesQuery:
    """Parameters event_type, start, end, granularity. Raises InvalidParameter."""
    event_type = name_of("event_type", parameters.get("event_type"), limits.MAX_EVENT_TYPE)
    granularity = parameters.get("granularity") or "day"
    if granularity == AUTO:
        asked, chosen = _downsampled(parameters, tenant, now)
        return TimeseriesQuery(tenant, asked, event_type, chosen)
    longer = next((grain for grain in LONGER if grain == granularity), None)
    if longer is not None:
        days = date_range(parameters.get("start"), parameters.get("end"), now, tenant.time_zone)
        return TimeseriesQuery(tenant, days, event_type, longer)
    asked = hours_or_days(parameters, tenant, now, (*GRANULARITIES, *LONGER, AUTO))
    return TimeseriesQuery(tenant, asked, event_type, "hour" if granularity == "hour" else "day")


def _downsampled(parameters: Parameters, tenant: Tenant, now: datetime) -> tuple[DateRange | InstantRange, Granularity]:
    """The range in whole hours, or days where those were many, and the granularity of few points."""
    zone, start = tenant.time_zone, parameters.get("start")
    if start is None:
        start = (now.astimezone(zone).date() - timedelta(days=DEFAULT_DAYS)).isoformat()
    hours = hour_range(start, parameters.get("end"), now, zone, MAX_DAYS)
    chosen = of_few_points(hours.end - hours.start)
    if chosen in {"minute", "hour"}:
        return hours, "hour"
    first, last = (at.astimezone(zone).date() for at in (hours.start, hours.end - timedelta(microseconds=1)))
    return DateRange(first, last + timedelta(days=1), zone), chosen
