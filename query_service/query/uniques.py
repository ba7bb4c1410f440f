"""How far distinct counts hold: ids of visitors without cookies are those of one day.

Who comes back on another day is another visitor there, so what is counted over several days is valid per day alone.
"""

from datetime import datetime, timedelta
from itertools import pairwise

from query_service.query.spec import QuerySpec

# The value of `meta.uniques_scope`.
DAILY = "daily"
_OF_VISITORS = frozenset({"unique_visitors", "unique_sessions", "wau", "mau"})
_LONG = frozenset({None, "week", "month"})
_INSTANT = timedelta(microseconds=1)


def span_days(spec: QuerySpec) -> bool:
    """Whether the question has distinct visitors or sessions of a period that is on several local days."""
    if _OF_VISITORS.isdisjoint(spec.metrics) or spec.granularity not in _LONG:
        return False
    zone = spec.tenant.time_zone

    def is_long(start: datetime, end: datetime) -> bool:
        return start.astimezone(zone).date() < (end - _INSTANT).astimezone(zone).date()

    return any(is_long(start, end) for start, end in pairwise((*spec.buckets, spec.range.instants[1])))
