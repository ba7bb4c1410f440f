"""Incidents of what arrives: silent apps, and too much in quarantine."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import psycopg

from analytics_pipeline.stores import incidents
from analytics_pipeline.stores.accounts import BrokenSlo
from analytics_pipeline.stores.incidents import Finding, Key

SILENCE, SLO = "silence", "slo"
# A few events in an hour say little: where fewer arrived, a broken SLO is no news.
MANY = 100


def settle_silence(connection: psycopg.Connection, silent: Mapping[str, datetime], now: datetime) -> None:
    """One incident a silent app, over when an event arrives. The caller commits."""
    firing: dict[Key, Finding] = {
        (app_id, "silent"): Finding(
            f"{app_id} is silent",
            [f"No events since {since.isoformat(timespec='minutes')}"],
            {"silent_since": since.isoformat()},
        )
        for app_id, since in silent.items()
    }
    incidents.settle(connection, SILENCE, firing, now)


def settle_slo(connection: psycopg.Connection, broken: Sequence[BrokenSlo], now: datetime) -> None:
    """One incident an app, over once neither the running hour nor the one before breaks it. The caller commits."""
    firing: dict[Key, Finding] = {}
    for one in broken:
        if one.received >= MANY:
            details = {"hour": one.hour.isoformat(), "received": one.received, "quarantined": one.quarantined}
            title = f"{one.app_id}: more than 1 % of the events are in quarantine"
            firing[one.app_id, "validation"] = Finding(title, [str(one)], details)
    incidents.settle(connection, SLO, firing, now)
