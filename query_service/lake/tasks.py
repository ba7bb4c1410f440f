"""What a worker can compute: one function a task, from a job to rows and a body of a few values."""

from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from query_service.lake.jobs import Job, Statement
from query_service.lake.relations import Session

Answer = tuple[pa.Table, dict[str, Any]]
# What DuckDB says where a data file lacks a column that another one has.
_LACKS_COLUMN = ("could not be found in file", "not found in FROM clause", "schema mismatch")


def run(session: Session, job: Job, tables: Sequence[pa.Table]) -> Answer:
    """Rows of a job. Raises duckdb.Error and whatever a task does."""
    try:
        session.use(job, tables)
        return _TASKS[job.task](session, job)
    except duckdb.Error as error:
        if session.reads_by_name or not any(text in str(error) for text in _LACKS_COLUMN):
            raise
        session.forget()
        session.read_by_name()
        session.use(job, tables)
        return _TASKS[job.task](session, job)


def rows(session: Session, job: Job) -> Answer:
    """The rows of the last statement; those before prepare it."""
    *before, last = msgspec.convert(job.arguments["statements"], list[Statement])
    for statement in before:
        session.connection.execute(statement.sql, list(statement.values))
    return session.connection.sql(last.sql, params=list(last.values)).to_arrow_table(), {}


_TASKS: dict[str, Callable[[Session, Job], Answer]] = {"rows": rows}
