"""What the accounts of arrivals forget: an erased event was neither received nor stored."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def forgotten(app_id: str, hour: str, events: int, flagged: int = 0) -> dict[str, Any]:
    """An entry of a commit's `accounting` that takes stored events of an hour of arrival (ISO 8601) back.

    So `stored = counted + later_duplicate` holds again once the touched periods are computed.
    """
    return {
        "app_id": app_id,
        "hour": hour,
        "received": -events,
        "stored": -events,
        "window_duplicate": 0,
        "quarantined": {},
        "filtered": {},
        "flagged": -flagged,
        # The accounts keep the latest: this one says nothing new.
        "last_received_at": hour,
    }


def arrivals_of(rows: pa.Table) -> dict[str, int]:
    """UTC hour of arrival (ISO 8601) → rows."""
    hours = pc.floor_temporal(rows["received_at"], unit="hour")
    return {value["values"].isoformat(): value["counts"] for value in pc.value_counts(hours).to_pylist()}
