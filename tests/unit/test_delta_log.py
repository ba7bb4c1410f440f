"""An entry of the table's log is read as it was written, or not at all."""

import json
from pathlib import Path

import pytest

from eventmill import delta_log
from eventmill.delta_log import Commit, DataFile, Transaction
from eventmill.errors import LakeError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / delta_log.LOG_DIRECTORY).mkdir()
    file = DataFile("event_hour=3/part-1.parquet", 10, {"event_hour": "3"}, 1, '{"numRecords":1}', "0badf00d")
    delta_log.append(tmp_path, 0, Commit([file], transaction=Transaction("stream", 7), metadata={"through": 7}))
    return tmp_path


def test_every_flipped_bit_of_an_entry_is_noticed(table: Path) -> None:
    entry = delta_log.log_path(table, 0)
    content = entry.read_bytes()
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        entry.write_bytes(flipped)
        with pytest.raises(LakeError):
            delta_log.read(table, 0)


def test_the_entry_of_another_program_is_taken_as_it_is(table: Path) -> None:
    actions = [{"commitInfo": {"engineInfo": "delta-rs:1.6"}}, {"txn": {"appId": "a", "version": 1}}]
    delta_log.log_path(table, 1).write_text("\n".join(map(json.dumps, actions)))
    assert delta_log.read(table, 1) == actions


def test_a_file_is_named_with_its_checksum(table: Path) -> None:
    (add,) = [action["add"] for action in delta_log.read(table, 0) if "add" in action]
    assert add["tags"] == {"crc32": "0badf00d"}
