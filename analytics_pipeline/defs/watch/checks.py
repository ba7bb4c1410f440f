"""Checks of what was computed lately: nulls and domains, plausible uniques, usual volume. None of them blocks."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg

from analytics_pipeline.defs.lake.assets import EVENTS
from analytics_pipeline.defs.resources import LakeEngine
from analytics_pipeline.defs.rollups.assets import DAILY_KEY, HOURLY_KEY
from analytics_pipeline.defs.watch.assets import HOURLY_ANOMALY
from analytics_pipeline.engines import lake_domain
from analytics_pipeline.lib.anomaly import is_news
from analytics_pipeline.stores import plausibility
from eventmill import warehouse
from eventmill.settings import load_settings

VOLUME, COLUMNS = "volume_is_usual", "columns_are_in_domain"
# What a check puts into its result beside the text: app id -> lines, so that an app's own key shows its own only.
FINDINGS = "findings"
_SESSIONS = dg.AssetKey(["rollups", "sessions"])
_GOALS = dg.AssetKey(["rollups", "goal_metric"])
_COHORTS = dg.AssetKey(["definitions", "cohorts"])
_FUNNELS = dg.AssetKey(["definitions", "funnels"])
# File of `stores/checks` -> the asset it is about, and what it says.
PLAUSIBLE: Mapping[str, tuple[dg.AssetKey, str]] = {
    "counts_are_in_domain": (HOURLY_KEY, "No count is negative, or larger than what it is a part of; every grain."),
    "users_are_visitors": (HOURLY_KEY, "There are never more users than visitors; every grain."),
    "cuts_add_up": (HOURLY_KEY, "A dimension's events add up to the total; every grain."),
    "periods_agree_with_their_parts": (
        DAILY_KEY,
        "A day, week or month has the events of its parts, at least the most uniques of one, at most their sum.",
    ),
    "session_sums_are_in_domain": (_SESSIONS, "Bounces are sessions with a view; entries add up to the total."),
    "sessions_started_are_sessions": (_SESSIONS, "No more sessions start on a day than have an event on it."),
    "goals_are_in_domain": (_GOALS, "Sessions that reached a goal are sessions that started on that day."),
    "retention_is_in_domain": (_COHORTS, "Nobody returns who was not there; on_or_after never rises."),
    "funnels_never_widen": (_FUNNELS, "Whoever did a step did those before it."),
}


def checks() -> list[dg.AssetChecksDefinition]:
    """All of them; the schedule `rollup_checks` runs them every hour."""
    plausible = [_plausible(name, asset, text) for name, (asset, text) in PLAUSIBLE.items()]

    @dg.asset_check(asset=EVENTS.key, name=COLUMNS, blocking=False)
    def columns(engine: LakeEngine) -> dg.AssetCheckResult:
        """The newest files of the lake hold what the contract allows: nothing missing, nothing out of bounds."""
        refresher = engine.refresher()
        with refresher.connect() as duck:
            paths = lake_domain.newest_files(refresher.snapshot())
            broken = lake_domain.broken_rows(duck, paths)
        found: dict[str, list[str]] = {}
        for app_id, rule, events in broken:
            found.setdefault(app_id, []).append(f"{rule}: {events:,} events")
        return dg.AssetCheckResult(**result_of(found))

    @dg.asset_check(asset=HOURLY_ANOMALY.key, name=VOLUME, blocking=False)
    def volume() -> dg.AssetCheckResult:
        """Every app's last complete hour has a usual number of events."""
        with closing(warehouse.connect(load_settings())) as connection:
            return dg.AssetCheckResult(**volume_of(unusual_volume(connection, datetime.now(UTC))))

    return [*plausible, columns, volume]


def keys() -> list[dg.AssetCheckKey]:
    """The keys of all of them."""
    plausible = [dg.AssetCheckKey(asset, name) for name, (asset, _) in PLAUSIBLE.items()]
    return [
        *plausible,
        dg.AssetCheckKey(EVENTS.key, COLUMNS),
        dg.AssetCheckKey(HOURLY_ANOMALY.key, VOLUME),
    ]


def _plausible(name: str, asset: dg.AssetKey, text: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset, name=name, description=text, blocking=False)
    def check() -> dg.AssetCheckResult:
        with closing(warehouse.connect(load_settings())) as connection:
            return dg.AssetCheckResult(**result_of(plausibility.implausible(connection, name)))

    return check


def unusual_volume(connection: psycopg.Connection, now: datetime) -> plausibility.Findings:
    """Apps whose last complete hour of the last three has unusually many or few events, more than chance explains."""
    rows = connection.execute(
        "select app_id, period_start, current_value, expected_value from (select distinct on (app_id) *"
        "  from rollups.hourly_anomaly where metric = 'events' and not is_partial and period_start > %s"
        "  order by app_id, period_start desc) as last where is_anomaly order by app_id",
        [now - timedelta(hours=3)],
    ).fetchall()
    return {
        app_id: [f"{start.isoformat(timespec='minutes')}: {current:,} events, {expected:,.0f} are usual"]
        for app_id, start, current, expected in rows
        if is_news(current, expected)
    }


def volume_of(found: plausibility.Findings) -> dict[str, object]:
    """What the check says of unusual volume: the world may have changed, so it warns."""
    return {**result_of(found), "severity": dg.AssetCheckSeverity.WARN}


def result_of(found: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """What a check says of findings: the first ones on its face, all of them in its metadata."""
    lines = [f"{app_id}: {line}" for app_id, lines in sorted(found.items()) for line in lines]
    rest = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
    return {
        "passed": not lines,
        "severity": dg.AssetCheckSeverity.ERROR,
        "description": "; ".join(lines[:3]) + rest if lines else None,
        "metadata": {
            "wrong": dg.MetadataValue.md("\n".join(f"- {line}" for line in lines) or "none"),
            FINDINGS: dg.MetadataValue.json({app_id: list(lines) for app_id, lines in found.items()}),
        },
    }
