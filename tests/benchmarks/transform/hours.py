"""A busy hour: all of its rollups from the lake, and the same hour open with a few new events."""

import json
import subprocess
import sys
from datetime import timedelta

from tests.benchmarks.ingest.results import Figure, Outcome, Side, compare
from tests.benchmarks.ingest.room import Room, VoidRunError
from tests.benchmarks.transform import lakes
from tests.benchmarks.transform.scale import Scale
from tests.benchmarks.transform.site import HOUR, Site, open_site, seconds

AN_HOUR = timedelta(hours=1)
_FULL = Figure("an hour's rollups from the lake, vs per-row upserts over 16 connections", 100, 300)
_OPEN = Figure("the same hour open with new events, vs the full recompute", 15, 30)


def measure_full(room: Room, scale: Scale) -> list[Outcome]:
    """(event x cut) updates per second of a full recompute, and of one upsert each."""
    ours: list[float] = []
    theirs: list[float] = []
    with open_site(room, scale) as site:
        lakes.fill(site.table, HOUR, AN_HOUR, scale.hour_events)
        for _ in range(scale.repeats):
            took = full_recompute(site)
            ours.append(_updates(site, scale) / took)
            theirs.append(_upserts(site, scale))
    title = f"{_FULL.title} ({scale.hour_events:,} events)"
    figure = Figure(title, _FULL.must, _FULL.aim)
    return [compare(figure, Side("from the lake", "updates/s", ours), Side("upserts", "updates/s", theirs))]


def full_recompute(site: Site) -> float:
    """Seconds from the lake to Postgres for the closed hour, with nothing there before."""
    site.now = HOUR + timedelta(days=2)
    site.execute("truncate rollups.metric, rollups.periods, rollups.counted_arrival")
    hours = site.refresher.hours(HOUR, HOUR + AN_HOUR)
    return seconds(lambda: site.refresher.refresh(hours))


def _updates(site: Site, scale: Scale) -> int:
    ((events, total),) = site.execute(
        "select sum(events), sum(events) filter (where dimension = 'total') from rollups.metric"
        " where grain = 'hour' and traffic = 'all'"
    )
    if int(str(total)) != scale.hour_events:
        raise VoidRunError(f"{total} of {scale.hour_events} events were counted")
    return int(str(events))


def _upserts(site: Site, scale: Scale) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.baselines.row_upserts"]
    command += [str(site.settings.database_url), str(scale.upsert_seconds)]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return float(answer["updates"]) / float(answer["seconds"])


def measure_open(room: Room, scale: Scale) -> list[Outcome]:
    """Seconds of a full recompute over those of a refresh of the open hour, which keeps its day too."""
    full: list[float] = []
    kept: list[float] = []
    salt = 0
    with open_site(room, scale) as site:
        lakes.fill(site.table, HOUR, AN_HOUR, scale.hour_events)
        for _ in range(scale.repeats):
            full.append(full_recompute(site))
            site.now = HOUR + timedelta(minutes=50)
            site.refresher.refresh_open()
            for _ in range(2):  # the first one after a recompute hands everything out again
                salt += 10**9
                lakes.fill(site.table, HOUR, AN_HOUR, scale.new_events, salt, scale.hour_events // 12)
                took = seconds(site.refresher.refresh_open)
            kept.append(took)
    title = f"{_OPEN.title} ({scale.new_events:,} on {scale.hour_events:,})"
    return [compare(Figure(title, _OPEN.must, _OPEN.aim), Side("full", "s", full), Side("open", "s", kept))]
