"""The latest result of each check, where the query service reads it, and the incidents that follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg
from psycopg.types.json import Jsonb

from analytics_pipeline.stores import incidents
from analytics_pipeline.stores.incidents import Finding, Key

KIND = "check"
# They have news of their own, by app and hour.
TOLD_ELSEWHERE = frozenset({"no_app_is_silent", "validation_slo", "volume_is_usual"})


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's latest evaluation. `findings`: app id -> lines; None where the check does not name apps."""

    asset_key: str
    check_name: str
    has_passed: bool
    severity: Literal["ERROR", "WARN"]
    findings: dict[str, list[str]] | None
    evaluated_at: datetime


def keep(
    connection: psycopg.Connection, results: Sequence[CheckResult], late: Mapping[Key, Finding], now: datetime
) -> None:
    """Replace all that is known by `results`; open and resolve incidents of them and of what is `late`.

    The caller commits.
    """
    names = [f"{one.asset_key} {one.check_name}" for one in results]
    connection.execute("delete from rollups.check_result where not (asset_key || ' ' || check_name = any(%s))", [names])
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into rollups.check_result as old"
            " (asset_key, check_name, has_passed, severity, findings, evaluated_at) values (%s, %s, %s, %s, %s, %s)"
            " on conflict (asset_key, check_name) do update set has_passed = excluded.has_passed,"
            "  severity = excluded.severity, findings = excluded.findings, evaluated_at = excluded.evaluated_at"
            " where old.evaluated_at is distinct from excluded.evaluated_at",
            [_values(one) for one in results],
        )
    firing = {key: finding for one in results for key, finding in _firing(one)}
    incidents.settle(connection, KIND, {**firing, **late}, now)


def _firing(result: CheckResult) -> list[tuple[Key, Finding]]:
    """One incident per app that a failing check names, else one of the installation; warnings make none."""
    if result.has_passed or result.severity == "WARN" or result.check_name in TOLD_ELSEWHERE:
        return []
    subject = f"{result.asset_key} {result.check_name}"
    if not result.findings:
        return [((None, subject), Finding(f"Check {result.check_name} of {result.asset_key} fails"))]
    return [
        ((app_id or None, subject), Finding(f"{app_id}: check {result.check_name} of {result.asset_key} fails", lines))
        for app_id, lines in result.findings.items()
    ]


def _values(result: CheckResult) -> Sequence[object]:
    findings = None if result.findings is None else Jsonb(result.findings)
    identity = [result.asset_key, result.check_name, result.has_passed, result.severity]
    return [*identity, findings, result.evaluated_at]
