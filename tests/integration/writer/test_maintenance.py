"""Scheduled upkeep: an hour in one order, a log that its readers keep, a stream without what the lake has for days."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from eventmill import delta_log, stream
from eventmill.cli.maintenance import maintenance
from eventmill.contracts.subjects import STREAM, subject_for
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, Transaction
from eventmill.lake import IDENTITY_MAP, LakeTable, create_tables, lake_directory, transaction_id
from eventmill.settings import Settings
from ingest_service.writer import cleanup
from ingest_service.writer.checkpoints import write_checkpoint
from ingest_service.writer.clustering import Sorter, cluster, cut
from ingest_service.writer.compact import compact
from ingest_service.writer.compaction import MergeLimits
from ingest_service.writer.stream_purge import purge_stream
from tests.lake_of import NOW, HandMadeLake, event

pytestmark = pytest.mark.integration
LIMITS = MergeLimits(full_rows=50, quiet=timedelta(0))


@pytest.fixture
def lake(settings: Settings) -> HandMadeLake:
    create_tables(settings)
    return HandMadeLake(lake_directory(settings))


def fill(lake: HandMadeLake, events: int, seed: int = 1) -> None:
    rng = random.Random(seed)
    lake.version = lake.table.version()
    for start in range(0, events, 30):
        lake.append(
            event(
                f"e{seed}-{start + number}",
                NOW + timedelta(seconds=rng.randrange(2_000)),
                app_id=rng.choice(["shop", "shop", "shop", "peak", "east"]),
                user_id="u",
            )
            for number in range(30)
        )


def spans(lake: HandMadeLake) -> list[tuple[str, str, datetime, datetime]]:
    rows = lake.table.snapshot().files.to_pylist()
    names = ("min.app_id", "max.app_id", "min.event_time", "max.event_time")
    return sorted(tuple(row[name] for name in names) for row in rows)


def ids(lake: HandMadeLake) -> list[str]:
    snapshot = lake.table.snapshot()
    files = snapshot.locate(snapshot.files["path"].to_pylist())
    return sorted(one for file in files for one in pq.read_table(file, partitioning=None)["event_id"].to_pylist())


def test_a_clustered_hour_has_the_same_rows_and_readers_of_an_app_skip_the_rest(
    lake: HandMadeLake, settings: Settings
) -> None:
    fill(lake, 240)
    before = ids(lake)
    sorter = Sorter("200MB", 1, settings.home)
    assert cluster(lake.table, sorter, LIMITS, datetime.now(UTC)) == 8
    assert ids(lake) == before
    found = spans(lake)
    for (_, last_app, _, last_at), (app, _, at, _) in pairwise(found):
        assert (last_app, last_at) <= (app, at) or last_app < app
    assert sum(app == "shop" for app, _, _, _ in found) >= 2
    assert cluster(lake.table, sorter, LIMITS, datetime.now(UTC)) == 0
    assert compact(lake.table, LIMITS, datetime.now(UTC)) == 0


def test_what_comes_later_is_clustered_with_the_rest_once_it_is_worth_it(
    lake: HandMadeLake, settings: Settings
) -> None:
    sorter = Sorter("200MB", 1, settings.home)
    fill(lake, 120)
    cluster(lake.table, sorter, LIMITS, datetime.now(UTC))
    fill(lake, 120, seed=2)
    assert cluster(lake.table, sorter, LIMITS, datetime.now(UTC)) > 4
    assert len(ids(lake)) == 240


def test_an_app_that_is_cut_shares_its_files_with_nobody() -> None:
    apps = ["a"] * 3 + ["b"] * 25 + ["c"] * 2 + ["d"] * 2
    rows = pa.table({"app_id": apps, "n": range(len(apps))})
    batches = [rows.slice(start, 7) for start in range(0, len(apps), 7)]
    files = [part["app_id"].to_pylist() for part in cut(batches, 10)]
    assert files == [["a"] * 3, ["b"] * 10, ["b"] * 10, ["b"] * 5, ["c", "c", "d", "d"]]


def test_entries_that_somebody_has_not_read_yet_stay(lake: HandMadeLake) -> None:
    for number in range(6):
        lake.append([event(f"e{number}", NOW, user_id="u")])
    cleanup_now = timedelta(seconds=-1)
    write_checkpoint(lake.table)
    cleanup.delete_old_log(lake.table.directory, cleanup_now, needed_from=3)
    assert [delta_log.log_path(lake.table.directory, version).exists() for version in (2, 3, 6)] == [False, True, True]
    assert len(ids(lake)) == 6


def test_the_map_of_identities_is_merged_too(lake: HandMadeLake, settings: Settings) -> None:
    table = LakeTable(lake_directory(settings), IDENTITY_MAP)
    for number in range(8):
        pair = {"app_id": "shop", "anonymous_id": f"a{number}", "user_id": "u", "stream_seq": number}
        rows = pa.Table.from_pylist([pair], schema=IDENTITY_MAP.file_columns)
        file = write_data_file(table.directory, rows, {}, IDENTITY_MAP.statistics)
        table.append(Commit(adds=[file], transaction=Transaction("identity", number)), table.version())
    assert compact(table, LIMITS, datetime.now(UTC)) == 8
    (path,) = table.snapshot().locate(table.snapshot().files["path"].to_pylist())
    assert pq.read_table(path)["anonymous_id"].to_pylist() == [f"a{number}" for number in range(8)]
    assert table.transaction_version("identity") == 7


async def publish(settings: Settings, count: int) -> datetime:
    client = await stream.connect(settings, "test")
    identity = await stream.ensure_stream(client.jetstream(), settings)
    for _ in range(count):
        await client.jetstream().publish(subject_for("shop"), b"{}")
    await client.close()
    return identity.created_at


async def sequences(settings: Settings) -> tuple[int, int]:
    client = await stream.connect(settings, "test")
    state = (await client.jetstream().stream_info(STREAM)).state
    await client.close()
    return state.first_seq, state.messages


def test_the_stream_keeps_what_is_young_and_what_the_lake_does_not_hold(lake: HandMadeLake, settings: Settings) -> None:
    created_at = asyncio.run(publish(settings, 5))
    lake.table.append(Commit(transaction=Transaction(transaction_id(created_at), 3)), lake.table.version())
    assert asyncio.run(purge_stream(settings)) == 0
    late = datetime.now(UTC) + timedelta(days=settings.stream_keep_days, minutes=1)
    assert asyncio.run(purge_stream(settings, late)) == 3
    assert asyncio.run(sequences(settings)) == (4, 2)


def test_the_command_says_what_it_did_to_each_table(lake: HandMadeLake, settings: Settings) -> None:
    asyncio.run(publish(settings, 1))
    fill(lake, 300)
    result = CliRunner().invoke(maintenance, ["run", "--json"], obj=settings)
    assert result.exit_code == 0, result.output
    tables = {one["table"]: one for one in json.loads(result.stdout)["tables"]}
    assert tables["events"]["files_before"] == 10
    assert tables["events"]["files_after"] < 10
    assert tables["events"]["query_ms_after"] > 0
    assert set(tables) >= {"quarantine", "identity_map", "sessions", "actor_days"}
    assert Path(lake.table.directory / "_delta_log" / "_last_checkpoint").exists()
    assert len(ids(lake)) == 300
