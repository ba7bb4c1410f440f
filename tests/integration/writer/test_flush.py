"""Commits of the writer on a real Delta table, with crashes and rivals between its steps."""

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from deltalake import DeltaTable

from eventmill import delta_log
from eventmill.contracts.decode import AppRules
from eventmill.delta_log import Commit
from eventmill.envelopes.decoding import DecodedEnvelope
from eventmill.errors import LakeError
from eventmill.faults import ignore
from eventmill.lake import QUARANTINE
from ingest_service.writer.buffer import Batch
from ingest_service.writer.checkpoints import write_checkpoint
from ingest_service.writer.damage import damaged_files
from ingest_service.writer.repair import repair_files
from tests.lake_writer_bench import SHOP, Lake, batch, envelope, lines

pytestmark = pytest.mark.integration


class CrashError(Exception):
    """The process ends here."""


@pytest.fixture
def lake(new_directory: Callable[[], Path]) -> Lake:
    return Lake.create(new_directory())


def ids(first: int, last: int) -> list[str]:
    return [f"{sequence}.{number}" for sequence in range(first, last + 1) for number in range(3)]


def crash_before(step: str) -> Callable[[str], None]:
    def reach(reached: str) -> None:
        if reached == step:
            raise CrashError

    return reach


def mixed_batch() -> Batch:
    return Batch(0, 2, [envelope(1, [*lines(1), b"bad 1"]), envelope(2, [b"bad 2", *lines(2)])])


def test_a_batch_written_twice_is_stored_once(lake: Lake) -> None:
    assert lake.writer().write(batch(1, 4)) is not None
    assert lake.writer().write(batch(1, 4)) is None
    assert lake.writer().write(batch(3, 6)) is not None
    assert lake.event_ids() == ids(1, 6)


def test_a_batch_without_events_still_moves_the_cursor(lake: Lake) -> None:
    writer = lake.writer()
    committed = writer.write(Batch(0, 7, [envelope(7, [])]))
    assert committed is not None
    assert (committed.files, lake.writer().sequence) == (0, 7)


@pytest.mark.parametrize("step", ["before_quarantine_commit", "after_quarantine_commit"])
def test_a_crash_between_the_commits_doubles_nothing(lake: Lake, step: str) -> None:
    writer = lake.writer()
    writer.reach = crash_before(step)
    with pytest.raises(CrashError):
        writer.write(mixed_batch())
    lake.writer().write(mixed_batch())
    assert lake.event_ids() == ids(1, 2)
    assert lake.rows(QUARANTINE)["raw"].to_pylist() == [b"bad 1", b"bad 2"]


def test_what_was_quarantined_before_a_crash_stays_there_though_its_app_exists_now(lake: Lake) -> None:
    def one(*, is_known: bool) -> Batch:
        return Batch(0, 2, [envelope(1, lines(1)), envelope(2, lines(2), SHOP if is_known else None)])

    writer = lake.writer()
    writer.reach = crash_before("after_quarantine_commit")
    with pytest.raises(CrashError):
        writer.write(one(is_known=False))
    lake.writer().write(one(is_known=True))
    assert lake.event_ids() == ids(1, 1)
    assert lake.event_ids(QUARANTINE) == ids(2, 2)


@pytest.mark.parametrize("is_in_stream", [True, False])
async def test_a_crash_between_the_commits_is_mended_though_the_disk_damaged_what_was_quarantined(
    lake: Lake, is_in_stream: bool
) -> None:
    async def replay(_first: int, _last: int) -> Sequence[DecodedEnvelope]:
        return mixed_batch().envelopes if is_in_stream else []

    writer = lake.writer()
    writer.reach = crash_before("after_quarantine_commit")
    with pytest.raises(CrashError):
        writer.write(mixed_batch())
    (file,) = lake.table(QUARANTINE).directory.rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:100])
    writer = lake.writer()
    await repair_files(writer.quarantine, writer.events, damaged_files(writer.quarantine), replay)
    writer.write(mixed_batch())
    assert lake.event_ids() == ids(1, 2)
    assert lake.rows(QUARANTINE)["raw"].to_pylist() == [b"bad 1", b"bad 2"]


def test_a_crash_between_the_commits_is_mended_though_clean_up_took_the_older_log(lake: Lake) -> None:
    lake.writer().write(batch(1, 1))
    writer = lake.writer()
    writer.reach = crash_before("after_quarantine_commit")
    with pytest.raises(CrashError):
        writer.write(Batch(1, 2, [envelope(2, [*lines(2), b"bad"])]))
    write_checkpoint(lake.table(QUARANTINE))
    delta_log.log_path(lake.table(QUARANTINE).directory, 0).unlink()
    lake.writer().write(Batch(1, 2, [envelope(2, [*lines(2), b"bad"])]))
    assert lake.event_ids() == ids(1, 2)
    assert lake.rows(QUARANTINE)["raw"].to_pylist() == [b"bad"]


def test_what_a_rival_with_other_rules_quarantined_is_not_stored_too(lake: Lake) -> None:
    def one(rules: AppRules | None) -> Batch:
        return Batch(0, 2, [envelope(1, [b"bad", *lines(1)]), envelope(2, lines(2), rules)])

    def interfere(step: str) -> None:
        if step == "after_quarantine_commit":
            slow.reach = ignore
            with pytest.raises(CrashError):
                rival.write(one(None))

    slow, rival = lake.writer(), lake.writer()
    slow.reach, rival.reach = interfere, crash_before("after_quarantine_commit")
    committed = slow.write(one(SHOP))
    assert lake.event_ids() == ids(1, 1)
    assert lake.event_ids(QUARANTINE) == [None, *ids(2, 2)]
    assert committed is not None
    (account,) = committed.counts.accounts
    assert (account.received, account.stored, account.quarantined.total()) == (7, 3, 4)


def test_two_writers_fence_each_other(lake: Lake) -> None:
    first, second = lake.writer(), lake.writer()
    first.write(batch(1, 3))
    assert second.write(batch(1, 2)) is None
    committed = second.write(batch(3, 5))
    assert committed is not None
    assert committed.counts.stored == 6
    assert first.write(batch(4, 5)) is None
    assert lake.event_ids() == ids(1, 5)


def test_a_writer_fenced_in_the_middle_of_a_flush_writes_only_the_rest(lake: Lake) -> None:
    slow = lake.writer()
    rival = lake.writer()
    slow.reach = lambda step: rival.write(batch(1, 2)) and None if step == "after_quarantine_commit" else None
    slow.write(batch(1, 4))
    assert lake.event_ids() == ids(1, 4)
    on_disk = {
        path.relative_to(lake.table().directory).as_posix() for path in lake.table().directory.rglob("*.parquet")
    }
    assert on_disk == set(lake.table().snapshot().files["path"].to_pylist())


def test_a_compaction_in_between_does_not_stop_a_flush(lake: Lake) -> None:
    writer = lake.writer()
    writer.write(batch(1, 2))
    other = lake.table()

    def commit_something_else(step: str) -> None:
        if step == "after_quarantine_commit":
            other.append(Commit(is_data_change=False), other.version())

    writer.reach = commit_something_else
    writer.write(batch(3, 4))
    assert lake.event_ids() == ids(1, 4)


def test_a_hole_between_lake_and_batch_is_refused(lake: Lake) -> None:
    lake.writer().write(batch(1, 2))
    with pytest.raises(LakeError, match="ends at sequence 2"):
        lake.writer().write(batch(5, 6))


def test_a_full_disk_leaves_no_leftovers_and_the_batch_can_be_written_later(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = lake.writer()
    with monkeypatch.context() as patch:
        patch.setattr(delta_log, "write_durably", refuse)
        with pytest.raises(OSError, match="No space left"):
            writer.write(batch(1, 2))
    assert list(lake.table().directory.rglob("*.parquet")) == []
    writer.write(batch(1, 2))
    assert lake.event_ids() == ids(1, 2)


def test_a_commit_that_became_visible_before_its_error_is_not_written_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = lake.writer()
    sync = delta_log.sync_directory

    def fail_for_the_log(directory: Path) -> None:
        if directory.name == delta_log.LOG_DIRECTORY:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(directory)

    with monkeypatch.context() as patch:
        patch.setattr(delta_log, "sync_directory", fail_for_the_log)
        with pytest.raises(OSError, match="Input/output"):
            writer.write(batch(1, 2))
    assert writer.write(batch(1, 2)) is None
    assert lake.event_ids() == ids(1, 2)


def test_the_cursor_outlives_a_checkpoint(lake: Lake) -> None:
    writer = lake.writer()
    writer.write(batch(1, 2))
    DeltaTable(str(lake.table().directory)).create_checkpoint()
    delta_log.log_path(lake.table().directory, 0).unlink()
    assert lake.writer().sequence == 2
    lake.writer().write(batch(3, 4))
    assert lake.event_ids() == ids(1, 4)


def test_what_a_rival_commits_right_behind_a_commit_is_known_to_both(lake: Lake) -> None:
    slow, rival = lake.writer(), lake.writer()
    slow.reach = lambda step: rival.write(batch(2, 2)) and None if step == "after_log_fsync" else None
    committed = slow.write(batch(1, 1))
    assert committed is not None
    assert committed.version == 1
    copies = slow.write(Batch(2, 3, [envelope(3, lines(2))]))
    assert copies is not None
    assert copies.counts.stored == 0
    assert lake.event_ids() == ids(1, 2)
