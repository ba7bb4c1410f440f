"""What a worker can compute: one function a task, from a job to rows and a body of a few values."""

from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from query_service.lake import analyses, growing
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
    return session.table(last.sql, last.values), {}


def copies(session: Session, job: Job) -> Answer:
    """Rows (event_date, event_hour, place): those of `paths` that are copies of an event stored before them.

    Numbers are quicker to group by than ids: ids that share a hash are candidates, which are then compared as they are.
    """
    session.use_files("home_files", job.arguments["paths"])
    return session.table(_COPIES), {}


def new_copies(session: Session, job: Job) -> Answer:
    """No rows; the body says whether there is anything to look into."""
    return pa.table({}), {"is_suspicious": growing.has_new_copies(session, job)}


_COPIES = """
    with candidates as (
        select event_date, event_hour, hash(app_id, event_id) as event_hash
        from home_files group by all having count(*) > 1
    )
    select event_date, event_hour, place_of(stream_seq, row_no) as place
    from home_files
    inner join candidates using (event_date, event_hour)
    where hash(home_files.app_id, home_files.event_id) = candidates.event_hash
    qualify row_number() over (partition by event_date, event_hour, app_id, event_id order by place) > 1
"""
_TASKS: dict[str, Callable[[Session, Job], Answer]] = {
    "rows": rows,
    "copies": copies,
    "new_copies": new_copies,
    "funnel": analyses.funnel_rows,
    "funnel_people": analyses.funnel_people,
    "retention": analyses.retention_rows,
    "retention_people": analyses.retention_people,
    "row_people": analyses.row_people,
}
