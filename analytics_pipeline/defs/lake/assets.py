"""The lake's tables."""

import dagster as dg

EVENTS = dg.AssetSpec(
    key=["lake", "events"],
    group_name="lake",
    kinds={"deltalake"},
    description="One row per stored event, appended by the writer, exactly once and for good.",
)


def assets() -> list[dg.AssetSpec]:
    """External assets: the writer fills them, Dagster does not."""
    return [EVENTS]
