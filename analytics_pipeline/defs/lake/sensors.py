"""Notices commits and requests the runs that bring what they touched up to date."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from typing import get_args

import dagster as dg

from analytics_pipeline import commits
from analytics_pipeline.defs import partitions
from analytics_pipeline.defs.lake.assets import EVENTS
from analytics_pipeline.defs.rollups.jobs import job_name, refresh_jobs
from analytics_pipeline.defs.upkeep.jobs import RECONCILE
from analytics_pipeline.lib import lanes
from analytics_pipeline.lib.lanes import LANE_TAG, Request
from analytics_pipeline.lib.period_tables import Lane
from analytics_pipeline.stores import dirty_periods
from analytics_pipeline.stores.dirty_periods import DirtyPeriod
from eventmill import warehouse
from eventmill.control import reconciliation
from eventmill.settings import Settings

_WAITING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
_RUNNING = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
# A request that failed is made again after this long.
_ATTEMPT_SECONDS = 900
_MAX_REQUESTS = 20
# Behind a run a lane rests as long as that took, so that none takes the processor all the time: closed hours are wanted
# within a minute, all else within minutes.
_LONGEST_REST_SECONDS = {"closed": 20.0}
_LONGEST_REST_OF_OTHERS = 300.0


def sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor on the lake's commits."""

    @dg.sensor(
        name="lake_commits",
        jobs=[*refresh_jobs(), RECONCILE],
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Turns commits since its cursor into dirty periods and few ranged runs.",
    )
    def lake_commits(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.now(UTC)
        since = int(context.cursor or 0)
        with closing(warehouse.connect(settings, autocommit=True)) as connection:
            silent_until = asyncio.run(commits.silence_until(settings))
            version = commits.notice(settings, connection, since, now, silent_until)
            comparison = reconciliation.wanted_at(connection)
            requests = lanes.plan(
                _with_partition(context, settings, dirty_periods.dirty(connection), version > since), now
            )
        return dg.SensorResult(
            run_requests=[
                *(_run_request(request, now) for request in _launchable(context.instance, requests, now)),
                *([_comparison(comparison, now)] if comparison else []),
            ],
            cursor=str(version),
            asset_events=[_materialization(version)] if version > since and requests else [],
        )

    return [lake_commits]


def _with_partition(
    context: dg.SensorEvaluationContext, settings: Settings, dirty: list[DirtyPeriod], is_news: bool
) -> list[DirtyPeriod]:
    """Dirty periods that can be computed: a later EVENTMILL_HISTORY_START or lake floor must not stop the others.

    The others are told of where something `is_news`, not every second.
    """
    found = [one for one in dirty if lanes.partition_of(one) >= partitions.first_partition(one.grain, settings)]
    if is_news and len(found) < len(dirty):
        context.log.warning(
            "%d dirty periods lie before EVENTMILL_HISTORY_START=%s and wait.",
            len(dirty) - len(found),
            settings.history_start,
        )
    if is_news and (below := [one for one in found if one.is_below_floor]):
        first, last = min(one.start for one in below), max(one.end for one in below)
        context.log.warning(
            "%d dirty periods between %s and %s start before the lake floor of their app and are not computed again:"
            " `eventmill archive restore` brings their raw events back.",
            len(below),
            first,
            last,
        )
    return found


def _launchable(instance: dg.DagsterInstance, requests: list[Request], now: datetime) -> list[Request]:
    """Requests of the lanes in which no run waits: a run that waits will see all that is committed before it starts.

    A long range becomes clean bit by bit: asking for its rest while it runs would compute that twice.
    """
    lane_tags = {LANE_TAG: list(get_args(Lane))}
    runs = instance.get_runs(dg.RunsFilter(tags=lane_tags, statuses=[*_WAITING, *_RUNNING]))
    busy = {run.tags[LANE_TAG] for run in runs if run.status in _WAITING or run.tags[LANE_TAG] != "open"}
    asked_for = {request.lane for request in requests} - busy - {"open"}
    busy |= {lane for lane in asked_for if _rests(instance, lane, now)}
    return [request for request in requests if request.lane not in busy][:_MAX_REQUESTS]


def _rests(instance: dg.DagsterInstance, lane: str, now: datetime) -> bool:
    """Whether the lane's last run has ended more recently than it took."""
    for record in instance.get_run_records(dg.RunsFilter(tags={LANE_TAG: lane}), limit=1):
        if record.start_time and record.end_time:
            longest = _LONGEST_REST_SECONDS.get(lane, _LONGEST_REST_OF_OTHERS)
            return now.timestamp() < record.end_time + min(record.end_time - record.start_time, longest)
    return False


def _run_request(request: Request, now: datetime) -> dg.RunRequest:
    form = partitions.key_format(request.table.grain)
    first, last = request.first.strftime(form), request.last.strftime(form)
    attempt = int(now.timestamp()) // _ATTEMPT_SECONDS
    return dg.RunRequest(
        # What is open becomes dirty again at every commit; a closed range is asked for once a version.
        run_key=None
        if request.lane == "open"
        else f"{request.asset} {first}..{last}@{request.wanted_version}/{attempt}",
        job_name=job_name(request.asset),
        tags={
            LANE_TAG: request.lane,
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last,
            "dagster/priority": "10" if request.lane == "open" else "0",
        },
    )


def _comparison(wanted_at: datetime, now: datetime) -> dg.RunRequest:
    attempt = int(now.timestamp()) // _ATTEMPT_SECONDS
    return dg.RunRequest(run_key=f"reconcile {wanted_at.isoformat()}/{attempt}", job_name=RECONCILE.name)


def _materialization(version: int) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(EVENTS.key, metadata={"lake_version": version})
