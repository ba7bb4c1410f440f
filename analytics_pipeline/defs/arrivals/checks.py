"""Checks of the accounts: both identities, the validation SLO, and silence."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg

from analytics_pipeline.defs.arrivals.assets import ACCOUNTS
from analytics_pipeline.engines.duckdb_sql import definition_version
from analytics_pipeline.stores import accounts
from analytics_pipeline.stores.accounts import BrokenSlo
from analytics_pipeline.stores.news import MANY
from eventmill import warehouse
from eventmill.settings import load_settings

RECENT = timedelta(days=8)
COMPUTED = timedelta(hours=26)
HOUR = timedelta(hours=1)
SLO, SILENCE = "validation_slo", "no_app_is_silent"


def checks() -> list[dg.AssetChecksDefinition]:
    """The identities and the metrics hourly; SLO and silence as well, and by their sensor when something changes."""

    @dg.asset_check(asset=ACCOUNTS.key, name="identities_hold", blocking=False)
    def identities() -> dg.AssetCheckResult:
        """Nothing that arrived is unaccounted for: both identities hold for every complete hour."""
        with closing(warehouse.connect(load_settings())) as connection:
            return identities_of(connection, datetime.now(UTC))

    @dg.asset_check(asset=ACCOUNTS.key, name=SLO, blocking=False)
    def slo() -> dg.AssetCheckResult:
        """At most 1 % of the events of an app that arrived in this hour or the one before are in quarantine."""
        with closing(warehouse.connect(load_settings())) as connection:
            return dg.AssetCheckResult(**slo_of(broken_now(connection)))

    @dg.asset_check(asset=ACCOUNTS.key, name=SILENCE, blocking=False)
    def silence() -> dg.AssetCheckResult:
        """No app that usually sends events has been silent for 3 times the usual gap, at least 15 minutes."""
        with closing(warehouse.connect(load_settings())) as connection:
            silent = accounts.update_silence(connection)
            connection.commit()
        return dg.AssetCheckResult(**silence_of(silent))

    return [identities, slo, silence]


def identities_of(connection: psycopg.Connection, now: datetime) -> dg.AssetCheckResult:
    """Every complete hour of the last days is balanced, and every hour's arrivals are the events that it counts."""
    connection.execute("set transaction isolation level repeatable read")
    compared, wrong = accounts.unbalanced(connection, now - RECENT)
    wrong += accounts.unequal_to_metric(connection, definition_version(), now - COMPUTED)
    return dg.AssetCheckResult(passed=not wrong, metadata={"hours_compared": compared, "wrong": _list(wrong)})


def broken_now(connection: psycopg.Connection) -> list[BrokenSlo]:
    """Broken SLOs of the running hour and the one before."""
    return accounts.broken_slos(connection, datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - HOUR)


def slo_of(broken: Sequence[BrokenSlo]) -> dict[str, object]:
    """What a check says of broken SLOs: a warning where only hours with few events are concerned."""
    findings: dict[str, list[str]] = {}
    for one in broken:
        findings.setdefault(one.app_id, []).append(str(one))
    severe = any(one.received >= MANY for one in broken)
    return {
        "passed": not broken,
        "severity": dg.AssetCheckSeverity.ERROR if severe else dg.AssetCheckSeverity.WARN,
        "description": _first([str(one) for one in broken]),
        "metadata": {
            "broken": _list([str(one) for one in broken]),
            "findings": dg.MetadataValue.json(findings),
        },
    }


def silence_of(silent: Mapping[str, datetime]) -> dict[str, object]:
    """What a check says of silent apps."""
    lines = [f"{app_id}: no events since {since.isoformat()}" for app_id, since in sorted(silent.items())]
    return {
        "passed": not silent,
        "severity": dg.AssetCheckSeverity.ERROR,
        "description": _first(lines),
        "metadata": {
            "silent": _list(lines),
            "findings": dg.MetadataValue.json(
                {app_id: [line] for app_id, line in zip(sorted(silent), lines, strict=True)}
            ),
        },
    }


def _first(lines: Sequence[str]) -> str | None:
    """What is seen at once, in the check's list and in alerts."""
    rest = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
    return "; ".join(lines[:3]) + rest if lines else None


def _list(lines: Sequence[str]) -> dg.MetadataValue:
    return dg.MetadataValue.md("\n".join(f"- {line}" for line in lines) or "none")
