"""How a run refreshes its partitions: in steps of one transaction each, and telling."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from analytics_pipeline import news
from analytics_pipeline.defs.resources import LakeEngine
from analytics_pipeline.lib.backfill_range import meets
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.lib.lanes import LANE_TAG
from analytics_pipeline.lib.period_tables import PeriodTable
from analytics_pipeline.refresh import Refreshed, Refresher
from analytics_pipeline.stores import backfills
from eventmill import warehouse
from eventmill.contracts.backfills import APPS_TAG, DATES_TAG, LANE, SINCE_TAG

Compute = Callable[[Refresher, Sequence[Period]], Refreshed]
# Dagster's own tag of the runs of a backfill that was started in its UI.
_DAGSTER_BACKFILL = "dagster/backfill"
# Partitions per transaction.
_STEPS = {"hour": timedelta(hours=24), "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=31)}


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a run's tags say of it. `since` is when its backfill began, which skips what was computed after that."""

    lane: str | None
    since: datetime | None
    apps: frozenset[str]
    dates: tuple[date, date] | None

    @classmethod
    def of(cls, context: dg.AssetExecutionContext) -> "Purpose":
        """Read the tags of the context's run."""
        tags = context.run.tags
        since = tags.get(SINCE_TAG)
        begun = datetime.fromisoformat(since) if since else _began(context.instance, tags.get(_DAGSTER_BACKFILL))
        apps = frozenset(filter(None, tags.get(APPS_TAG, "").split(",")))
        first, _, last = tags.get(DATES_TAG, "").partition("..")
        dates = (date.fromisoformat(first), date.fromisoformat(last)) if last else None
        return cls(tags.get(LANE_TAG), begun, apps, dates)

    def refresher(self, engine: LakeEngine) -> Refresher:
        """The refresher of this run. What somebody asked for, and not the sensor, restates by cause `backfill`."""
        refresher = engine.refresher()
        return replace(refresher, cause="backfill") if self.lane in {None, LANE} else refresher

    def wanted(self, refresher: Refresher, table: PeriodTable, periods: Sequence[Period]) -> list[Period]:
        """Those of `periods` that are this run's to compute, none of them below its app's lake floor."""
        mine = [
            period
            for period in periods
            if (not self.apps or period.app_id in self.apps) and (not self.dates or meets(period, *self.dates))
        ]
        with closing(warehouse.connect(refresher.settings)) as connection:
            return backfills.remaining(connection, table, mine, self.since)


def refresh(
    context: dg.AssetExecutionContext, engine: LakeEngine, table: PeriodTable, compute: Compute
) -> dg.MaterializeResult:
    """Compute the periods of the run's partitions step by step; a run that is repeated goes on where it ended."""
    purpose = Purpose.of(context)
    refresher = purpose.refresher(engine)
    window = context.partition_time_window
    # A transaction over days of sessions reads days around it as well.
    step = _STEPS[table.grain] * (4 if table.reach else 1)
    steps = list(_steps(window.start, window.end, step))
    done: list[Refreshed] = []
    untold = 0
    for number, (start, end) in enumerate(steps, 1):
        owned = refresher.periods(table.grain, start, end)
        wanted = purpose.wanted(refresher, table, owned)
        if wanted:
            done.append(compute(refresher, wanted))
            untold += news.tell(refresher.settings, table.table_name, done[-1].periods)
        context.log.info(
            "Step %d of %d, from %s: %d of %d periods computed.", number, len(steps), start, len(wanted), len(owned)
        )
    return dg.MaterializeResult(metadata={**metadata(done), "updates_not_told": untold})


def metadata(done: Sequence[Refreshed]) -> dict[str, int]:
    """What Dagster shows of the refreshes of a run."""
    return {
        "lake_version": max((result.lake_version for result in done), default=0),
        "periods": sum(len(result.periods) for result in done),
        "rows_changed": sum(result.rows_changed for result in done),
        "rows_deleted": sum(result.rows_deleted for result in done),
        "new_lake_rows": sum(result.new_rows for result in done),
    }


def _began(instance: dg.DagsterInstance, backfill_id: str | None) -> datetime | None:
    backfill = instance.get_backfill(backfill_id) if backfill_id else None
    return datetime.fromtimestamp(backfill.backfill_timestamp, UTC) if backfill else None


def _steps(start: datetime, end: datetime, step: timedelta) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        yield start, min(start + step, end)
        start += step
