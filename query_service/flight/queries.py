"""SQL of a client → its schema, and its rows as Arrow batches."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import structlog
from adbc_driver_manager import AdbcConnection

# Private, and what ADBC's own cursors read with: only it tells PostgreSQL's error code in the middle of a result.
from adbc_driver_manager._reader import AdbcRecordBatchReader

from eventmill.settings import Settings
from query_service.flight.arrow_types import conform, schema_of, type_of_parameter
from query_service.flight.changes import Changes
from query_service.flight.limits import BATCH_BYTES, Limits
from query_service.flight.postgres import Columns, FlightPostgres, open_statement
from query_service.flight.refusals import CutOff
from query_service.flight.results import ResultCache
from query_service.flight.running import Run, Runs
from query_service.flight.statement import Statement, check
from query_service.reader import Reader

CHECKED_STATEMENTS = 500

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Described:
    """A checked statement, the schema of its result, and the types of the parameters that are still open."""

    statement: Statement
    schema: pa.Schema
    parameters: pa.Schema


class FlightQueries:
    """Checks, describes and runs statements; each call is for one reader and sees that reader's apps only."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        self._limits = limits
        self.postgres = FlightPostgres(settings, limits)
        self._changes, self._results, self._runs = Changes(settings), ResultCache(limits), Runs(limits)
        self._described: OrderedDict[Any, Described] = OrderedDict()
        self._described_of: Columns | None = None
        self._lock = threading.Lock()

    def views(self) -> Columns:
        """Every view with its columns."""
        return self.postgres.views()

    def describe(self, sql: str, values: Sequence[Any] | None = None) -> Described:
        """What the statement gives. Raises Refused, psycopg.Error, NotReadyError."""
        views = self.postgres.views()
        key = (sql, None if values is None else repr(values))
        with self._lock:
            if views is not self._described_of:
                self._described_of = views
                self._described.clear()
            if key in self._described:
                return self._described[key]
        names = {view: [column.name for column in columns] for view, columns in views.items()}
        statement = check(sql, names, values)
        columns, parameters = self.postgres.describe(statement.sql)
        fields = [pa.field(f"${number}", type_of_parameter(oid)) for number, oid in enumerate(parameters, 1)]
        described = Described(statement, schema_of(columns), pa.schema(fields))
        with self._lock:
            self._described[key] = described
            if len(self._described) > CHECKED_STATEMENTS:
                self._described.popitem(last=False)
        return described

    def run(
        self, described: Described, reader: Reader, is_gone: Callable[[], bool]
    ) -> pa.Table | Iterator[pa.RecordBatch]:
        """The rows: a table where they are still known, else batches as PostgreSQL makes them.

        The batches raise CutOff at a limit, and AdbcError as PostgreSQL does.
        """
        key, version = (described.statement.sql, reader.app_ids), None
        if described.statement.is_timeless:
            version = self._changes.version(described.statement.relations)
        if version is not None and (table := self._results.find(key, version)) is not None:
            return table
        return self._batches(described, reader, is_gone, None if version is None else (key, version))

    def stop(self) -> None:
        """End what runs, and every connection."""
        self._runs.stop()
        self._changes.stop()
        self.postgres.close()

    def _batches(
        self, described: Described, reader: Reader, is_gone: Callable[[], bool], keep: tuple[Any, Any] | None
    ) -> Iterator[pa.RecordBatch]:
        began, rows, size = time.monotonic(), 0, 0
        kept: list[pa.RecordBatch] | None = None if keep is None else []
        for batch in self._read(described, reader, is_gone):
            rows, size = rows + batch.num_rows, size + batch.nbytes
            self._check_size(rows, size)
            if kept is not None and size <= self._limits.cached_result_bytes:
                kept.append(batch)
            else:
                kept = None
            yield batch
        if keep is not None and kept is not None:
            self._results.keep(*keep, pa.Table.from_batches(kept, described.schema))
        taken = round((time.monotonic() - began) * 1000, 1)
        logger.info("query answered", views=sorted(described.statement.relations), rows=rows, bytes=size, ms=taken)

    def _check_size(self, rows: int, size: int) -> None:
        if rows > self._limits.rows:
            raise CutOff(f"The query was cut off: a result has at most {self._limits.rows:,} rows; ask for less.")
        if size > self._limits.bytes:
            raise CutOff(f"The query was cut off: a result has at most {self._limits.bytes:,} bytes; ask for less.")

    def _read(self, described: Described, reader: Reader, is_gone: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        with ExitStack() as stack:
            stack.enter_context(self._runs.place(reader.subject))
            connection = stack.enter_context(self.postgres.connection(reader.app_ids))
            run = stack.enter_context(self._run_of(connection, is_gone))
            statement = stack.enter_context(open_statement(connection, described.statement.sql))
            with self._runs.turn(reader.subject, run):
                handle, _ = statement.execute_query()
                batches = AdbcRecordBatchReader._import_from_c(handle.address)  # noqa: SLF001
                stack.enter_context(closing(batches))
            while True:
                with self._runs.turn(reader.subject, run):
                    batch = _next(batches)
                if batch is None:
                    return
                yield from _pieces(conform(batch, described.schema))

    @contextmanager
    def _run_of(self, connection: AdbcConnection, is_gone: Callable[[], bool]) -> Iterator[Run]:
        run = Run(self._limits, connection.cancel, is_gone)
        with self._runs.watched(run):
            yield run


def _next(batches: AdbcRecordBatchReader) -> pa.RecordBatch | None:
    try:
        return batches.read_next_batch()
    except StopIteration:
        return None


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in pieces of some megabytes: clients refuse larger messages, those of ADBC above 16 MB."""
    if batch.nbytes <= 2 * BATCH_BYTES or batch.num_rows <= 1:
        yield batch
        return
    length = max(1, batch.num_rows * BATCH_BYTES // batch.nbytes)
    for start in range(0, batch.num_rows, length):
        yield batch.slice(start, length)
