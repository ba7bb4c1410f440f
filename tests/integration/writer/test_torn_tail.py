"""What the writer does at start about a log or data files that a disk has damaged."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from eventmill import delta_log
from eventmill.contracts.subjects import STREAM
from eventmill.envelopes.decoding import DecodedEnvelope, decode_envelope
from eventmill.envelopes.source import Envelope
from eventmill.errors import LakeError
from eventmill.lake import EVENTS, QUARANTINE, lake_directory
from ingest_service.writer.checkpoints import is_as_written, write_checkpoint
from ingest_service.writer.compaction import list_files, merge
from ingest_service.writer.damage import damaged_files
from ingest_service.writer.flush import LakeWriter
from ingest_service.writer.repair import repair_files
from ingest_service.writer.torn_log import repair_log
from tests.lake_writer_bench import HISTORY_START, SHOP, Lake, batch
from tests.writer_bench import Bench, event, running

pytestmark = pytest.mark.integration


@pytest.fixture
def lake(new_directory: Callable[[], Path]) -> Lake:
    lake = Lake.create(new_directory())
    writer = lake.writer()
    for number in range(1, 5):
        writer.write(batch(number, number))
    return lake


def entry(lake: Lake, version: int) -> Path:
    return delta_log.log_path(lake.table().directory, version)


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    """Flip one in the data of the first column: pages carry checksums, Parquet's footer has none."""
    column = pq.read_metadata(path).row_group(0).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    content = bytearray(path.read_bytes())
    content[start + column.total_compressed_size - 1] ^= 1
    path.write_bytes(content)


def test_an_intact_log_is_left_alone(lake: Lake) -> None:
    assert repair_log(lake.table()) == 0
    assert not (lake.directory / "_torn").exists()


def flip_in_the_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut_in_half, empty, flip_in_the_middle])
def test_a_torn_tail_is_moved_aside_and_written_again(lake: Lake, damage: Callable[[Path], None]) -> None:
    damage(entry(lake, 3))
    damage(entry(lake, 4))
    assert repair_log(lake.table()) == 2
    writer = lake.writer()
    assert writer.sequence == 2
    writer.write(batch(3, 6))
    assert lake.event_ids() == [f"{sequence}.{number}" for sequence in range(1, 7) for number in range(3)]
    report = [json.loads(line) for line in (lake.directory / "_torn/report.jsonl").read_text().splitlines()]
    assert [Path(finding["file"]).stem[-1] for finding in report] == ["4", "3"]
    assert all(Path(finding["moved_to"]).exists() for finding in report)


def test_an_unreadable_entry_below_intact_ones_is_refused(lake: Lake) -> None:
    cut_in_half(entry(lake, 3))
    with pytest.raises(LakeError, match=r"Log entry 3 .* entry 4"):
        repair_log(lake.table())


def test_a_broken_checkpoint_is_moved_aside_and_the_entries_are_read(lake: Lake) -> None:
    version = write_checkpoint(lake.table())
    log = lake.table().directory / delta_log.LOG_DIRECTORY
    cut_in_half(log / f"{version:020d}.checkpoint.parquet")
    assert repair_log(lake.table()) == 2
    assert lake.writer().sequence == 4
    assert len(lake.event_ids()) == 12


def test_a_torn_entry_that_a_checkpoint_holds_is_missed_by_nobody(lake: Lake) -> None:
    assert write_checkpoint(lake.table()) == 4
    cut_in_half(entry(lake, 4))
    assert repair_log(lake.table()) == 1
    writer = lake.writer()
    assert writer.sequence == 4
    writer.write(batch(5, 6))
    assert not entry(lake, 4).exists()
    assert repair_log(lake.table()) == 0
    assert len(lake.event_ids()) == 18


@pytest.mark.parametrize("name", ["checkpoint", "_last_checkpoint"])
def test_every_flipped_bit_of_a_checkpoint_and_of_its_hint_is_noticed(lake: Lake, name: str) -> None:
    version = write_checkpoint(lake.table())
    log = lake.table().directory / delta_log.LOG_DIRECTORY
    path = log / (f"{version:020d}.checkpoint.parquet" if name == "checkpoint" else name)
    written = path.read_bytes()
    for place in range(0, len(written), 97):
        damaged = bytearray(written)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert not is_as_written(path), place
    # Without the checkpoint its hint names nothing, and goes too.
    assert repair_log(lake.table()) == (2 if name == "checkpoint" else 1)
    assert (lake.writer().sequence, len(lake.event_ids())) == (4, 12)


async def test_a_flipped_bit_is_found_and_the_file_written_again_from_the_stream(bench: Bench) -> None:
    last = await bench.publish_numbered(0, count=3)
    async with running(bench):
        await bench.wait_until_committed(last)
    last = await bench.publish([event(30), b"bad", event(31)])
    async with running(bench):
        await bench.wait_until_committed(last)
    before = bench.rows().sort_by("event_id"), bench.rows(QUARANTINE)
    # How many files a few envelopes make depends on when each of them arrived.
    snapshots = [bench.table(definition).snapshot() for definition in (EVENTS, QUARANTINE)]
    paths = [path for snapshot in snapshots for path in snapshot.locate(snapshot.files["path"].to_pylist())]
    for path in paths:
        flip_a_bit(Path(path))
    async with running(bench) as service:
        await bench.wait_until_committed(await bench.publish([event(32)]))
        assert service.instruments.damaged_files.labels("repaired")._value.get() == len(paths)
    after = bench.rows()
    assert after.filter([name != "e32" for name in after["event_id"].to_pylist()]).sort_by("event_id").equals(before[0])
    assert bench.rows(QUARANTINE).equals(before[1])


async def test_a_flipped_bit_in_a_footer_is_found(bench: Bench) -> None:
    async with running(bench):
        await bench.wait_until_committed(await bench.publish_numbered(0, count=1))
    (path,) = bench.table().directory.glob("*=*/**/*.parquet")
    content = bytearray(path.read_bytes())
    # The name of a column: readers that ask for it would be told that it is empty.
    content[content.index(b"user_id")] ^= 1
    path.write_bytes(content)
    async with running(bench) as service:
        await bench.wait_until_committed(await bench.publish_numbered(10, count=1))
        assert service.instruments.damaged_files.labels("repaired")._value.get() == 1
    assert bench.event_ids() == [f"e{number}" for number in range(20)]


async def test_damaged_files_whose_rows_interleave_are_written_again_once(bench: Bench) -> None:
    for first in (0, 10, 20, 30):
        async with running(bench):
            await bench.wait_until_committed(await bench.publish_numbered(first, count=1))
    snapshot = bench.table().snapshot()
    files = sorted(list_files(snapshot, EVENTS.partition_columns), key=lambda file: file.modified_ms)
    outer = merge(bench.table(), [files[0], files[2]], snapshot.version)
    inner = merge(bench.table(), [files[1], files[3]], snapshot.version)
    assert outer is not None
    assert inner is not None
    flip_a_bit(bench.table().directory / outer.path)
    cut_in_half(bench.table().directory / inner.path)
    async with running(bench):
        await bench.wait_until_committed(await bench.publish_numbered(40, count=1))
    assert bench.event_ids() == [f"e{number}" for number in range(50)]


async def test_a_repair_stores_nothing_that_was_rejected_then(bench: Bench) -> None:
    body = [event(0, user_id=None), event(1)]
    async with running(bench):
        await bench.wait_until_committed(await bench.publish(body))
    now = [event(0), event(1)]
    (path,) = bench.table().directory.glob("*=*/**/*.parquet")
    path.unlink()
    writer = LakeWriter.open(bench.table(), bench.table(QUARANTINE), "any")

    async def replay_by_other_rules(first: int, last: int) -> list[DecodedEnvelope]:
        received_at = bench.rows(QUARANTINE)["received_at"][0].as_py()
        envelope = Envelope(first, "events.shop", {}, b"\n".join(now), received_at)
        return [decode_envelope(envelope, SHOP, HISTORY_START)]

    paths = damaged_files(writer.events)
    (repair,) = await repair_files(writer.events, writer.quarantine, paths, replay_by_other_rules)
    assert repair.outcome == "repaired"
    assert bench.event_ids() == ["e1"]


async def test_rejected_events_of_a_torn_entry_below_the_cursor_come_back(bench: Bench) -> None:
    async with running(bench):
        await bench.wait_until_committed(await bench.publish([event(0), b"bad", event(1)]))
    before = bench.rows(QUARANTINE)
    entries = sorted((bench.table(QUARANTINE).directory / delta_log.LOG_DIRECTORY).glob("*.json"))
    cut_in_half(entries[-1])
    async with running(bench):
        await bench.wait_until_committed(await bench.publish([event(2)]))
    assert bench.rows(QUARANTINE).equals(before)
    assert bench.event_ids() == ["e0", "e1", "e2"]


async def test_a_damaged_merged_file_is_written_again_without_the_rows_of_its_neighbours(bench: Bench) -> None:
    for first in (0, 10, 20):
        async with running(bench):
            await bench.wait_until_committed(await bench.publish_numbered(first, count=1))
    snapshot = bench.table().snapshot()
    oldest, middle, newest = sorted(list_files(snapshot, EVENTS.partition_columns), key=lambda file: file.modified_ms)
    merged = merge(bench.table(), [oldest, newest], snapshot.version)
    assert merged is not None
    flip_a_bit(bench.table().directory / merged.path)
    async with running(bench):
        await bench.wait_until_committed(await bench.publish_numbered(30, count=1))
    assert bench.event_ids() == [f"e{number}" for number in range(40)]
    assert middle.path in bench.table().snapshot().files["path"].to_pylist()


async def test_a_damaged_file_whose_events_the_stream_no_longer_has_is_reported_as_lost(bench: Bench) -> None:
    await bench.publish_numbered(0, count=2)
    last = await bench.publish_numbered(20, count=1)
    async with running(bench):
        await bench.wait_until_committed(last)
    (path,) = bench.table().directory.glob("*=*/**/*.parquet")
    path.unlink()
    await bench.client.jetstream().delete_msg(STREAM, 1)
    async with running(bench) as service:
        await bench.wait_until_committed(await bench.publish_numbered(30, count=1))
        assert service.instruments.damaged_files.labels("lost")._value.get() == 1
    assert bench.event_ids() == [f"e{number}" for number in range(10, 40)]
    (line,) = (lake_directory(bench.settings) / "_torn/report.jsonl").read_text().splitlines()
    finding = json.loads(line)
    assert (finding["outcome"], finding["expected_rows"], finding["rows_from_the_stream"]) == ("lost", 30, 20)
