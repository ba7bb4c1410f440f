"""What people note beside the numbers, and what backfills and restatements note by themselves."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import class_row

from eventmill.control.apps import get_app
from eventmill.control.dashboards import possible, unknown
from eventmill.errors import DefinitionError

MAX_ANNOTATIONS = 10_000
MAX_TEXT = 1_000
MAX_ROWS = 1_000
_COLUMNS = "annotation_id::text as id, 'note' as kind, starts_at, ends_at, text, created_at"
# A restatement of a hundred hours of a day is one thing to whoever looks at that day.
_RESTATED = """
    select local_date, cause, count(distinct (table_name, grain, period_start)) as periods,
        count(distinct metric) filter (where value_before is distinct from value_after) as metrics,
        max(restated_at) as restated_at
    from rollups.restatement where app_id = %(app)s and local_date >= %(first)s and local_date <= %(last)s
    group by local_date, cause order by local_date, cause limit %(limit)s
"""
_BACKFILLS = """
    select backfill_id, first_date, last_date, started_at, finished_at from control.backfill
    where (apps = '' or %(app)s = any(string_to_array(apps, ','))) and first_date <= %(last)s and last_date >= %(first)s
    order by backfill_id limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Annotation:
    """`ends_at` None: an instant. Those of kind backfill and restatement are made of their own tables."""

    id: str
    kind: Literal["note", "backfill", "restatement"]
    starts_at: datetime
    ends_at: datetime | None
    text: str
    created_at: datetime


def in_range(
    connection: psycopg.Connection[Any], app_id: str, zone: ZoneInfo, days: tuple[date, date]
) -> list[Annotation]:
    """All that concern local days `[first, end)`, by when they start; at most 1,000 of each kind."""
    first, end = days
    start, stop = (datetime.combine(day, time(), tzinfo=zone) for day in days)
    with connection.cursor(row_factory=class_row(Annotation)) as cursor:
        notes = cursor.execute(
            f"select {_COLUMNS} from control.annotation where app_id = %s and starts_at < %s"  # noqa: S608 - our own text
            " and coalesce(ends_at, starts_at) >= %s order by starts_at limit %s",
            [app_id, stop, start, MAX_ROWS],
        ).fetchall()
    asked = {"app": app_id, "first": first, "last": end - timedelta(days=1), "limit": MAX_ROWS}
    made = [_backfill(row, zone) for row in connection.execute(_BACKFILLS, asked).fetchall()]
    made += [_restatement(row, zone) for row in connection.execute(_RESTATED, asked).fetchall()]
    return sorted([*notes, *made], key=lambda one: (one.starts_at, one.id))


def create(
    connection: psycopg.Connection[Any], app_id: str, starts_at: datetime, ends_at: datetime | None, text: object
) -> Annotation:
    """Keep a note. The caller commits. Raises DefinitionError that names the field and the rule."""
    get_app(connection, app_id)
    kept = connection.execute("select count(*) from control.annotation where app_id = %s", [app_id]).fetchone()
    if kept is not None and kept[0] >= MAX_ANNOTATIONS:
        raise DefinitionError("annotation", f"an app has at most {MAX_ANNOTATIONS} of them")
    _check_times(starts_at, ends_at)
    with connection.cursor(row_factory=class_row(Annotation)) as cursor:
        found = cursor.execute(
            "insert into control.annotation (app_id, starts_at, ends_at, text) values (%s, %s, %s, %s)"  # noqa: S608 - ours
            f" returning {_COLUMNS}",
            [app_id, starts_at, ends_at, _checked_text(text)],
        ).fetchone()
    if found is None:
        raise AssertionError("an insert returns its row")
    return found


def get(connection: psycopg.Connection[Any], app_id: str, annotation_id: str) -> Annotation:
    """One note. Raises UnknownDefinitionError where the app has none of that id."""
    with connection.cursor(row_factory=class_row(Annotation)) as cursor:
        found = cursor.execute(
            f"select {_COLUMNS} from control.annotation"  # noqa: S608 - our own text
            " where app_id = %s and annotation_id::text = %s",
            [app_id, possible(annotation_id)],
        ).fetchone()
    if found is None:
        raise unknown("annotation", annotation_id)
    return found


def update(
    connection: psycopg.Connection[Any],
    app_id: str,
    annotation_id: str,
    starts_at: datetime,
    ends_at: datetime | None,
    text: object,
) -> Annotation:
    """Replace a note. The caller commits. Raises UnknownDefinitionError, DefinitionError."""
    found = get(connection, app_id, annotation_id)
    _check_times(starts_at, ends_at)
    connection.execute(
        "update control.annotation set starts_at = %s, ends_at = %s, text = %s, updated_at = now()"
        " where annotation_id::text = %s",
        [starts_at, ends_at, _checked_text(text), found.id],
    )
    return get(connection, app_id, annotation_id)


def delete(connection: psycopg.Connection[Any], app_id: str, annotation_id: str) -> None:
    """Delete a note. The caller commits. Raises UnknownDefinitionError."""
    found = get(connection, app_id, annotation_id)
    connection.execute("delete from control.annotation where annotation_id::text = %s", [found.id])


def _check_times(starts_at: datetime, ends_at: datetime | None) -> None:
    if ends_at is not None and ends_at <= starts_at:
        raise DefinitionError("ends_at", "later than starts_at")


def _checked_text(text: object) -> str:
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT or "\x00" in text:
        raise DefinitionError("text", f"1 to {MAX_TEXT} characters")
    return text


def _backfill(row: tuple[Any, ...], zone: ZoneInfo) -> Annotation:
    number, first, last, started_at, finished_at = row
    state = "is under way" if finished_at is None else f"finished {finished_at:%Y-%m-%d %H:%M} UTC"
    start, end = (datetime.combine(day, time(), tzinfo=zone) for day in (first, last + timedelta(days=1)))
    return Annotation(f"backfill:{number}", "backfill", start, end, f"Computed again ({state}).", started_at)


def _restatement(row: tuple[Any, ...], zone: ZoneInfo) -> Annotation:
    day, cause, periods, metrics, restated_at = row
    start, end = (datetime.combine(one, time(), tzinfo=zone) for one in (day, day + timedelta(days=1)))
    what = f"{periods} period{'s' if periods != 1 else ''}, {metrics} metric{'s' if metrics != 1 else ''}"
    text = f"Numbers of closed periods changed ({cause}: {what})."
    return Annotation(f"restatement:{day}:{cause}", "restatement", start, end, text, restated_at)
