"""What history and a larger day cost."""

from datetime import timedelta

from ingest_service.writer.checkpoints import write_checkpoint
from tests.benchmarks.ingest.results import Figure, Outcome, Side, compare
from tests.benchmarks.ingest.room import Room
from tests.benchmarks.transform import lakes
from tests.benchmarks.transform.scale import Scale
from tests.benchmarks.transform.site import HOUR, Site, open_site, seconds

DAY = timedelta(days=1)
MIDNIGHT = HOUR.replace(hour=0)
_HISTORY = Figure("refresh of open periods with history, vs with one day", 1.2, 1.05, is_cost=True)
_DAY = Figure("a day with 10× the events, memory capped", 11, 10, is_cost=True)


def measure_history(room: Room, scale: Scale) -> list[Outcome]:
    """Seconds of a refresh of open periods with a long history in the lake over those with one day."""
    sides: dict[int, list[float]] = {1: [], scale.history_days: []}
    with open_site(room, scale) as short, open_site(room, scale) as long:
        sites = {1: short, scale.history_days: long}
        for days, site in sites.items():
            _prepare(site, scale, days)
        for repeat in range(scale.repeats * 3):
            for days, site in sites.items():
                lakes.fill(site.table, HOUR, DAY / 24, scale.new_events, (repeat + 1) * 10**9, 100_000)
                sides[days].append(seconds(site.refresher.refresh_open))
    title = _HISTORY.title.replace("history", f"{scale.history_days} days of history")
    figure = Figure(title, _HISTORY.must, _HISTORY.aim, is_cost=True)
    short_side, long_side = Side("1 day", "s", sides[1]), Side("history", "s", sides[scale.history_days])
    return [compare(figure, long_side, short_side)]


def _prepare(site: Site, scale: Scale, days: int) -> None:
    """Days of 24 files each, with a checkpoint as the writer keeps them, and the running hour; counted once."""
    lakes.fill(site.table, MIDNIGHT - days * DAY, days * DAY, days * 24 * 2_000, salt=10**12)
    write_checkpoint(site.table)
    lakes.fill(site.table, HOUR, DAY / 24, scale.new_events * 5, salt=2 * 10**12, people=100_000)
    site.refresher.refresh_open()


def measure_day(room: Room, scale: Scale) -> list[Outcome]:
    """Seconds of a day of ten times as many events over those of the smaller one, with capped memory."""
    sides: dict[int, list[float]] = {1: [], 10: []}
    with open_site(room, scale, scale.day_memory) as small, open_site(room, scale, scale.day_memory) as large:
        sites = {1: small, 10: large}
        for times, site in sites.items():
            site.now = HOUR + 3 * DAY
            lakes.fill(site.table, MIDNIGHT, DAY, scale.day_events * times)
        for _ in range(scale.repeats):
            for times, site in sites.items():
                sides[times].append(_recompute(site))
    title = f"{_DAY.title} at {scale.day_memory} ({scale.day_events:,} and {scale.day_events * 10:,} events)"
    figure = Figure(title, _DAY.must, _DAY.aim, is_cost=True)
    return [compare(figure, Side("10×", "s", sides[10]), Side("1×", "s", sides[1]))]


def _recompute(site: Site) -> float:
    site.execute("truncate rollups.metric, rollups.periods")
    days = site.refresher.days(HOUR, HOUR)
    return seconds(lambda: site.refresher.refresh(days))
