"""A query service over three days of a shop, as its users meet it: a URL, keys, and numbers from real marts."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import psycopg

from eventmill.control.apps import create_app
from eventmill.control.credentials import issue_key
from eventmill.settings import Settings

DAYS = (date(2026, 3, 7), date(2026, 3, 8), date(2026, 3, 9))
NEW_YORK_MIDNIGHTS = (
    datetime(2026, 3, 7, 5, tzinfo=UTC),
    datetime(2026, 3, 8, 5, tzinfo=UTC),
    datetime(2026, 3, 9, 4, tzinfo=UTC),
    datetime(2026, 3, 10, 4, tzinfo=UTC),
)
COMPLETE = datetime(2026, 3, 9, 12, tzinfo=UTC)
DIRTY = datetime(2026, 3, 9, 11, tzinfo=UTC)
SPAN = {"start": "2026-03-07", "end": "2026-03-10"}


@dataclass(frozen=True)
class Service:
    """A running query service and keys for it: `keys` by name."""

    url: str
    settings: Settings
    keys: dict[str, str]

    def get(self, path: str, key: str | None = "read", **parameters: Any) -> httpx.Response:
        headers = {} if key is None else {"Authorization": f"Bearer {self.keys.get(key, key)}"}
        return httpx.get(self.url + path, headers=headers, params=parameters)

    def data(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        response = self.get(path, **parameters)
        assert response.status_code == 200, response.text
        rows: list[dict[str, Any]] = response.json()["data"]
        return rows

    def problem(self, path: str, **parameters: Any) -> tuple[int, str | None, str]:
        response = self.get(path, **parameters)
        assert response.headers["content-type"] == "application/problem+json"
        body = response.json()
        assert body["status"] == response.status_code
        return response.status_code, body.get("field"), body.get("rule", "")


def make_apps(address: str) -> dict[str, str]:
    """Apps shop (New York), blog (UTC) of one organisation, rival of another one; keys by name."""
    with psycopg.connect(address) as connection:
        _, shop = create_app(connection, "Shop", app_id="shop", time_zone="America/New_York")
        _, blog = create_app(connection, "Blog", app_id="blog")
        _, rival = create_app(connection, "Rival", app_id="rival", org_id="elsewhere")
        return {
            "read": shop.read_key,
            "admin": shop.admin_key,
            "write": shop.write_key,
            "blog": blog.read_key,
            "rival": rival.read_key,
            "both": issue_key(connection, "default", "read", ["shop", "blog"]),
        }


def fill(rollups: Any) -> None:
    """Three days of the shop around the start of summer time; one day of the rival."""
    for day, start, events in zip(DAYS[:2], NEW_YORK_MIDNIGHTS[:2], (9, 4), strict=True):
        place = {"local_date": day, "period_start": start}
        people = {"users": 1, "visitors": 3, "sessions": 2, "page_views": 5}
        for dimension, value, count in [
            ("total", None, events),
            ("source", "web", events - 1),
            ("source", "server", 1),
            ("event_name", "buy", 2),
            ("event_name", "all", 1),
            ("source_event_name", json.dumps(["web", "buy"], separators=(",", ":")), 2),
            ("event_type", "page_view", events - 2),
            ("event_type", "purchase", 2),
        ]:
            rollups.metric("all", dimension, value, events=count, **place)
            rollups.metric("human", dimension, value, events=count, **people, **place)
        for page, views in [("/", 3), ("/cart", 2)]:
            rollups.metric("human", "page_url", page, page_views=views, visitors=2, **place)
        rollups.sessions("human", "entry_page", "/", sessions_started=3, bounces=1, duration_seconds=45.0, **place)
        period = {"table_name": "metric", "app_id": "shop", "grain": "day", "period_start": start, "local_date": day}
        versions = {"wanted_version": 5, "computed_version": 5, "definition_version": "d1"}
        rollups.insert("rollups.periods", period | versions | {"period_end": start + timedelta(days=1)})
    for hour_utc, local_hour, offset, events in [(6, 1, -300, 2), (7, 3, -240, 7)]:
        start = datetime(2026, 3, 8, hour_utc, tzinfo=UTC)
        place = {"grain": "hour", "period_start": start, "local_date": DAYS[1], "local_hour": local_hour}
        rollups.metric("all", "event_type", "page_view", events=events, **place, utc_offset_minutes=offset)
    rollups.metric("all", "total", None, app_id="rival", events=1000, local_date=DAYS[0])
    fill_accounts(rollups)
    rollups.execute("insert into rollups.lake_progress values (true, 5, %(at)s, now(), 5)", {"at": COMPLETE})


def fill_accounts(rollups: Any) -> None:
    """Three hours of arrival of the shop: two on 7 March, the second with bad events; the last one does not balance."""
    for start, received, quarantined, filtered, later, missing in [
        (datetime(2026, 3, 7, 6, tzinfo=UTC), 100, 0, 0, 0, 0),
        (datetime(2026, 3, 8, 4, tzinfo=UTC), 50, 5, 2, 3, 0),
        (datetime(2026, 3, 8, 12, tzinfo=UTC), 10, 0, 0, 0, 1),
    ]:
        stored = received - quarantined - filtered
        row = {"app_id": "shop", "hour": start, "received": received, "stored": stored, "window_duplicate": 0}
        row |= {"quarantined": quarantined, "filtered": filtered, "flagged": 1, "lake_version": 5}
        rollups.insert(
            "rollups.ingest_accounting",
            row | dict.fromkeys(["last_received_at", "told_until"], start + timedelta(minutes=40)),
        )
        counted = {"app_id": "shop", "period_start": start, "received_hour": start, "events": stored - later - missing}
        rollups.insert("rollups.counted_arrival", counted | {"computed_at": COMPLETE})
        for outcome, reason, events in [
            ("quarantined", "too_old", quarantined - 1),
            ("quarantined", "too_deep", 1),
            ("filtered", "host", filtered),
        ]:
            if quarantined:
                why = {"app_id": "shop", "hour": start, "outcome": outcome, "reason": reason, "events": events}
                rollups.insert("rollups.ingest_reason", why | {"lake_version": 5})
        if later:
            copy = {"app_id": "shop", "home_hour": start, "received_hour": start, "events": later, "lake_version": 5}
            rollups.insert("rollups.later_duplicate", copy)
