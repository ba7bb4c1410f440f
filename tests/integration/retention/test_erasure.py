"""A person leaves every store, the others stay, and the accounts still balance."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from analytics_pipeline import commits
from analytics_pipeline.engines.connection import connect
from analytics_pipeline.refresh import Refresher
from eventmill import stream
from eventmill.archive.retention import retain
from eventmill.cli.erase import erase as erase_command
from eventmill.contracts.decode import DecodeContext, EnvelopeContext, Filtered, decode_event
from eventmill.contracts.derive import hour_of
from eventmill.contracts.subjects import STREAM, subject_for
from eventmill.control.rules import app_rules
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, Transaction
from eventmill.erasure import running
from eventmill.erasure.running import erase, found_of
from eventmill.lake import (
    ACTOR_DAYS,
    IDENTITY_MAP,
    QUARANTINE,
    SESSION_DAYS,
    SESSIONS,
    LakeTable,
    TableDefinition,
    lake_directory,
    transaction_id,
)
from eventmill.settings import Settings
from tests.lake_of import Clock, HandMadeLake, event

pytestmark = pytest.mark.integration
NOW = datetime(2026, 5, 12, 14, 20, tzinfo=UTC)
AT = NOW - timedelta(hours=5)
OLD = NOW - timedelta(days=40)
ANN, TABLET, FAMILY = "ann@example.org", "device-of-ann", "device-of-the-family"


def put(settings: Settings, definition: TableDefinition, rows: list[dict[str, Any]], partition: dict[str, str]) -> None:
    """Append rows to a table; what they leave out is null or a value that does not matter."""
    table = LakeTable(lake_directory(settings), definition)
    plain = {"string": "x", "bool": False, "int64": 1, "double": 1.0, "int32": 1}
    columns = definition.file_columns
    defaults = {field.name: None if field.nullable else plain.get(str(field.type), AT) for field in columns}
    file = write_data_file(
        table.directory,
        pa.Table.from_pylist([defaults | row for row in rows], schema=columns),
        partition,
        definition.statistics,
    )
    table.append(Commit(adds=[file]), table.version())


async def publish(settings: Settings, bodies: list[bytes]) -> datetime:
    client = await stream.connect(settings, "test")
    identity = await stream.ensure_stream(client.jetstream(), settings)
    for body in bodies:
        await client.jetstream().publish(subject_for("shop"), body)
    await client.close()
    return identity.created_at


async def left_in_stream(settings: Settings) -> int:
    client = await stream.connect(settings, "test")
    info = await client.jetstream().stream_info(STREAM)
    await client.close()
    return int(info.state.messages)


@pytest.fixture
def stores(settings: Settings, connection: psycopg.Connection, lake: HandMadeLake) -> None:
    """Ann everywhere, beside Bob; and with both of them the family's device."""
    for day, at in (("old", OLD), ("new", AT)):
        lake.append(
            [
                event(f"{day}1", at, user_id=ANN, anonymous_id=TABLET),
                event(f"{day}2", at, anonymous_id=TABLET),
                event(f"{day}3", at, user_id=ANN, anonymous_id=FAMILY),
                event(f"{day}4", at, user_id="bob", anonymous_id=FAMILY),
                event(f"{day}5", at, anonymous_id=FAMILY),
                event(f"{day}6", at, app_id="east", user_id=ANN),
            ]
        )
    day = {"local_date": "2026-05-12", "app_id": "shop"}
    keys = [("k1", f"u{ANN}"), ("k2", "ubob")]
    put(settings, SESSIONS, [{"session_key": key, "actor": actor} for key, actor in keys], day)
    put(settings, SESSION_DAYS, [{"session_key": key} for key, _ in keys], day)
    put(settings, ACTOR_DAYS, [{"actor": actor} for _, actor in keys], day)
    pairs = [(ANN, TABLET), (ANN, FAMILY), ("bob", FAMILY)]
    rows = [{"app_id": "shop", "user_id": user, "anonymous_id": device} for user, device in pairs]
    put(settings, IDENTITY_MAP, rows, {})
    raws = [b'{"user_id":"ann@example.org","timestamp":"yesterday"}', b'{"user_id":"bob"', b'{"x":"device-of-ann"']
    rejected = [{"app_id": "shop", "raw": raw, "context": "{}"} for raw in raws]
    put(settings, QUARANTINE, rejected, {"received_date": "2026-05-12"})
    created_at = asyncio.run(publish(settings, [b'{"user_id":"bob"}', b'[{"user_id":"ann@example.org"}]']))
    cursor = Transaction(transaction_id(created_at), 2)
    lake.table.append(Commit(transaction=cursor), lake.table.version())
    commits.notice(settings, connection, 0, NOW)
    connection.execute("update rollups.periods set dirty_since = null")


def bytes_of(directory: Path) -> bytes:
    """Every value of every Parquet file below a directory, whether a version of a table names it or not."""
    return b"".join(repr(pq.ParquetFile(file).read().to_pylist()).encode() for file in directory.rglob("*.parquet"))


def users_in(lake: HandMadeLake) -> list[tuple[str, str | None, str | None]]:
    snapshot = lake.table.snapshot()
    names = ["app_id", "user_id", "anonymous_id"]
    files = snapshot.locate(snapshot.files["path"].to_pylist())
    rows = [row for file in files for row in pq.read_table(file, columns=names, partitioning=None).to_pylist()]
    return sorted((tuple(row.values()) for row in rows), key=str)


@pytest.mark.usefixtures("stores")
def test_every_store_forgets_the_person_and_nobody_else(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    retain(settings, NOW)
    certificate = erase(settings, "shop", ANN)
    assert {name: counts["before"] for name, counts in certificate["stores"].items()} == {
        "stream": 1,
        "archive": 3,
        "events": 3,
        "quarantine": 2,
        "identity_map": 2,
        "session_days": 1,
        "sessions": 1,
        "actor_days": 1,
        "actor_first": 0,
    }
    assert {counts["after"] for counts in certificate["stores"].values()} == {0}
    others = [("east", ANN, None), ("east", ANN, None), ("shop", "bob", FAMILY), ("shop", None, FAMILY)]
    assert users_in(lake) == sorted(others, key=str)
    everything = bytes_of(lake_directory(settings)) + bytes_of(Path(settings.archive_address))
    assert TABLET.encode() not in everything
    assert everything.count(ANN.encode()) == 2  # those of the other app
    assert asyncio.run(left_in_stream(settings)) == 1
    kept = connection.execute("select certificate from control.erasure").fetchall()
    assert [one["erasure_id"] for (one,) in kept] == [certificate["erasure_id"]]
    assert ANN not in json.dumps(certificate)
    assert any("archived" in reason for reason in certificate["kept"])


@pytest.mark.usefixtures("stores")
def test_touched_periods_are_computed_again_and_the_accounts_balance(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    clock = Clock()
    refresher = Refresher(settings, partial(connect, settings), partial(connect, settings), clock)

    def counts() -> tuple[int, int, int]:
        refresher.refresh(refresher.hours(AT - timedelta(hours=1), AT + timedelta(hours=1)))
        queries = (
            "select coalesce(sum(events), 0) from rollups.counted_arrival where app_id = 'shop'",
            "select sum(stored) from rollups.ingest_accounting where app_id = 'shop' and hour > %s",
            "select sum(received) from rollups.ingest_accounting where app_id = 'shop' and hour > %s",
        )
        rows = [connection.execute(query, [OLD + timedelta(days=1)] if "%s" in query else None) for query in queries]
        found = [int(row[0]) for result in rows if (row := result.fetchone())]
        return found[0], found[1], found[2]

    assert counts() == (5, 5, 5)
    noticed = lake.table.version()
    erase(settings, "shop", ANN)
    commits.notice(settings, connection, noticed, NOW)
    causes = connection.execute(
        "select distinct grain, cause from rollups.periods where dirty_since is not null and app_id = 'shop'"
        " and table_name = 'metric' and grain in ('hour', 'day') and period_start = any(%s)",
        [[hour_of(AT), AT.replace(hour=0, minute=0)]],
    ).fetchall()
    assert sorted(causes) == [("day", "erasure"), ("hour", "erasure")]
    assert counts() == (2, 2, 2)


@pytest.mark.usefixtures("stores")
def test_a_device_that_was_shared_belongs_to_whoever_is_left_in_every_hour(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake
) -> None:
    refresher = Refresher(settings, partial(connect, settings), partial(connect, settings), Clock())
    alone = AT - timedelta(hours=20)
    lake.version = lake.table.version()
    lake.append([event("alone", alone, anonymous_id=FAMILY)])
    commits.notice(settings, connection, 0, NOW)

    def users() -> list[tuple[int, bool]]:
        return connection.execute(
            "select users, dirty_since is not null from rollups.metric join rollups.periods"
            " using (app_id, grain, period_start) where table_name = 'metric' and app_id = 'shop' and grain = 'hour'"
            " and dimension = 'total' and traffic = 'all' and period_start = %s",
            [hour_of(alone)],
        ).fetchall()

    hours = refresher.hours(hour_of(alone), hour_of(alone) + timedelta(hours=1))
    refresher.refresh(hours)
    assert users() == [(0, False)]
    before = lake.table.version()
    erase(settings, "shop", ANN)
    commits.notice(settings, connection, before, NOW)
    assert users() == [(0, True)]
    refresher.refresh(hours)
    assert users() == [(1, False)]


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("step", ["_certificate", "_keep"])
def test_an_erasure_cut_off_goes_on_with_the_ids_that_it_has_removed(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Cut(Exception):  # noqa: N818 - a power cut is no error
        pass

    def cut(*_: Any, **__: Any) -> None:
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(running, step, cut)
        with pytest.raises(Cut):
            erase(settings, "shop", ANN)
    certificate = erase(settings, "shop", ANN)
    assert certificate["stores"]["events"] == {"before": 6, "after": 0}
    assert certificate["anonymous_ids"] == 1
    assert connection.execute("select count(*) from control.erasure").fetchone() == (1,)
    assert list((settings.state_dir / "erasures").iterdir()) == []
    assert erase(settings, "shop", ANN)["stores"]["events"] == {"before": 0, "after": 0}


@pytest.mark.usefixtures("stores")
def test_a_suppressed_person_is_left_out_from_then_on(settings: Settings, connection: psycopg.Connection) -> None:
    options = ["--app", "shop", "--user", ANN, "--suppress", "--verify", "--json"]
    result = CliRunner().invoke(erase_command, options, obj=settings)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["verified"] is True
    rules = app_rules(connection)

    def decoded(app_id: str, fields: dict[str, str]) -> Any:
        context = DecodeContext(rules[app_id], EnvelopeContext(app_id, NOW))
        return decode_event(json.dumps({"event_type": "click"} | fields).encode(), context)

    for fields in ({"user_id": ANN}, {"anonymous_id": TABLET}):
        assert decoded("shop", fields) == Filtered("suppressed", None)  # type: ignore[arg-type]
        assert not isinstance(decoded("east", fields), Filtered)
    assert not isinstance(decoded("shop", {"user_id": "bob", "anonymous_id": FAMILY}), Filtered)


@pytest.mark.usefixtures("stores")
def test_a_look_changes_nothing(settings: Settings, lake: HandMadeLake) -> None:
    before = users_in(lake)
    result = CliRunner().invoke(erase_command, ["--app", "shop", "--user", ANN, "--dry-run", "--json"], obj=settings)
    assert json.loads(result.stdout)["found"]["events"] == 6
    assert users_in(lake) == before
    assert found_of(settings, "shop", "nobody")["events"] == 0
