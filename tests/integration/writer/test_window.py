"""Copies within the duplicate window on a real lake: not stored, counted, and remembered as the lake remembers."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from eventmill.delta_log import Commit
from eventmill.envelopes.decoding import DecodedEnvelope, decode_envelope
from eventmill.envelopes.source import Envelope
from eventmill.lake import EVENTS, QUARANTINE
from ingest_service.writer.buffer import Batch
from ingest_service.writer.compact import compact
from ingest_service.writer.compaction import MergeLimits, list_files
from ingest_service.writer.flush import Committed, LakeWriter
from ingest_service.writer.head import TableHead
from ingest_service.writer.repair import repair_files
from ingest_service.writer.window import DuplicateWindow, WindowLimits
from tests.lake_writer_bench import CURSOR, HISTORY_START, RECEIVED_AT, SHOP, Lake, batch, envelope, lines

pytestmark = pytest.mark.integration


class CrashError(Exception):
    """The process ends here."""


@pytest.fixture
def lake(new_directory: Callable[[], Path]) -> Lake:
    return Lake.create(new_directory())


def again(sequence: int, of: int) -> Batch:
    """An envelope with the same events as envelope `of`, under other timestamps."""
    return Batch(sequence - 1, sequence, [envelope(sequence, lines(of, timestamp="2026-03-01T09:00:00Z"))])


def fates(committed: Committed | None) -> tuple[int, int]:
    """Events stored and window duplicates of a commit."""
    assert committed is not None
    return committed.counts.stored, sum(account.window_duplicate for account in committed.counts.accounts)


def test_a_copy_in_a_later_batch_is_counted_and_not_stored(lake: Lake) -> None:
    writer = lake.writer()
    writer.write(batch(1, 2))
    assert fates(writer.write(again(3, of=1))) == (0, 3)
    assert lake.event_ids() == ["1.0", "1.1", "1.2", "2.0", "2.1", "2.2"]


def test_of_two_copies_in_a_batch_the_first_of_the_stream_is_stored(lake: Lake) -> None:
    both = Batch(0, 2, [envelope(1, lines(1)), envelope(2, lines(1))])
    assert fates(lake.writer().write(both)) == (3, 3)
    assert lake.rows()["stream_seq"].to_pylist() == [1, 1, 1]


def test_after_the_window_a_copy_is_an_event(lake: Lake) -> None:
    writer = LakeWriter.open(
        lake.table(), lake.table(QUARANTINE), CURSOR, limits=WindowLimits(length=timedelta(seconds=4))
    )
    writer.write(batch(1, 1))
    assert fates(writer.write(again(2, of=1))) == (0, 3)
    writer.write(Batch(2, 4, []))
    assert fates(writer.write(again(5, of=1))) == (3, 0)


def test_a_new_writer_knows_what_the_lake_holds(lake: Lake) -> None:
    lake.writer().write(batch(1, 2))
    assert fates(lake.writer().write(again(3, of=2))) == (0, 3)


def test_a_batch_that_was_not_committed_is_not_its_own_copy(lake: Lake) -> None:
    def crash(step: str) -> None:
        if step == "before_log_link":
            raise CrashError

    writer = lake.writer()
    writer.reach = crash
    with pytest.raises(CrashError):
        writer.write(batch(1, 2))
    writer.reach = lambda _step: None
    assert fates(writer.write(batch(1, 2))) == (6, 0)


@pytest.mark.parametrize("step", ["after_log_link", "after_log_fsync", "after_commit"])
def test_a_batch_that_was_committed_before_a_crash_is_neither_stored_again_nor_counted_as_copies(
    lake: Lake, step: str
) -> None:
    def crash(reached: str) -> None:
        if reached == step:
            raise CrashError

    writer = lake.writer()
    writer.reach = crash
    with pytest.raises(CrashError):
        writer.write(batch(1, 2))
    for survivor in (writer, lake.writer()):
        survivor.reach = lambda _step: None
        assert survivor.write(batch(1, 2)) is None
    assert fates(writer.write(again(3, of=1))) == (0, 3)
    assert len(lake.event_ids()) == 6


def test_what_another_writer_committed_is_known_too(lake: Lake) -> None:
    slow, rival = lake.writer(), lake.writer()
    slow.write(batch(1, 1))
    rival.write(batch(2, 3))
    assert slow.write(batch(2, 3)) is None
    assert fates(slow.write(again(4, of=3))) == (0, 3)


def test_a_compaction_changes_nothing_of_what_is_known(lake: Lake) -> None:
    writer = lake.writer()
    for number in range(1, 4):
        writer.write(batch(number, number))
    assert compact(lake.table(), MergeLimits(fan_in=3), RECEIVED_AT) == 3
    assert fates(writer.write(again(4, of=2))) == (0, 3)
    assert fates(lake.writer().write(again(5, of=3))) == (0, 3)


def test_events_that_were_deleted_may_come_again(lake: Lake) -> None:
    writer = lake.writer()
    writer.write(batch(1, 1))
    (file,) = list_files(lake.table().snapshot(), EVENTS.partition_columns)
    lake.table().append(Commit(removes=[file.as_data_file]), lake.table().version())
    assert fates(writer.write(again(2, of=1))) == (3, 0)


def test_the_note_accounts_for_every_event_that_arrived(lake: Lake) -> None:
    writer = lake.writer()
    writer.write(batch(1, 1))
    mixed = Batch(1, 3, [envelope(2, [*lines(1), b"bad"]), envelope(3, [*lines(3, 2), b"worse", b"[]"])])
    committed = writer.write(mixed)
    assert committed is not None
    (entry,) = committed.note["accounting"]
    assert entry == {
        "app_id": "shop",
        "hour": "2026-03-01T10:00:00+00:00",
        "received": 8,
        "stored": 2,
        "window_duplicate": 3,
        "quarantined": {"malformed_json": 2, "not_an_object": 1},
        "filtered": {},
        "flagged": 0,
        "last_received_at": "2026-03-01T10:30:03+00:00",
    }


@pytest.mark.parametrize("restarts", [False, True], ids=["in memory", "from the lake"])
def test_an_event_from_a_clock_that_is_ahead_does_not_end_the_window(lake: Lake, restarts: bool) -> None:
    def opened() -> LakeWriter:
        head = TableHead(lake.table())
        window = DuplicateWindow(head, now=lambda: RECEIVED_AT + timedelta(seconds=10))
        return LakeWriter(head, TableHead(lake.table(QUARANTINE)), CURSOR, window)

    writer = opened()
    writer.write(batch(1, 2))
    tomorrow = decode_envelope(
        Envelope(3, "events.shop", {}, b"\n".join(lines(3)), RECEIVED_AT + timedelta(hours=26)), SHOP, HISTORY_START
    )
    writer.write(Batch(2, 3, [tomorrow]))
    if restarts:
        writer = opened()
    assert fates(writer.write(again(4, of=1))) == (0, 3)


async def repaired(lake: Lake, writer: LakeWriter, batches: list[Batch]) -> str:
    """Damage the file of the latest events and have it repaired; says what came of it."""
    latest = lake.table().snapshot().files.sort_by([("min.stream_seq", "descending")])["path"].to_pylist()[0]
    (lake.table().directory / latest).write_bytes(b"")

    async def replay(first: int, last: int) -> list[DecodedEnvelope]:
        return [item for one in batches for item in one.envelopes if first <= item.sequence <= last]

    (repair,) = await repair_files(writer.events, writer.quarantine, [latest], replay)
    return repair.outcome


async def test_a_repaired_file_holds_no_copies_that_were_not_stored(lake: Lake) -> None:
    writer = lake.writer()
    batches = [batch(1, 1), Batch(1, 3, [envelope(2, [*lines(1), *lines(2)]), envelope(3, lines(2))])]
    for one in batches:
        writer.write(one)
    before = lake.rows()
    assert await repaired(lake, writer, batches) == "repaired"
    assert lake.rows().equals(before)


async def test_a_repaired_file_holds_the_copies_that_were_stored_after_the_window(lake: Lake) -> None:
    limits = WindowLimits(length=timedelta(seconds=4))
    writer = LakeWriter.open(lake.table(), lake.table(QUARANTINE), CURSOR, limits=limits)
    late = Batch(1, 8, [envelope(7, [*lines(1), *lines(7)]), envelope(8, lines(7))])
    for one in (batch(1, 1), late):
        writer.write(one)
    before = lake.rows()
    assert before.num_rows == 9
    assert await repaired(lake, writer, [batch(1, 1), late]) == "repaired"
    assert lake.rows().equals(before)


async def test_without_a_note_copies_are_told_by_their_ids(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """As commits of older versions, and log entries that were cleaned up."""
    monkeypatch.setattr("ingest_service.writer.repair.recorded_copies", lambda *_: None)
    await test_a_repaired_file_holds_no_copies_that_were_not_stored(lake)
