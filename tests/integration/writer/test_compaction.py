"""Compaction on a real Delta table: fewer files, the same rows."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from eventmill import delta_log
from ingest_service.writer import cleanup
from ingest_service.writer.compact import compact, maintain, write_checkpoint
from ingest_service.writer.compaction import MergeLimits, list_files, merge
from ingest_service.writer.compactor import Compactor
from ingest_service.writer.torn_log import repair_log
from tests.lake_writer_bench import Lake, batch

pytestmark = pytest.mark.integration

LIMITS = MergeLimits(fan_in=3)
SHIFTED = {"timestamp": "2026-03-01T09:59:59Z", "sent_at": "2026-03-01T10:20:00Z"}


@pytest.fixture
def lake(new_directory: Callable[[], Path]) -> Lake:
    return Lake.create(new_directory())


def fill(lake: Lake, batches: int, first: int = 1, **fields: object) -> None:
    writer = lake.writer()
    for number in range(first, first + batches):
        writer.write(batch(number, number, **fields))


def paths(lake: Lake) -> list[str]:
    found: list[str] = lake.table().snapshot().files["path"].to_pylist()
    return found


def test_many_small_files_become_one_with_the_same_rows(lake: Lake) -> None:
    fill(lake, 9)
    before = lake.rows()
    assert compact(lake.table(), LIMITS, datetime.now(UTC)) == 9
    assert len(paths(lake)) == 1
    assert lake.rows().equals(before)
    fill(lake, 1, first=10)
    assert lake.rows().num_rows == before.num_rows + 3


def test_shifted_events_are_merged_among_themselves(lake: Lake) -> None:
    fill(lake, 3)
    fill(lake, 3, first=4, **SHIFTED)
    compact(lake.table(), LIMITS, datetime.now(UTC))
    assert sorted(Path(path).name.split("-")[0] for path in paths(lake)) == ["part", "shifted"]
    assert lake.rows().num_rows == 18


def test_a_few_files_wait_until_their_hour_is_quiet(lake: Lake) -> None:
    fill(lake, 2)
    assert compact(lake.table(), LIMITS, datetime.now(UTC)) == 0
    assert compact(lake.table(), LIMITS, datetime.now(UTC) + timedelta(hours=2)) == 2


def test_a_merge_is_given_up_where_a_source_was_removed_meanwhile(lake: Lake) -> None:
    fill(lake, 3)
    snapshot = lake.table().snapshot()
    files = list_files(snapshot, lake.table().definition.partition_columns)
    compact(lake.table(), LIMITS, datetime.now(UTC))
    assert merge(lake.table(), files, snapshot.version) is None
    assert lake.rows().num_rows == 9


def test_a_merge_commits_on_top_of_what_was_appended_meanwhile(lake: Lake) -> None:
    fill(lake, 3)
    snapshot = lake.table().snapshot()
    files = list_files(snapshot, lake.table().definition.partition_columns)
    fill(lake, 2, first=4)
    assert merge(lake.table(), files, snapshot.version) is not None
    assert lake.rows().num_rows == 15


def test_a_damaged_file_is_not_merged_and_stays_as_it_is(lake: Lake) -> None:
    fill(lake, 3)
    before = paths(lake)
    (lake.table().directory / before[0]).write_bytes(b"PAR1 nonsense PAR1")
    assert compact(lake.table(), LIMITS, datetime.now(UTC)) == 0
    assert paths(lake) == before


def test_replaced_files_go_after_an_hour_and_uncommitted_ones_too(lake: Lake) -> None:
    fill(lake, 3)
    replaced = [lake.table().directory / path for path in paths(lake)]
    maintain(lake.table(), LIMITS, datetime.now(UTC))
    fresh = replaced[0].with_name("part-in-flight.parquet")
    fresh.write_bytes(b"x")
    age(*replaced)
    assert cleanup.delete_unused_files(lake.table(), lake.table().snapshot()) == 0
    age(*(lake.table().directory / delta_log.LOG_DIRECTORY).glob("*.json"))
    assert cleanup.delete_unused_files(lake.table(), lake.table().snapshot()) == 3
    assert fresh.exists()
    assert lake.rows().num_rows == 9


def age(*paths: Path) -> None:
    two_hours_ago = datetime.now(UTC).timestamp() - 7200
    for path in paths:
        os.utime(path, (two_hours_ago, two_hours_ago))


def test_old_log_entries_go_once_a_checkpoint_stands_for_them(lake: Lake) -> None:
    fill(lake, 4)
    write_checkpoint(lake.table())
    fill(lake, 2, first=5)
    log = lake.table().directory / delta_log.LOG_DIRECTORY
    assert cleanup.delete_old_log(lake.table().directory) == 0
    assert cleanup.delete_old_log(lake.table().directory, keep=timedelta()) == 4
    assert not (log / f"{3:020d}.json").exists()
    assert lake.rows().num_rows == 18
    assert lake.writer().sequence == 6


def test_a_clean_up_cut_off_in_the_middle_leaves_no_hole(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lake, 6)
    write_checkpoint(lake.table())
    deleted: list[str] = []
    unlink = Path.unlink

    def killed_after_two(path: Path) -> None:
        if len(deleted) == 2:
            raise KeyboardInterrupt
        deleted.append(path.name)
        unlink(path)

    monkeypatch.setattr(Path, "unlink", killed_after_two)
    with pytest.raises(KeyboardInterrupt):
        cleanup.delete_old_log(lake.table().directory, keep=timedelta())
    monkeypatch.undo()
    assert deleted == [f"{version:020d}.json" for version in (0, 1)]
    assert repair_log(lake.table()) == 0


def test_a_file_with_a_flipped_bit_in_its_footer_is_not_merged(lake: Lake) -> None:
    fill(lake, 3)
    path = lake.table().directory / paths(lake)[0]
    content = bytearray(path.read_bytes())
    content[content.index(b"user_id")] ^= 1
    path.write_bytes(content)
    assert compact(lake.table(), LIMITS, datetime.now(UTC)) == 0


async def test_a_child_that_fails_is_told_of_with_its_code(new_directory: Callable[[], Path]) -> None:
    compactor = Compactor(new_directory() / "no-lake", every=1)
    with capture_logs() as said:
        await compactor.note_commit()
        await compactor.wait()
    assert [(line["event"], line["code"]) for line in said] == [("compaction failed", 1)]
