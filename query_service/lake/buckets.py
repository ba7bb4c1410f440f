"""The periods of an answer as tables that rows are joined to: Python knows the zone's clock, DuckDB does not."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from query_service.lake.event_sql import MINUTE_US, QUARTER_US
from query_service.query.periods import place_of
from query_service.query.ranges import DateRange, midnight
from query_service.query.spec import QuerySpec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def of_instants(spec: QuerySpec) -> pa.Table:
    """Rows step, bucket: of every quarter of an hour, or minute, in the range."""
    width = MINUTE_US if spec.granularity == "minute" else QUARTER_US
    start, end = ((at - _EPOCH) // _MICROSECOND for at in spec.range.instants)
    starts = [(at - _EPOCH) // _MICROSECOND for at in spec.buckets]
    steps = range(start // width, -(-end // width))
    # A bucket begins at the start of a step, but for the first one, which the range cuts off.
    places = [max(bisect_right(starts, step * width) - 1, 0) for step in steps]
    return pa.table({"step": pa.array(steps, pa.int64()), "bucket": pa.array(places, pa.int32())})


def of_days(spec: QuerySpec, days: DateRange) -> pa.Table:
    """Rows local_date, bucket: of every day of the range."""
    dates = [days.start + timedelta(days=number) for number in range(days.days)]
    places = [place_of(midnight(day, days.time_zone), spec.buckets) for day in dates]
    return pa.table({"local_date": pa.array(dates, pa.date32()), "bucket": pa.array(places, pa.int32())})
