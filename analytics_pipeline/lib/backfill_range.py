"""Which periods a range of local dates means."""

from datetime import date, timedelta

from analytics_pipeline.lib.calendar import Period


def meets(period: Period, first: date, last: date) -> bool:
    """Whether a local date of `period` lies in `[first, last]`, both included."""
    if period.grain == "week":
        return first - timedelta(days=6) <= period.local_date <= last
    if period.grain == "month":
        return first.replace(day=1) <= period.local_date <= last
    return first <= period.local_date <= last
