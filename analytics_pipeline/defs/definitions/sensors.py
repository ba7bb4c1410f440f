"""Asks for runs while saved cohorts and funnels are due: one query a tick, and at most one run of each kind."""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

import dagster as dg

from analytics_pipeline import definition_versions
from analytics_pipeline.defs.definitions.jobs import refresh_jobs
from analytics_pipeline.goals import ask_for_new
from analytics_pipeline.stores import definitions
from analytics_pipeline.stores.definitions import Due
from eventmill import warehouse
from eventmill.settings import Settings

_SECONDS = 15
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_KINDS = {
    "cohorts": (definitions.COHORT, definition_versions.of_cohorts),
    "funnels": (definitions.FUNNEL_STEP, definition_versions.of_funnels),
}


def sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor on saved definitions."""

    @dg.sensor(
        name="saved_definitions",
        jobs=refresh_jobs(),
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Computes saved cohorts and funnels that are new, or more than five minutes behind the lake,"
        " and asks for the days of new goals.",
    )
    def saved_definitions(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(UTC)
        with closing(warehouse.connect(settings)) as connection:
            # The sensor on the lake's commits asks for runs of the days.
            ask_for_new(connection, now)
            connection.commit()
            wanted = {
                kind: definitions.due(connection, table, version(), now) for kind, (table, version) in _KINDS.items()
            }
        requests = [
            dg.RunRequest(job_name=f"refresh_{kind}", run_key=_run_key(kind, due, now))
            for kind, due in wanted.items()
            if due and not _is_busy(context, kind)
        ]
        return dg.SensorResult(run_requests=requests) if requests else dg.SkipReason("No definition is due.")

    return [saved_definitions]


def _run_key(kind: str, due: Sequence[Due], now: datetime) -> str:
    """The same definitions are asked for once in five minutes, even if their run fails."""
    ids = hashlib.sha256("".join(sorted(str(one.id) for one in due)).encode()).hexdigest()[:12]
    return f"{kind}:{ids}:{now.timestamp() // definitions.EVERY.total_seconds():.0f}"


def _is_busy(context: dg.SensorEvaluationContext, kind: str) -> bool:
    """Whether a run of the kind waits or goes on: it computes what is due when it starts."""
    busy = dg.RunsFilter(job_name=f"refresh_{kind}", statuses=_UNFINISHED)
    return context.instance.get_runs_count(busy) > 0
