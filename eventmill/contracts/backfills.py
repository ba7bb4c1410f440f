"""Names that `eventmill backfill` and the pipeline share: tags of runs at Dagster, and what is backfilled."""

# When the backfill began (RFC 3339): what was computed later is not computed again.
SINCE_TAG = "eventmill/backfill_since"
# Ids of apps, apart by commas; without it all of them.
APPS_TAG = "eventmill/apps"
# First and last local date, apart by two dots.
DATES_TAG = "eventmill/dates"
LANE_TAG = "eventmill/lane"
LANE = "backfill"

# Assets and the grains of their partitions, in the order in which they rest on each other.
ASSETS = (
    ("hourly_metric", "hour"),
    ("daily_metric", "day"),
    ("sessions", "day"),
    ("goal_metric", "day"),
    ("weekly_metric", "week"),
    ("monthly_metric", "month"),
)
PREVIEW_JOB = "backfill_preview"
# Rows of a preview: (app_id, grain, local_date, metric, stored, computed, cells).
PREVIEW_SCHEMA = "backfill_preview"


def job_of(asset: str) -> str:
    """Name of the job that refreshes an asset."""
    return f"refresh_{asset}"
