"""The assets of days, weeks and months, run by Dagster."""

from datetime import timedelta

import dagster as dg
import psycopg
import pytest

from analytics_pipeline.defs.days import assets as day_assets
from analytics_pipeline.defs.resources import lake_engine
from analytics_pipeline.refresh import Refresher
from eventmill.settings import Settings
from tests.lake_of import NOW, HandMadeLake, event

pytestmark = pytest.mark.integration


# Of Dagster's own doing: it calls ranged runs beta, and its resources read what it deprecates.
@pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::DeprecationWarning")
def test_runs_over_ranges_of_days_weeks_and_months_fill_the_rollups(
    settings: Settings,
    lake: HandMadeLake,
    refresher: Refresher,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake.append(event(f"e{days}", NOW - timedelta(days=days), user_id="u") for days in range(3))
    monkeypatch.setenv("EVENTMILL_HOME", str(settings.home))
    monkeypatch.setenv("EVENTMILL_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("EVENTMILL_NATS_URL", str(settings.nats_url))
    # A run is a process of its own that gives way to others; here it is the tests' process.
    monkeypatch.setattr("os.nice", lambda _: 0)
    ranges = {
        "sessions": ("2026-05-10", "2026-05-12"),
        "weekly_metric": ("2026-05-04", "2026-05-11"),
        "monthly_metric": ("2026-05-01", "2026-05-01"),
    }
    assets = day_assets.assets(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        for asset in assets:
            first, last = ranges[asset.key.path[-1]]
            tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
            resources = {"engine": lake_engine(settings)}
            assert dg.materialize(assets, selection=[asset], instance=instance, tags=tags, resources=resources).success
    rows = connection.execute(
        "select grain, local_date::text, events, visitors from rollups.metric"
        " where dimension = 'total' and traffic = 'all' order by grain, local_date"
    ).fetchall()
    assert rows == [("month", "2026-05-01", 3, 1), ("week", "2026-05-04", 1, 1), ("week", "2026-05-11", 2, 1)]
