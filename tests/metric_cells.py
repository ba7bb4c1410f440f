"""Rows that the engines hand out as the cells that the recomputation names."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from tests import oracle


def period_of(row: dict[str, Any]) -> tuple[str, str, datetime]:
    return row["app_id"], row["grain"], row["period_start"].astimezone(UTC)


def cells_of(rows: pa.Table) -> dict[oracle.Cell, oracle.Numbers]:
    return {
        (
            *period_of(row),
            row["traffic"],
            row["dimension"],
            row["value_kind"],
            row["value"],
        ): (row["events"], row["page_views"], row["users"], row["visitors"], row["sessions"])
        for row in rows.to_pylist()
    }
