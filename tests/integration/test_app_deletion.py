"""`eventmill app …`, and what deleting an app leaves behind: nothing."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from psycopg import sql

from eventmill import lake, stream
from eventmill.cli.app import app
from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, decode_event
from eventmill.contracts.event import StoredEvent
from eventmill.contracts.plan import PlanAction
from eventmill.contracts.subjects import STREAM, subject_for
from eventmill.control import apps, filters, plans, replays
from eventmill.control.credentials import issue_key
from eventmill.control.deletion import delete_app
from eventmill.control.replays import Replay
from eventmill.control.rules import app_rules
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, DataFile, Transaction
from eventmill.embedded.nats import NatsServer
from eventmill.embedded.nats_accounts import NatsAccounts, create_seed, public_key
from eventmill.errors import EventmillError, NotReadyError
from eventmill.lake import LakeTable
from eventmill.lake_deletion import AppRemoval
from eventmill.settings import Settings

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rows(app_ids: list[str], sequence: int) -> pa.Table:
    """One stored event an app."""
    found = []
    for row_no, app_id in enumerate(app_ids):
        context = DecodeContext(AppRules(app_id), EnvelopeContext(app_id, NOON))
        event = decode_event(b'{"event_type":"click","user_id":"u"}', context)
        assert isinstance(event, StoredEvent)
        found.append(msgspec.structs.asdict(event) | {"stream_seq": sequence, "row_no": row_no})
    return pa.Table.from_pylist(found, schema=lake.EVENTS.columns).select(lake.EVENTS.file_columns.names)


def write_events(table: LakeTable, transaction: Transaction, files: list[list[str]]) -> list[DataFile]:
    """One commit of files that hold one event of each app named."""
    partition = {"event_date": "2026-03-01", "event_hour": "12"}
    adds = [
        write_data_file(table.directory, rows(app_ids, transaction.version), partition, lake.EVENTS.statistics)
        for app_ids in files
    ]
    table.append(Commit(adds=adds, transaction=transaction), table.version())
    return adds


def test_a_rewritten_file_keeps_its_prefix(settings: Settings, events: LakeTable) -> None:
    partition = {"event_date": "2026-03-01", "event_hour": "12"}
    file = write_data_file(
        events.directory, rows(["blog", "shop"], 1), partition, lake.EVENTS.statistics, prefix="shifted"
    )
    events.append(Commit(adds=[file]), events.version())
    assert AppRemoval(events, "shop", settings.state_dir / "journal").run() == 1
    (path,) = events.snapshot().files["path"].to_pylist()
    assert Path(path).name.startswith("shifted-")
    assert apps_in(events) == ["blog"]


def apps_in(table: LakeTable) -> list[str]:
    snapshot = table.snapshot()
    paths = snapshot.locate(snapshot.files["path"].to_pylist())
    return sorted(name for path in paths for name in pq.read_table(path, partitioning=None)["app_id"].to_pylist())


async def publish(settings: Settings, app_id: str, body: bytes = b"{}") -> tuple[int, datetime]:
    client = await stream.connect(settings, "test")
    identity = await stream.ensure_stream(client.jetstream(), settings)
    ack = await client.jetstream().publish(subject_for(app_id), body)
    await client.close()
    return ack.seq, identity.created_at


@pytest.fixture
def events(settings: Settings) -> LakeTable:
    lake.create_tables(settings)
    return LakeTable(lake.lake_directory(settings), lake.EVENTS)


def delete(settings: Settings, app_id: str) -> None:
    with psycopg.connect(settings.database_address) as connection:
        asyncio.run(delete_app(connection, settings, app_id, lambda _line: None, forgotten_after=timedelta(0)))


def test_not_even_the_brokers_files_remember_a_deleted_app(
    settings: Settings, events: LakeTable, nats_server: NatsServer
) -> None:
    with psycopg.connect(settings.database_address) as connection:
        apps.create_app(connection, "shop")
    bodies = [b"someone of the shop", b"someone of the blog", b"another of the shop"]
    for body in bodies:
        sequence, created_at = asyncio.run(publish(settings, body.decode().split()[-1], body))
    write_events(events, Transaction(lake.transaction_id(created_at), sequence), [["shop"]])
    delete(settings, "shop")
    stored = b"".join(block.read_bytes() for block in nats_server.directory.rglob("*.blk"))
    assert [body in stored for body in bodies] == [False, True, False]


def test_a_deleted_app_is_gone_from_every_store_and_its_neighbour_is_not(settings: Settings, events: LakeTable) -> None:
    with psycopg.connect(settings.database_address) as connection:
        for name in ("shop", "blog"):
            apps.create_app(connection, name)
            connection.execute(
                "insert into rollups.counted_arrival (app_id, period_start, received_hour, events, computed_at)"
                " values (%s, now(), now(), 1, now())",
                [name],
            )
        issue_key(connection, "default", "read", ["shop", "blog"])
    asyncio.run(publish(settings, "blog"))
    sequence, created_at = asyncio.run(publish(settings, "shop"))
    files = write_events(
        events,
        Transaction(lake.transaction_id(created_at), sequence),
        [["shop"], ["blog", "shop", "blog"], ["blog"], ["apple", "zebra"]],
    )
    delete(settings, "shop")

    assert apps_in(events) == ["apple", "blog", "blog", "blog", "zebra"]
    assert [(events.directory / file.path).exists() for file in files] == [False, False, True, True]
    assert events.transaction_version(lake.transaction_id(created_at)) == sequence
    with psycopg.connect(settings.database_address) as connection:
        assert [one.app_id for one in apps.list_apps(connection)] == ["blog"]
        assert connection.execute("select app_id from rollups.counted_arrival").fetchall() == [("blog",)]
        assert connection.execute("select count(*) from control.credential").fetchone() == (4,)
    assert asyncio.run(subjects(settings)) == {"events.blog": 1}


def test_not_even_rules_replays_and_keys_of_the_broker_remain(settings: Settings, events: LakeTable) -> None:
    accounts = NatsAccounts.of(settings)
    with psycopg.connect(settings.database_address) as connection:
        for name in ("shop", "blog"):
            apps.create_app(connection, name)
            filters.add_filter(connection, name, "path", "/admin/*")
            plans.set_type(connection, name, "click", b"{}", PlanAction.FLAG)
            replays.record(connection, [Replay(name, "1-0-0", "me", ["user_id"], 1, "m", 1, "published")])
            accounts.add(name, public_key(create_seed()))
    asyncio.run(publish(settings, "blog"))
    delete(settings, "shop")
    with psycopg.connect(settings.database_address) as connection:
        left = {table: apps_of(connection, table) for table in tables_of_apps(connection)}
    assert {table for table, found in left.items() if "shop" in found} == set()
    assert {table for table, found in left.items() if "blog" in found} >= {
        *("app", "credential_app", "filter", "tracking_plan", "quarantine_replay"),
    }
    assert list(accounts.app_keys()) == ["blog"]


def tables_of_apps(connection: psycopg.Connection) -> list[str]:
    """Tables of `control` that say of which app a row is."""
    return [
        name
        for (name,) in connection.execute(
            "select table_name from information_schema.columns"
            " where table_schema = 'control' and column_name = 'app_id'"
        )
    ]


def apps_of(connection: psycopg.Connection, table: str) -> set[str]:
    query = sql.SQL("select app_id from control.{}").format(sql.Identifier(table))
    return {app_id for (app_id,) in connection.execute(query)}


async def subjects(settings: Settings) -> dict[str, int]:
    client = await stream.connect(settings, "test")
    info = await client.jetstream().stream_info(STREAM, subjects_filter=">")
    await client.close()
    return dict(info.state.subjects or {})


def test_a_deletion_waits_for_the_writer_and_can_be_given_again(
    settings: Settings, events: LakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventmill.control.deletion.WRITER_SECONDS", 0.0)
    with psycopg.connect(settings.database_address) as connection:
        apps.create_app(connection, "shop")
    sequence, created_at = asyncio.run(publish(settings, "shop"))
    with pytest.raises(NotReadyError, match="writer"):
        delete(settings, "shop")
    with psycopg.connect(settings.database_address) as connection:
        assert app_rules(connection) == {}
        assert apps.get_app(connection, "shop").deleted_at is not None
    write_events(events, Transaction(lake.transaction_id(created_at), sequence), [["shop"]])
    delete(settings, "shop")
    assert apps_in(events) == []


def test_a_file_left_over_by_a_crash_is_destroyed_the_next_time(settings: Settings, events: LakeTable) -> None:
    with psycopg.connect(settings.database_address) as connection:
        apps.create_app(connection, "shop")
    _, created_at = asyncio.run(publish(settings, "blog"))
    (file,) = write_events(events, Transaction(lake.transaction_id(created_at), 1), [["shop"]])
    # As a crash between the commit and the end of the work leaves it.
    events.append(Commit(removes=[file]), events.version())
    journal = settings.state_dir / "deletions" / "shop.events"
    journal.parent.mkdir(parents=True)
    journal.write_text(f"{file.path}\n", encoding="utf-8")
    delete(settings, "shop")
    assert not Path(events.directory / file.path).exists()
    assert not journal.exists()


def test_deleting_an_unknown_app_says_so(settings: Settings) -> None:
    with pytest.raises(EventmillError, match="no app 'nope'"):
        delete(settings, "nope")


def test_create_prints_the_id_and_the_three_keys(settings: Settings) -> None:
    result = CliRunner().invoke(app, ["create", "My Shop", "--time-zone", "Asia/Kathmandu", "--json"], obj=settings)
    assert result.exit_code == 0, result.output
    fields = json.loads(result.stdout)
    assert list(fields) == ["app_id", "write_key", "read_key", "admin_key"]
    assert fields["app_id"] == "my-shop"
    listed = json.loads(CliRunner().invoke(app, ["list", "--json"], obj=settings).stdout)
    assert [(one["app_id"], one["time_zone"]) for one in listed] == [("my-shop", "Asia/Kathmandu")]
    assert listed[0]["identifier"]


def test_update_and_rotate_key_print_what_is_new(settings: Settings) -> None:
    CliRunner().invoke(app, ["create", "shop"], obj=settings)
    updated = CliRunner().invoke(app, ["update", "shop", "--retention-days", "7", "--json"], obj=settings)
    assert json.loads(updated.stdout)["retention_days"] == 7
    rotated = CliRunner().invoke(app, ["rotate-key", "shop", "--kind", "read", "--json"], obj=settings)
    assert json.loads(rotated.stdout)["read_key"].startswith("em_r_")


def test_delete_asks_first(settings: Settings) -> None:
    CliRunner().invoke(app, ["create", "shop"], obj=settings)
    result = CliRunner().invoke(app, ["delete", "shop"], input="n\n", obj=settings)
    assert result.exit_code == 1
    with psycopg.connect(settings.database_address) as connection:
        assert apps.get_app(connection, "shop").deleted_at is None
