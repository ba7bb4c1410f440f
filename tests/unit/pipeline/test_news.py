"""New numbers are told per app and grain; a broker that is away costs an update, never a refresh."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from analytics_pipeline import news
from analytics_pipeline.lib import calendar
from analytics_pipeline.lib.calendar import Period
from eventmill.settings import Settings
from tests.workers import free_ports

START = datetime(2026, 5, 12, 22, tzinfo=UTC)
PERIODS = [
    *calendar.hours_meeting("shop", ZoneInfo("UTC"), START, START.replace(hour=23, minute=59)),
    *calendar.days_meeting("shop", ZoneInfo("UTC"), START, START.replace(hour=23)),
    *calendar.days_meeting("peak", ZoneInfo("UTC"), START, START.replace(hour=23)),
]


def test_a_message_names_table_grain_and_periods_of_one_app() -> None:
    found = [(app_id, json.loads(body)) for app_id, body in news.updates("metric", PERIODS)]
    day = ["2026-05-12T00:00:00+00:00"]
    hours = ["2026-05-12T22:00:00+00:00", "2026-05-12T23:00:00+00:00"]
    assert found == [
        ("peak", {"table": "metric", "grain": "day", "periods": day}),
        ("shop", {"table": "metric", "grain": "day", "periods": day}),
        ("shop", {"table": "metric", "grain": "hour", "periods": hours}),
    ]


def test_a_broker_that_is_away_is_counted_and_raises_nothing(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    settings = Settings(home=tmp_path, nats_url=f"nats://127.0.0.1:{port}")
    assert news.tell(settings, "metric", PERIODS) == 3


class Writer(news.News):
    """A writer that commits a number of times, and then no more."""

    def __init__(self, commits: int) -> None:
        self.left = commits
        self.told = 0

    async def wait(self, seconds: float) -> bool:  # noqa: ARG002 - as the original
        self.left -= 1
        return self.left >= 0

    async def rest(self, seconds: float) -> None:
        """Not at all."""

    async def tell(self, table_name: str, periods: Sequence[Period]) -> None:  # noqa: ARG002 - as the original
        self.told += len(periods)


def refreshes(commits: int, seconds: float) -> int:
    writer = Writer(commits)
    follow = news.follow(writer, lambda: PERIODS[:1], seconds=seconds, idle_seconds=0.01, rest_seconds=0)
    asyncio.run(follow)
    return writer.told


def test_every_commit_is_followed_by_a_refresh() -> None:
    assert refreshes(commits=3, seconds=60) == 4


def test_a_run_ends_when_its_time_is_over() -> None:
    assert refreshes(commits=1000, seconds=0) == 1
