"""Which periods are dirty, as planning needs to know."""

from dataclasses import dataclass
from datetime import date, datetime

import psycopg

from analytics_pipeline.lib.period_tables import Cause, is_below_floor


@dataclass(frozen=True, slots=True)
class DirtyPeriod:
    """A period whose rollup lags behind the lake. `computed_at` is None where no numbers are there, or wrong ones.

    `late_pending` is the number of its own events that came after it closed; `lake_floor` is the app's.
    """

    table_name: str
    app_id: str
    grain: str
    start: datetime
    end: datetime
    local_date: date
    wanted_version: int
    dirty_since: datetime
    computed_at: datetime | None
    late_pending: int
    cause: Cause
    lake_floor: datetime | None

    @property
    def is_below_floor(self) -> bool:
        """Whether raw events that it needs may have left the lake: it must not be computed again."""
        return is_below_floor(self.table_name, self.grain, self.start, self.end, self.lake_floor)


def dirty(connection: psycopg.Connection) -> list[DirtyPeriod]:
    """Every dirty period, oldest first."""
    rows = connection.execute(
        "select table_name, app_id, grain, period_start, period_end, local_date, wanted_version, dirty_since,"
        # A sign-up makes the days before it stale, not wrong.
        " case when computed_version is not null or cause = 'identity' then computed_at end,"
        " late_pending, cause, lake_floor"
        " from rollups.periods join control.app using (app_id)"
        " where dirty_since is not null and deleted_at is null order by period_start"
    ).fetchall()
    return [DirtyPeriod(*row) for row in rows]
