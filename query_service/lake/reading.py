"""What a question reads of the lake, and the statement that answers it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from hashlib import sha256
from importlib.resources import files

import pyarrow as pa

from eventmill.analysis import relations
from query_service.lake import buckets, day_sql, event_sql, session_sql
from query_service.lake.jobs import EventFiles, Statement
from query_service.lake.question_sql import Part, Row, statement
from query_service.lake.snapshots import LakeSnapshots, digest
from query_service.query.catalog import METRIC, SESSION
from query_service.query.periods import is_whole
from query_service.query.ranges import DateRange
from query_service.query.spec import QuerySpec

SESSIONS = "sessions"
_GRAINS_OF_DAYS = {None, "day", "week", "month"}
# A session of an event began on the day of it or the two before.
_DAYS_BEFORE = 2
# Day tables of earlier days are there, or their periods say that they are not.
_NEWEST_DAYS = 3
_DAY, _MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
# The modules whose text is the definition of the numbers.
_DEFINING = ("question_sql", "event_sql", "day_sql", "session_sql", "relations")


@dataclass(frozen=True, slots=True)
class Reading:
    """Files of a question. `is_of_days`: days answer what is counted of events; `events` None: no event is read."""

    spec: QuerySpec
    is_of_days: bool
    events: EventFiles | None = None
    days: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Names the files: with the same name the answer is the same."""
        own = (*self.events.paths, *self.events.edges, "", *self.events.identity_paths) if self.events else ()
        return digest([*own, *(path for name in sorted(self.days) for path in (name, *self.days[name]))])

    @property
    def is_exact(self) -> bool:
        """Whether everything that the question is about is in the lake; days stay when their events are archived."""
        floor = self.spec.tenant.lake_floor
        return floor is None or self.events is None or self.spec.range.instants[0] >= floor

    def statements(self, only: Sequence[Row] | None) -> list[Statement]:
        """The statement of the rows, and before it what it needs."""
        spec = self.spec
        counted = day_sql.day_parts if self.is_of_days else event_sql.event_parts
        parts: list[Part] = [*counted(spec, spec.measures), *session_sql.session_parts(spec, spec.measures)]
        spans = [Statement(event_sql.session_spans(spec))] if _needs_spans(spec, is_of_days=self.is_of_days) else []
        return [*spans, statement(spec, parts, only)]

    def tables(self) -> dict[str, pa.Table]:
        """The periods that rows are joined to."""
        if self.spec.granularity is None:
            return {}
        found = {"day_buckets": buckets.of_days(self.spec, days_of(self.spec))} if self.is_of_days else {}
        has_instants = not self.is_of_days or any(one.rollup is SESSION for one in self.spec.measures)
        return found | ({"buckets": buckets.of_instants(self.spec)} if has_instants else {})


def reading_of(spec: QuerySpec, snapshots: LakeSnapshots) -> Reading:
    """What the question reads, of the files that there are now."""
    of_events = [one for one in spec.measures if one.rollup is METRIC]
    is_of_days = spec.granularity in _GRAINS_OF_DAYS and is_whole(spec.range, "day") and day_sql.fits(spec, of_events)
    is_of_days = is_of_days and snapshots.has_days(spec.tenant.app_id, _newest_days(spec, snapshots))
    names = day_sql.tables(of_events) if is_of_days else []
    days, app_id = days_of(spec), spec.tenant.app_id
    found = {name: snapshots.days(name, app_id, days.start, days.end - _DAY) for name in names}
    if _needs_spans(spec, is_of_days=is_of_days) or any(one.rollup is SESSION for one in spec.measures):
        first = days.start - _DAYS_BEFORE * _DAY
        found[SESSIONS] = snapshots.days(SESSIONS, app_id, first, days.end)
    events = _events(spec, snapshots, is_read=not is_of_days and bool(of_events))
    return Reading(spec, is_of_days, events, found)


def _newest_days(spec: QuerySpec, snapshots: LakeSnapshots) -> list[date]:
    """The last days of the range with events: the pipeline may not have come to them yet."""
    days, app_id = days_of(spec), spec.tenant.app_id
    found = []
    for number in range(1, min(days.days, _NEWEST_DAYS) + 1):
        day = days.end - number * _DAY
        start, end = DateRange(day, day + _DAY, days.time_zone).instants
        if snapshots.events(app_id, *(event_sql.microseconds(at) for at in (start, end))).files:
            found.append(day)
    return found


def days_of(spec: QuerySpec) -> DateRange:
    """The local days that the range meets."""
    zone = spec.tenant.time_zone
    start, end = spec.range.instants
    last = (end - _MICROSECOND).astimezone(zone).date()
    return DateRange(start.astimezone(zone).date(), last + _DAY, zone)


def _events(spec: QuerySpec, snapshots: LakeSnapshots, *, is_read: bool) -> EventFiles | None:
    if not is_read:
        return None
    start, end = event_sql.bounds(spec)
    return snapshots.events(spec.tenant.app_id, start, end).job_files(snapshots.identity_paths)


def _needs_spans(spec: QuerySpec, *, is_of_days: bool) -> bool:
    """Whether events have to be told the sessions that they lie in."""
    counts_sessions = any(measure.name == "unique_sessions" for measure in spec.measures)
    return counts_sessions and not is_of_days


@cache
def definition_version() -> str:
    """Hash of the SQL behind the lake's numbers."""
    own = [(files("query_service.lake") / f"{name}.py").read_text(encoding="utf-8") for name in _DEFINING]
    return sha256("\n".join([relations.definition_text(), *own]).encode()).hexdigest()[:12]
