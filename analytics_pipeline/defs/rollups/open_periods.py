"""A run of the open lane stays for a while and follows the writer's notices.

Starting a run costs a second or two, and asking for one up to five more: a run that is there already refreshes as soon
as the writer has committed. The sensor has the next one wait behind it; without notices it ends, and the sensor alone
is left.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from analytics_pipeline.defs.rollups.runs import metadata
from analytics_pipeline.lib.calendar import Period
from analytics_pipeline.news import News, follow
from analytics_pipeline.refresh import Refreshed, Refresher

SECONDS = 600
IDLE_SECONDS = 15
REST_SECONDS = 1
_REPORT_SECONDS = 60


def keep_up(context: dg.AssetExecutionContext, refresher: Refresher) -> dg.MaterializeResult:
    """Refresh all open hours and days now and after every commit, until nothing has come for a while."""
    summary = _Summary(context)

    def refresh() -> Sequence[Period]:
        result = refresher.refresh_open()
        summary.add(result)
        return result.periods

    async def run() -> int:
        async with News(refresher.settings) as news:
            with _ending_by(news.stop):
                await follow(news, refresh, seconds=SECONDS, idle_seconds=IDLE_SECONDS, rest_seconds=REST_SECONDS)
            return news.failures

    untold = asyncio.run(run())
    return dg.MaterializeResult(metadata={**summary.metadata(), "updates_not_told": untold})


@contextmanager
def _ending_by(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at what ends a run, a shutdown or somebody in the UI: it has succeeded, and is not tried again."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


class _Summary:
    """What many refreshes did, without keeping each; the log hears of it once a minute."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context
        self._count = 0
        self._total = metadata([])
        self._reported_at = time.monotonic()

    def add(self, result: Refreshed) -> None:
        """Count a refresh."""
        self._count += 1
        for name, number in metadata([result]).items():
            self._total[name] = number if name in {"lake_version", "periods"} else self._total[name] + number
        if time.monotonic() - self._reported_at > _REPORT_SECONDS:
            self._reported_at = time.monotonic()
            self._context.log.info("%d refreshes, at lake version %d.", self._count, result.lake_version)

    def metadata(self) -> dict[str, int]:
        """Sums, but for the lake version and the periods, which are those of the last refresh."""
        return {**self._total, "refreshes": self._count}
