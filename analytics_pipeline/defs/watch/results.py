"""Reads from Dagster how its checks and freshness policies stand."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from analytics_pipeline.defs.watch.checks import FINDINGS
from analytics_pipeline.stores.check_results import CheckResult

FRESHNESS = "freshness"
# A check that has not come to an end by now never will.
LONGEST_RUN = timedelta(hours=1)
_EVALUATED = (AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED)


def latest_results(
    instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey], assets: Sequence[dg.AssetKey], now: datetime
) -> list[CheckResult]:
    """The latest finished evaluation of each check, and the state of each asset's freshness policy."""
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(checks)
    found = [result for record in records.values() if (result := _result(instance, record, now)) is not None]
    return [*found, *_freshness(instance, assets)]


def _result(instance: dg.DagsterInstance, record: AssetCheckExecutionRecord, now: datetime) -> CheckResult | None:
    if record.status is AssetCheckExecutionRecordStatus.PLANNED:
        planned_at = datetime.fromtimestamp(record.create_timestamp, UTC)
        if now - planned_at > LONGEST_RUN:
            # It ended with an error of its own, and says nothing of the numbers.
            return CheckResult(record.key.asset_key.to_user_string(), record.key.name, False, "WARN", None, planned_at)
        record = _before(instance, record)
    if record is None or record.status not in _EVALUATED or record.evaluation is None:
        return None
    evaluation = record.evaluation
    return CheckResult(
        evaluation.asset_key.to_user_string(),
        evaluation.check_name,
        evaluation.passed,
        evaluation.severity.value,
        _findings(evaluation.metadata),
        datetime.fromtimestamp(record.create_timestamp, UTC),
    )


def _before(instance: dg.DagsterInstance, record: AssetCheckExecutionRecord) -> AssetCheckExecutionRecord | None:
    """While a check runs, what it said the last time holds."""
    history = instance.event_log_storage.get_asset_check_execution_history(record.key, limit=5)
    return next((one for one in history if one.status in _EVALUATED), None)


def _findings(metadata: Mapping[str, dg.MetadataValue]) -> dict[str, list[str]] | None:
    found = metadata.get(FINDINGS)
    if not isinstance(found, dg.JsonMetadataValue) or not isinstance(found.data, dict):
        return None
    return {str(app_id): [str(line) for line in lines] for app_id, lines in found.data.items()}


def _freshness(instance: dg.DagsterInstance, assets: Sequence[dg.AssetKey]) -> Iterable[CheckResult]:
    """A policy that is broken is a warning: where nothing happens nothing has to be computed."""
    for key, record in instance.get_freshness_state_records(list(assets)).items():
        if record.freshness_state in {FreshnessState.PASS, FreshnessState.WARN, FreshnessState.FAIL}:
            is_fresh = record.freshness_state is FreshnessState.PASS
            yield CheckResult(key.to_user_string(), FRESHNESS, is_fresh, "WARN", None, record.updated_at)
