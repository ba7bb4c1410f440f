"""Tasks that follow people through their events: funnels, cohorts, and who is behind a number of either."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa

from eventmill.analysis import funnel, retention
from eventmill.analysis.cohorts import CohortDefinition, parse_cohort
from eventmill.analysis.funnel_definition import CountBy, FunnelDefinition, Order, parse_funnel
from eventmill.analysis.funnel_events import Scope
from eventmill.analysis.local_days import Calendar, Interval
from eventmill.analysis.retention import CellKey, Mode, Recurrence
from query_service.lake import event_sql
from query_service.lake.jobs import Job, Statement
from query_service.lake.relations import Session

Answer = tuple[pa.Table, dict[str, Any]]
_STEPS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("breakdown_kind", "breakdown_value")),
        *(pa.field("step", pa.int32()), pa.field("name", pa.string()), pa.field("users", pa.int64())),
        *(
            pa.field(name, pa.float64())
            for name in ("conversion_from_start", "conversion_from_previous", "dropoff_percent")
        ),
        pa.field("in_progress", pa.int64()),
        *(pa.field(name, pa.float64()) for name in ("median_seconds", "mean_seconds")),
    ]
)
_CELLS = pa.schema(
    [
        *(pa.field("cohort_date", pa.date32()), pa.field("period_offset", pa.int32())),
        *(pa.field("cohort_size", pa.int64()), pa.field("returning_users", pa.int64())),
        pa.field("is_incomplete", pa.bool_()),
    ]
)


class FunnelArguments(msgspec.Struct, frozen=True):
    """A funnel with its range. `step` and what follows say whose list is wanted."""

    definition: dict[str, Any]
    complete_through: datetime | None = None
    step: int = 1
    most: int = 100
    offset: int = 0
    is_dropped: bool = False
    group: tuple[str | None] | None = None


class RetentionArguments(msgspec.Struct, frozen=True):
    """A cohort and the table that is wanted of it; with `period_offset` or `cohort_date` the people of a cell."""

    definition: dict[str, Any]
    time_zone: str
    week_start: int
    complete_through: datetime
    interval: Interval = "week"
    mode: Mode = "on"
    recurrence: Recurrence = "first_time"
    cohort_date: date | None = None
    period_offset: int | None = None
    most: int = 100
    offset: int = 0


def funnel_rows(session: Session, job: Job) -> Answer:
    """Rows of the steps: the total's, then those of each value of the breakdown."""
    asked = msgspec.convert(job.arguments, FunnelArguments)
    definition = parse_funnel(asked.definition)
    events = _use_funnel_events(session, definition, is_quick=True)
    steps = funnel.run(session.connection, definition, events, complete_through=asked.complete_through)
    rows = [dict(zip(_STEPS.names, step, strict=True)) for step in steps]
    return pa.Table.from_pylist(rows, schema=_STEPS), {}


def funnel_people(session: Session, job: Job) -> Answer:
    """Rows actor: texts of actors, or keys of sessions."""
    asked = msgspec.convert(job.arguments, FunnelArguments)
    definition = parse_funnel(asked.definition)
    events = _use_funnel_events(session, definition, is_quick=False)
    found = funnel.people(
        session.connection, definition, events, step=asked.step, is_dropped=asked.is_dropped, group=asked.group
    )
    session.connection.register("found_people", found)
    return page_of_people(session, Statement("from found_people"), asked.most, asked.offset)


def page_of_people(session: Session, people: Statement, most: int, offset: int) -> Answer:
    """Rows actor, in order, of a query of it; the body says how many there are in `total`."""
    session.connection.execute(f"create or replace temp table listed_people as {people.sql}", list(people.values))
    [(total,)] = session.connection.execute("select count(*) from listed_people").fetchall()
    page = f"select actor::varchar as actor from listed_people order by actor limit {most} offset {offset}"
    return session.table(page), {"total": total}


def row_people(session: Session, job: Job) -> Answer:
    """Rows actor: the visitors that a row of a question counts."""
    session.use_actors()
    people = msgspec.convert(job.arguments["people"], Statement)
    return page_of_people(session, people, int(job.arguments["most"]), int(job.arguments["offset"]))


def _use_funnel_events(session: Session, definition: FunnelDefinition, *, is_quick: bool) -> str:
    """Events of the app, with sessions where these count. `is_quick`: actors may be numbers."""
    if definition.count_by is CountBy.SESSION:
        session.use_actors()
        session.connection.execute(event_sql.spans_statement(include_bots=definition.include_bots))
        session.connection.execute(event_sql.SESSION_EVENTS)
        return "session_events"
    scope = Scope.of(definition, "keyed_events")
    # Where steps overlap in any order, Python assigns them, and expects texts.
    if not is_quick or (definition.order is Order.ANY and not scope.has_distinct_steps):
        session.use_actors()
        return "actor_events"
    session.connection.execute(event_sql.KEYED_EVENTS)
    return "keyed_events"


def retention_rows(session: Session, job: Job) -> Answer:
    """Cells of one interval, mode and recurrence; the body has user_count and daily_visitors."""
    asked = msgspec.convert(job.arguments, RetentionArguments)
    definition, calendar = _cohort(asked)
    session.use_actors()
    result = retention.compute(
        session.connection,
        definition,
        calendar,
        app_id=job.app_id,
        complete_through=asked.complete_through,
        intervals=[asked.interval],
        recurrences=[asked.recurrence],
    )
    names = _CELLS.names
    rows = [{name: getattr(cell, name) for name in names} for cell in result.cells if cell.mode == asked.mode]
    body = {"user_count": result.user_count, "daily_visitors": result.daily_visitors}
    return pa.Table.from_pylist(rows, schema=_CELLS), body


def retention_people(session: Session, job: Job) -> Answer:
    """Rows actor."""
    asked = msgspec.convert(job.arguments, RetentionArguments)
    definition, calendar = _cohort(asked)
    session.use_actors()
    cell = None
    if asked.cohort_date is not None:
        cell = CellKey(asked.interval, asked.mode, asked.recurrence, asked.cohort_date, asked.period_offset)
    sql = retention.people(
        session.connection,
        definition,
        calendar,
        app_id=job.app_id,
        complete_through=asked.complete_through,
        cell=cell,
    )
    return page_of_people(session, Statement(sql), asked.most, asked.offset)


def _cohort(asked: RetentionArguments) -> tuple[CohortDefinition, Calendar]:
    return parse_cohort(asked.definition), Calendar(ZoneInfo(asked.time_zone), asked.week_start)
