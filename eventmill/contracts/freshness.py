"""How fresh each table of periods is meant to be, and when it is late."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Tier:
    """`aim`: within which new events are usually in the numbers. `late`: a period that waits longer is a fault."""

    name: str
    aim: timedelta
    late: timedelta


# Closed hours and days are put together while many change at once, and neighbouring days of sessions for an hour.
COUNTS = Tier("counts", timedelta(seconds=10), timedelta(minutes=15))
SESSIONS = Tier("sessions", timedelta(minutes=15), timedelta(minutes=120))
LONG = Tier("long", timedelta(minutes=15), timedelta(minutes=60))


def tier_of(table_name: str, grain: str) -> Tier:
    """The tier of a table of `rollups.periods` at one grain."""
    if table_name != "metric":
        return SESSIONS
    return COUNTS if grain in {"hour", "day"} else LONG
