"""What a crash between the two commits of a flush has left: rows that are in `quarantine` beyond the cursor.

Their fate is decided. Decoding them again may come to another result (an app was created meanwhile), which must
neither double nor lose them.
"""

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
