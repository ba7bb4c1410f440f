"""What a crash between the two commits of a flush has left: rows that are in `quarantine` beyond the cursor.

Their fate is decided. Decoding them again may come to another result (an app was created meanwhile), which must
neither double nor lose them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eventmill import delta_log
from ingest_service.writer.head import TableHead


def settled_rows(quarantine: TableHead, transaction_id: str, after: int, through: int) -> pa.Table:
    """Rows in QUARANTINE_SCHEMA of the sequences `(after, through]` that this stream's commits hold already."""
    definition = quarantine.table.definition
    found = [definition.columns.empty_table()]
    for path in _files_beyond(quarantine, transaction_id, after):
        rows = pq.read_table(quarantine.table.directory / path, schema=definition.file_columns, partitioning=None)
        beyond = pc.and_(pc.greater(rows["stream_seq"], after), pc.less_equal(rows["stream_seq"], through))
        dated = rows.append_column("received_date", rows["received_at"].cast(pa.date32()))
        found.append(dated.filter(beyond).select(definition.columns.names).cast(definition.columns))
    return pa.concat_tables(found)


def _files_beyond(quarantine: TableHead, transaction_id: str, after: int) -> list[str]:
    """Files that commits of the transaction added after it had the version `after`, or what stands for them now.

    A file that was only merged into another is read itself, as long as it is there: it holds no rows of other streams.
    """
    found: list[str] = []
    successors: dict[str, list[str]] = {}
    for version in range(quarantine.version, -1, -1):
        try:
            actions = delta_log.read(quarantine.table.directory, version)
        except FileNotFoundError:
            # Log clean-up keeps two days; what the cursor has not reached was committed seconds before the crash.
            break
        added = [unquote(action["add"]["path"]) for action in actions if "add" in action]
        successors |= {unquote(action["remove"]["path"]): added for action in actions if "remove" in action}
        reached = next((txn["version"] for txn in _transactions(actions) if txn["appId"] == transaction_id), None)
        if reached is not None and reached <= after:
            break
        if reached is not None:
            found += [file for path in added for file in _standing(quarantine.table.directory, path, successors)]
    return list(dict.fromkeys(found))


def _transactions(actions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [action["txn"] for action in actions if "txn" in action]


def _standing(directory: Path, path: str, successors: Mapping[str, Sequence[str]]) -> list[str]:
    """The file, or where it was repaired or rewritten and is gone, the files that took its place."""
    if path not in successors or (directory / path).exists():
        return [path]
    return [file for successor in successors[path] for file in _standing(directory, successor, successors)]
