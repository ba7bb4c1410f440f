"""Where a table stands, kept in memory: its version, and every application's transaction in it.

It is read from the log itself, so the hot path never opens the table: its cost does not grow with the table's files.
"""

import json
from pathlib import Path

import pyarrow.parquet as pq

from eventmill import delta_log
from eventmill.errors import LakeError
from eventmill.lake import LakeTable

LAST_CHECKPOINT = "_last_checkpoint"


class TableHead:
    """Latest version and transactions of a table. `advance` follows what anybody committed since."""

    def __init__(self, table: LakeTable) -> None:
        self.table = table
        self.transactions: dict[str, int] = {}
        self.version = self._read_checkpoint()
        self.advance()
        if self.version < 0:
            raise LakeError(
                f"Lake table {table.definition.name} does not exist in {table.directory.parent}.",
                "Run `eventmill migrate`, which creates it.",
            )

    def _read_checkpoint(self) -> int:
        """Version of the last checkpoint, whose transactions are taken over; -1 where there is none."""
        version = last_checkpoint(self.table.directory)
        if version is None:
            return -1
        path = checkpoint_path(self.table.directory, version)
        for entry in pq.read_table(path, columns=["txn"])["txn"].to_pylist():
            if entry is not None:
                self.transactions[entry["appId"]] = int(entry["version"])
        return version

    def advance(self) -> None:
        """Take over the log entries beyond `version`."""
        while delta_log.log_path(self.table.directory, self.version + 1).exists():
            for action in delta_log.read(self.table.directory, self.version + 1):
                if "txn" in action:
                    self.transactions[action["txn"]["appId"]] = int(action["txn"]["version"])
            self.version += 1

    def is_by(self, version: int, transaction_id: str) -> bool:
        """Whether an entry of the log was committed under an application's transaction."""
        actions = delta_log.read(self.table.directory, version)
        return any(action["txn"]["appId"] == transaction_id for action in actions if "txn" in action)


def last_checkpoint(table: Path) -> int | None:
    """Version of the table's last checkpoint, also where the hint that names it is missing."""
    directory = table / delta_log.LOG_DIRECTORY
    try:
        return int(json.loads((directory / LAST_CHECKPOINT).read_bytes())["version"])
    except FileNotFoundError:
        versions = [int(path.name.partition(".")[0]) for path in directory.glob("*.checkpoint.parquet")]
        return max(versions, default=None)


def checkpoint_path(table: Path, version: int) -> Path:
    """File of a checkpoint."""
    return table / delta_log.LOG_DIRECTORY / f"{version:020d}.checkpoint.parquet"
