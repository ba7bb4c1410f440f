"""What `eventmill status` prints of the day's arrivals."""

import io
from datetime import UTC, datetime, timedelta

from rich.console import Console

from eventmill.cli import status
from eventmill.cli.output import MIN_WIDTH


def shown(**row: object) -> str:
    counts = {"received": 12_345, "stored": 12_000, "duplicates": 300, "quarantined": 45, "filtered": 0}
    output = io.StringIO()
    table = status._arrivals([{"app_id": "shop", **counts, "last_event_at": None, "silent_since": None} | row])
    Console(file=output, width=MIN_WIDTH).print(table)
    return output.getvalue()


def test_an_apps_day_is_one_line() -> None:
    last = datetime.now(UTC) - timedelta(minutes=3)
    line = shown(last_event_at=last.isoformat()).splitlines()[1]
    assert line.split()[:6] == ["shop", "12,345", "12,000", "300", "45", "0"]
    assert line.rstrip().endswith("s ago")


def test_large_counts_of_a_silent_app_are_not_cut_and_fit_80_columns_where_it_sends() -> None:
    large = {"received": 123_456_789, "stored": 123_456_789}
    silent = shown(**large, last_event_at="2026-05-12T09:30:00+00:00", silent_since="2026-05-12T09:30:00+00:00")
    assert "…" not in silent
    lines = shown(last_event_at=datetime.now(UTC).isoformat()).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80


def test_an_age_is_told_in_its_two_largest_units() -> None:
    now = datetime.now(UTC)
    ages = [status._age((now - timedelta(seconds=seconds)).isoformat()) for seconds in (0, 200, 7300)]
    assert [age.split()[1::2] for age in ages] == [["s"], ["min", "s"], ["h", "min"]]


def test_an_app_without_known_events_is_not_silent() -> None:
    assert "none known" in shown()
    assert "silent" not in shown()


def test_a_silent_app_says_since_when() -> None:
    since = "2026-05-12T09:30:00+00:00"
    assert f"silent since {since}" in shown(last_event_at=since, silent_since=since)
