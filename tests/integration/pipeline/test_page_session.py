"""Sessions of a day by the page they entered on: bounce, duration, entry page."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from analytics_pipeline.refresh import Refresher
from tests.lake_of import NOW, HandMadeLake, event

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([(0, {})], [("/a", 1, 1, 0.0)], id="one view is a bounce"),
        pytest.param([(0, {}), (3, {"page_url": "/b"})], [("/a", 1, 0, 3.0)], id="two views are none"),
        pytest.param([(0, {}), (3, {"event_type": "click"})], [("/a", 1, 0, 3.0)], id="a click is none"),
        pytest.param(
            [(0, {}), (3, {"event_type": "scroll", "properties": '{"interactive": false}'})],
            [("/a", 1, 1, 3.0)],
            id="what is not interactive leaves a bounce",
        ),
        pytest.param(
            [(0, {}), (10, {"event_type": "scroll", "properties": '{"interactive": false}'})],
            [("/a", 1, 0, 10.0)],
            id="ten seconds are none",
        ),
        pytest.param(
            [(0, {}), (60, {"event_type": "paid", "source": "server"})],
            [("/a", 1, 0, 0.0)],
            id="a server event counts against a bounce and moves no end",
        ),
        pytest.param([(0, {"source": "server"})], [], id="a server event opens no session"),
        pytest.param(
            [(0, {"event_type": "screen_view", "page_url": None}), (3, {})],
            [],
            id="the first view is the entry, with a page or without",
        ),
    ],
)
def test_a_session_of_a_page(
    events: list[tuple[int, dict[str, Any]]],
    expected: list[tuple[str, int, int, float]],
    lake: HandMadeLake,
    refresher: Refresher,
    connection: psycopg.Connection,
) -> None:
    lake.append(
        event(f"e{number}", NOW + timedelta(seconds=seconds), **{"session_id": "s", "page_url": "/a"} | fields)
        for number, (seconds, fields) in enumerate(events)
    )
    refresher.refresh_page_sessions(refresher.days(NOW, NOW))
    rows = connection.execute(
        "select page_url, sessions, bounces, duration_seconds from rollups.page_session where traffic = 'human'"
    ).fetchall()
    assert rows == expected
