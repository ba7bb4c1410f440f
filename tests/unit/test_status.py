"""What `eventmill status` prints of the day's arrivals."""

import io
from datetime import UTC, datetime, timedelta

from rich.console import Console

from eventmill.cli import status


def shown(**row: object) -> str:
    counts = {"received": 12_345, "stored": 12_000, "duplicates": 300, "quarantined": 45, "filtered": 0}
    output = io.StringIO()
    table = status._arrivals([{"app_id": "shop", **counts, "last_event_at": None, "silent_since": None} | row])
    Console(file=output, width=120).print(table)
    return output.getvalue()


def test_an_apps_day_is_one_line() -> None:
    last = datetime.now(UTC) - timedelta(minutes=3)
    line = shown(last_event_at=last.isoformat()).splitlines()[1]
    assert line.split()[:6] == ["shop", "12,345", "12,000", "300", "45", "0"]
    assert line.rstrip().endswith("s ago")


def test_an_app_without_events_has_none_yet_and_is_not_silent() -> None:
    assert "none yet" in shown()
    assert "silent" not in shown()


def test_a_silent_app_says_since_when() -> None:
    since = "2026-05-12T09:30:00+00:00"
    assert f"silent since {since}" in shown(last_event_at=since, silent_since=since)
