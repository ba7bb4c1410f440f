"""What a crash between the two commits of a flush has left: rows that are in `quarantine` beyond the cursor.

Their fate is decided. Decoding them again may come to another result (an app was created meanwhile), which must
neither double nor lose them.
"""

from urllib.parse import unquote

import pyarrow.parquet as pq

from eventmill import delta_log
from ingest_service.writer.head import TableHead


def settled_rows(quarantine: TableHead, transaction_id: str, after: int) -> dict[int, set[int]]:
    """Row numbers by sequence of the quarantined rows that this stream's commits beyond `after` hold."""
    settled: dict[int, set[int]] = {}
    for path in _files_beyond(quarantine, transaction_id, after):
        rows = pq.read_table(quarantine.table.directory / path, columns=["stream_seq", "row_no"])
        for sequence, row in zip(rows["stream_seq"].to_pylist(), rows["row_no"].to_pylist(), strict=True):
            if sequence > after:
                settled.setdefault(sequence, set()).add(row)
    return settled


def _files_beyond(quarantine: TableHead, transaction_id: str, after: int) -> list[str]:
    """Files that commits of the transaction added after it had the version `after`, latest commit first."""
    paths: list[str] = []
    for version in range(quarantine.version, -1, -1):
        try:
            actions = delta_log.read(quarantine.table.directory, version)
        except FileNotFoundError:
            # Log clean-up keeps two days; what the cursor has not reached was committed seconds before the crash.
            return paths
        transactions = [action["txn"] for action in actions if "txn" in action]
        for transaction in transactions:
            if transaction["appId"] != transaction_id:
                continue
            if transaction["version"] <= after:
                return paths
            paths += [unquote(action["add"]["path"]) for action in actions if "add" in action]
    return paths
