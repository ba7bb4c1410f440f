"""Retention moves old events to the archive and no number changes; a restore brings them back once."""

import json
import random
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from analytics_pipeline import commits
from analytics_pipeline.engines.connection import connect
from analytics_pipeline.lib.calendar import meeting
from analytics_pipeline.refresh import Refresher
from analytics_pipeline.refresh_days import refresh_days
from analytics_pipeline.refresh_long import refresh_long
from eventmill.archive import parts, restoring, retention
from eventmill.archive.removal import PartRemoval
from eventmill.archive.restoring import restore
from eventmill.archive.retention import retain
from eventmill.archive.store import ArchiveError, ArchiveStore
from eventmill.cli.archive import archive
from eventmill.cli.retention import retention as retention_command
from eventmill.settings import Settings
from tests.lake_of import Clock, HandMadeLake, event, some_events

pytestmark = pytest.mark.integration
NOW = datetime(2026, 5, 12, 14, 20, tzinfo=UTC)
OLD = NOW - timedelta(days=40)
PLACES = ("app_id", "event_id", "stream_seq", "row_no", "received_at", "event_time", "event_date", "event_hour")


def rows_in(lake: HandMadeLake) -> list[tuple[Any, ...]]:
    table = lake.table.directory
    found = pa.concat_tables(
        pq.read_table(table / path, partitioning="hive").select(PLACES[:6])
        for path in lake.table.snapshot().files["path"].to_pylist()
    )
    return sorted(map(tuple, (row.values() for row in found.to_pylist())))


def floor_of(connection: psycopg.Connection, app_id: str = "shop") -> datetime | None:
    row = connection.execute("select lake_floor from control.app where app_id = %s", [app_id]).fetchone()
    assert row is not None
    floor: datetime | None = row[0]
    return floor


def noticed(settings: Settings, connection: psycopg.Connection, lake: HandMadeLake) -> None:
    """As if everything in the lake had been computed."""
    commits.notice(settings, connection, 0, NOW)
    connection.execute("update rollups.periods set dirty_since = null")


def stored(lake: HandMadeLake, settings: Settings, connection: psycopg.Connection) -> None:
    for number, at in enumerate((OLD, OLD + timedelta(hours=2), NOW - timedelta(days=1))):
        lake.append([event(f"{app}{number}", at, app_id=app, user_id="u") for app in ("shop", "peak", "east")])
    noticed(settings, connection, lake)


def test_each_app_keeps_its_own_horizon_in_files_that_they_share(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    stored(lake, settings, connection)
    connection.execute("update control.app set retention_days = 50 where app_id = 'peak'")
    done = retain(settings, NOW)
    assert [(part.app_id, part.rows) for part in done.archived] == [("shop", 2)]
    assert [row[:2] for row in rows_in(lake)] == [
        *(("east", f"east{number}") for number in range(3)),
        *(("peak", f"peak{number}") for number in range(3)),
        ("shop", "shop2"),
    ]
    assert floor_of(connection) == OLD + timedelta(hours=2, microseconds=1)
    assert floor_of(connection, "peak") is None


def test_an_hour_in_which_something_arrived_lately_stays_whole(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    lake.append([event("old", OLD, user_id="u")])
    lake.append([event("late", OLD, user_id="u", received_at=NOW - timedelta(days=3))])
    noticed(settings, connection, lake)
    assert retain(settings, NOW).archived == []
    assert len(rows_in(lake)) == 2


def test_what_still_has_to_be_computed_is_not_archived(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    lake.append([event("old", OLD, user_id="u")])
    assert retain(settings, NOW).archived == []
    noticed(settings, connection, lake)
    connection.execute("update rollups.periods set dirty_since = now() where grain = 'day'")
    assert retain(settings, NOW).archived == []
    connection.execute("update rollups.periods set dirty_since = null")
    assert len(retain(settings, NOW).archived) == 1


def test_a_manifest_lies_beside_each_file_and_says_what_is_in_it(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    stored(lake, settings, connection)
    (part, _) = retain(settings, NOW).archived
    manifest = json.loads(Path(settings.archive_address, part.manifest_path).read_text(encoding="utf-8"))
    assert manifest["sha256"] == part.sha256
    assert manifest["hours"] == {"14": 1, "16": 1}
    assert (
        pq.ParquetFile(Path(settings.archive_address, part.path)).metadata.row_group(0).column(0).compression == "ZSTD"
    )


class Cut(Exception):  # noqa: N818 - a power cut is no error
    """The process ends here."""


@pytest.mark.parametrize(
    "step", ["write_part", "_note", "_remove", "_settle"], ids=["writing", "noting", "removing", "settling"]
)
def test_a_run_cut_off_anywhere_loses_nothing_and_is_taken_up(
    settings: Settings,
    connection: psycopg.Connection,
    lake: HandMadeLake,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    stored(lake, settings, connection)
    before = rows_in(lake)

    def cut(*_: Any) -> None:
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(retention, step, cut)
        with pytest.raises(Cut):
            retain(settings, NOW)
    if len(rows_in(lake)) < len(before):
        assert floor_of(connection, "peak") is not None
    retain(settings, NOW)
    for app_id in ("shop", "peak"):
        restore(settings, app_id, OLD.date(), OLD.date(), now=NOW)
    assert rows_in(lake) == before
    assert floor_of(connection) is None
    known = {part.path for part in parts.list_parts(connection)}
    assert {path for path in ArchiveStore.of(settings).paths() if path.endswith(".parquet")} == known


def test_a_replay_that_comes_in_between_keeps_its_hour_in_the_lake(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(lake, settings, connection)
    really = PartRemoval.run

    def with_replay(removal: PartRemoval) -> bool:
        monkeypatch.undo()
        lake.version = lake.table.version()
        lake.append([event("replayed", OLD, app_id="peak", user_id="u")])
        return really(removal)

    monkeypatch.setattr(PartRemoval, "run", with_replay)
    done = retain(settings, NOW)
    assert [(part.app_id, part.rows) for part in done.given_up] == [("peak", 2)]
    assert [(part.app_id, part.rows) for part in done.archived] == [("shop", 2)]
    assert floor_of(connection, "peak") is None
    assert sum(row[0] == "peak" for row in rows_in(lake)) == 4


def test_a_restore_brings_the_same_rows_back_once_and_the_floor_goes_down(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    lake.append(some_events(random.Random(5), 300, OLD, OLD + timedelta(hours=12)))
    noticed(settings, connection, lake)
    before = rows_in(lake)
    retain(settings, NOW)
    assert {row[0] for row in rows_in(lake)} == {"east"}
    for _ in range(2):
        for app_id in ("shop", "peak"):
            restore(settings, app_id, OLD.date(), OLD.date() + timedelta(days=3), now=NOW)
    assert rows_in(lake) == before
    assert floor_of(connection) is None


def test_what_was_restored_stays_for_its_days_and_is_archived_again_once(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    stored(lake, settings, connection)
    retain(settings, NOW)
    restore(settings, "shop", OLD.date(), OLD.date(), timedelta(days=2), NOW)
    assert retain(settings, NOW + timedelta(days=1)).archived == []
    again = retain(settings, NOW + timedelta(days=3)).archived
    assert [(part.app_id, part.rows) for part in again] == [("shop", 2)]
    assert [part.state for part in parts.list_parts(connection, "shop")] == ["archived"]
    assert len(list(Path(settings.archive_address).rglob("*app_id=shop/*/*.parquet"))) == 1


def test_a_file_that_is_not_what_was_written_is_not_restored(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    stored(lake, settings, connection)
    part = next(part for part in retain(settings, NOW).archived if part.app_id == "shop")
    file = Path(settings.archive_address, part.path)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArchiveError, match="SHA-256"):
        restore(settings, "shop", OLD.date(), OLD.date(), now=NOW)
    assert floor_of(connection) is not None


def test_a_backfill_of_everything_after_retention_changes_no_cell(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    clock = Clock()
    refresher = Refresher(settings, partial(connect, settings), partial(connect, settings), clock)
    lake.append(some_events(random.Random(7), 200, OLD, OLD + timedelta(hours=4)))
    lake.append(
        some_events(random.Random(8), 60, NOW - timedelta(days=4), NOW - timedelta(days=4) + timedelta(hours=2))
    )
    commits.notice(settings, connection, 0, NOW)

    def backfill() -> None:
        for start in (OLD, NOW - timedelta(days=4)):
            end = start + timedelta(hours=5)
            days = refresher.days(start, end)
            refresher.refresh([*refresher.hours(start, end), *days])
            refresh_days(refresher, days)
            weeks = [meeting("week", app, ZoneInfo("UTC"), start, end) for app in ("shop", "peak", "east")]
            refresh_long(refresher, [week for found in weeks for week in found])

    def cells() -> dict[str, list[str]]:
        tables = ("metric", "session_metric", "revenue", "counted_arrival", "later_duplicate")
        found = {}
        for table in tables:
            rows = connection.execute(f"select to_jsonb(t) - 'computed_at' - 'lake_version' from rollups.{table} t")
            found[table] = sorted(json.dumps(row, sort_keys=True) for row in rows.fetchall())
        return found

    backfill()
    connection.execute("update rollups.periods set dirty_since = null")
    before = cells()
    assert {table for table, rows in before.items() if rows} >= {"metric", "session_metric", "counted_arrival"}
    assert retain(settings, NOW).rows > 50
    backfill()
    assert cells() == before
    for app_id in ("shop", "peak"):
        restore(settings, app_id, OLD.date(), NOW.date(), now=NOW)
    backfill()
    assert cells() == before


def test_the_commands_say_what_they_did(settings: Settings, connection: psycopg.Connection, lake: HandMadeLake) -> None:
    old = datetime.now(UTC) - timedelta(days=31)
    lake.append([event("old", old, user_id="u"), event("new", datetime.now(UTC), user_id="u")])
    noticed(settings, connection, lake)
    connection.execute("update rollups.periods set dirty_since = null")
    planned = json.loads(CliRunner().invoke(retention_command, ["run", "--dry-run", "--json"], obj=settings).stdout)
    assert [(one["app_id"], one["rows"]) for one in planned["archived"]] == [("shop", 1)]
    assert len(rows_in(lake)) == 2
    done = json.loads(CliRunner().invoke(retention_command, ["run", "--json"], obj=settings).stdout)
    assert done["rows"] == 1
    listed = json.loads(CliRunner().invoke(archive, ["list", "--app", "shop", "--json"], obj=settings).stdout)
    assert [(one["state"], one["rows"]) for one in listed] == [("archived", 1)]
    dates = ["--from", f"{old:%Y-%m-%d}", "--to", f"{old:%Y-%m-%d}"]
    restored = json.loads(
        CliRunner().invoke(archive, ["restore", "--app", "shop", *dates, "--json"], obj=settings).stdout
    )
    assert restored["rows"] == 1
    assert restored["lake_floor"] is None
    assert restoring.archived(settings, "shop", None, None)[0].state == "restored"
