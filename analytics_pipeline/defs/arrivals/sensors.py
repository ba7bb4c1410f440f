"""Looks for silent apps and broken SLOs every minute, without a run, and says so where something has changed."""

import json
from contextlib import closing
from datetime import UTC, datetime

import dagster as dg

from analytics_pipeline.defs.arrivals import checks
from analytics_pipeline.defs.arrivals.assets import ACCOUNTS
from analytics_pipeline.stores import accounts, news
from eventmill import warehouse
from eventmill.settings import Settings

_SECONDS = 60


def sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor on silence and on the validation SLO."""

    @dg.sensor(
        name="arrivals",
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Evaluates the checks no_app_is_silent and validation_slo, and reports what has changed.",
    )
    def arrivals(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        with closing(warehouse.connect(settings)) as connection:
            silent = accounts.update_silence(connection)
            broken = checks.broken_now(connection)
            news.settle_silence(connection, silent, datetime.now(UTC))
            news.settle_slo(connection, broken, datetime.now(UTC))
            connection.commit()
        found = {checks.SILENCE: checks.silence_of(silent), checks.SLO: checks.slo_of(broken)}
        state = {
            checks.SILENCE: sorted(silent),
            checks.SLO: sorted([one.app_id, one.hour.isoformat()] for one in broken),
        }
        before = json.loads(context.cursor or "{}")
        changed = [name for name, value in state.items() if value != before.get(name)]
        if not changed:
            return dg.SkipReason("Nothing has changed.")
        return dg.SensorResult(
            cursor=json.dumps(state),
            asset_events=[dg.AssetCheckEvaluation(ACCOUNTS.key, name, **found[name]) for name in changed],
        )

    return [arrivals]
