"""The columns of usual events: what the payload says, completed column by column as `decode_event` does one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from eventmill.contracts import derive
from eventmill.contracts.batch import UsualEvents
from eventmill.contracts.decode import EnvelopeContext, default_source, default_version
from eventmill.contracts.event import SOURCES
from eventmill.contracts.event_ids import new_event_id
from eventmill.contracts.schema import EVENTS_SCHEMA, INSTANT
from eventmill.envelopes.visits import combined, distinct, origin

_HOURS_PER_DAY = 24
_CAMPAIGN = derive.UTM_NAMES[:3]


@dataclass(frozen=True, slots=True)
class Portion:
    """The usual events of one envelope, whose sections have these contexts."""

    sequence: int
    contexts: Sequence[EnvelopeContext]
    events: UsualEvents


def usual_table(portions: Sequence[Portion], schema: pa.Schema = EVENTS_SCHEMA) -> pa.Table:
    """The events of all portions, in their order, with the columns of `schema`: some of EVENTS_SCHEMA, or all."""
    columns = _Columns(portions)
    return pa.table([columns.column(field) for field in schema], schema=schema)


class _Columns:
    """Makes each column of the table, from the payload's fields, their contexts, and their distinct pages."""

    def __init__(self, portions: Sequence[Portion]) -> None:
        self._portions = portions
        self._count = sum(len(portion.events) for portion in portions)
        self._contexts = [context for portion in portions for context in portion.contexts]
        self._context_of = _context_numbers(portions)
        self._derived: dict[str, Callable[[], pa.Array]] = {
            "app_id": lambda: self._of_context(lambda context: context.app_id),
            "event_id": self._event_ids,
            "event_type": lambda: self._event_types,
            "event_name": lambda: _first(self._given("event_name"), self._event_types),
            "event_time": lambda: self._instants("event_time"),
            "timestamp": lambda: self._instants("timestamp"),
            "sent_at": lambda: self._instants("sent_at"),
            "received_at": lambda: self._of_context(lambda context: context.received_at, INSTANT),
            "source": self._sources,
            "page_url": lambda: self._of_page(lambda page: page.url),
            "page_path": lambda: _first(self._given("page_path"), self._of_page(lambda page: page.path)),
            "page_query": lambda: self._of_page(lambda page: page.query),
            "page_title": lambda: self._sent("page_title"),
            "duration_ms": lambda: self._sent("duration_ms", pa.int64()),
            "is_bot": self._are_bots,
            "schema_version": lambda: self._given_or("schema_version", lambda context, _: default_version(context)),
            "properties": self._properties,
            "referrer_host": lambda: self._of_visit(0),
            "channel": lambda: self._of_visit(1),
            "click_id": lambda: self._of_page(lambda page: page.click_id),
            "plan_violation": lambda: pa.nulls(self._count, pa.string()),
            "shifted": lambda: self._joined(lambda portion: portion.events.shifted),
            "event_date": lambda: self._home_days.cast(pa.int32()).cast(pa.date32()),
            "event_hour": self._home_hours_of_day,
            "stream_seq": self._sequences,
            "row_no": lambda: self._joined(lambda portion: portion.events.rows),
        }

    def column(self, field: pa.Field) -> pa.Array:
        """One column of EVENTS_SCHEMA."""
        name: str = field.name
        if name in self._derived:
            return self._derived[name]()
        if name in derive.UTM_NAMES:
            return self._utm(name)
        return self._given_or(name, _default_text) if name in _WITH_DEFAULTS else self._given(name)

    def _sent(self, name: str, kind: pa.DataType | None = None) -> pa.Array:
        """A field as the payloads have it, null where it is missing."""
        kind = kind or pa.string()
        if not any(name in portion.events.fields for portion in self._portions):
            return pa.nulls(self._count, kind)
        missing = [pa.nulls(len(portion.events), kind) for portion in self._portions]
        return pa.concat_arrays(
            [portion.events.fields.get(name, nulls) for portion, nulls in zip(self._portions, missing, strict=True)]
        )

    def _given(self, name: str) -> pa.Array:
        """A text field, null where it is missing or empty."""
        texts = self._sent(name)
        if texts.null_count == self._count:
            return texts
        is_empty = pc.equal(pc.binary_length(texts), 0)
        return pc.if_else(is_empty, None, texts) if pc.any(is_empty).as_py() else texts

    def _of_context(self, value: Callable[[EnvelopeContext], Any], kind: pa.DataType | None = None) -> pa.Array:
        return pa.array(list(map(value, self._contexts)), kind or pa.string()).take(self._context_of)

    def _given_or(self, name: str, default: Callable[[EnvelopeContext, str], str | None]) -> pa.Array:
        defaults = [default(context, name) for context in self._contexts]
        given = self._given(name)
        if not any(defaults):
            return given
        if given.null_count == 0:
            return given
        return _first(given, pa.array(defaults, pa.string()).take(self._context_of))

    @cached_property
    def _pages(self) -> tuple[pa.Array, list[derive.Page | None]]:
        """For each event the number of its page, and the distinct pages."""
        encoded = self._given("page_url").dictionary_encode()
        return encoded.indices, [derive.page(address) for address in encoded.dictionary.to_pylist()]

    def _utm(self, name: str) -> pa.Array:
        number = derive.UTM_NAMES.index(name)
        return _first(self._given(name), self._of_page(lambda page: page.utm[number]))

    @cached_property
    def _visits(self) -> tuple[pa.Array, list[tuple[str | None, str | None]]]:
        """For each event the number of the place that its visit came from, and those places: host and channel."""
        numbers, pages = self._pages
        visits = distinct(numbers, pages, lambda page: (page.host, page.click_id, page.utm))
        referrers = self._given("referrer").dictionary_encode()
        visits = combined(visits, distinct(referrers.indices, referrers.dictionary.to_pylist(), derive.host_of))
        for name in _CAMPAIGN:
            given = self._given(name).dictionary_encode()
            visits = combined(visits, distinct(given.indices, given.dictionary.to_pylist(), lambda value: value))
        return visits.numbers, [origin(*values) for values in visits.values]

    def _of_visit(self, part: int) -> pa.Array:
        numbers, places = self._visits
        return pa.array([place[part] for place in places], pa.string()).take(numbers)

    def _of_page(self, part: Callable[[derive.Page], str | None]) -> pa.Array:
        numbers, pages = self._pages
        parts = [part(page) for page in pages if page is not None]
        if not any(found is not None for found in parts):
            return pa.nulls(self._count, pa.string())
        return pa.array(parts, pa.string()).take(numbers)

    def _event_ids(self) -> pa.Array:
        ids = self._given("event_id")
        return pa.array([given or new_event_id() for given in ids.to_pylist()]) if ids.null_count else ids

    @cached_property
    def _event_types(self) -> pa.Array:
        return _filled(self._given("event_type"), "page_view")

    def _sources(self) -> pa.Array:
        given = self._given("source")
        for alias, source in SOURCES.items():
            if alias != source:
                given = pc.if_else(pc.equal(given, alias), source, given)
        return _first(given, self._of_context(lambda context: SOURCES.get(default_source(context))))

    def _are_bots(self) -> pa.Array:
        defaults = self._of_context(lambda context: context.defaults.get("is_bot") is True, pa.bool_())
        return _first(self._sent("is_bot", pa.bool_()), defaults)

    def _properties(self) -> pa.Array:
        return _filled(self._given("properties"), "{}")

    def _joined(self, part: Callable[[Portion], pa.Array]) -> pa.Array:
        return pa.concat_arrays([part(portion) for portion in self._portions])

    def _instants(self, name: str) -> pa.Array:
        return self._joined(lambda portion: getattr(portion.events, name)).cast(INSTANT)

    @cached_property
    def _home_hours(self) -> pa.Array:
        return self._joined(lambda portion: portion.events.home_hour)

    @cached_property
    def _home_days(self) -> pa.Array:
        return pc.divide(self._home_hours, _HOURS_PER_DAY)

    def _home_hours_of_day(self) -> pa.Array:
        return pc.subtract(self._home_hours, pc.multiply(self._home_days, _HOURS_PER_DAY)).cast(pa.int32())

    def _sequences(self) -> pa.Array:
        sequences = [portion.sequence for portion in self._portions for _ in portion.contexts]
        return pa.array(sequences, pa.int64()).take(self._context_of)


# Fields that the envelope's context fills.
_WITH_DEFAULTS = frozenset({"device_type", "os", "browser", "country", "sdk_version"})


def _default_text(context: EnvelopeContext, name: str) -> str | None:
    value = context.defaults.get(name)
    return value if isinstance(value, str) and value else None


def _first(values: pa.Array, others: pa.Array) -> pa.Array:
    """Each value, or the other one where it is null. Texts are copied only where some are and some are not."""
    if values.null_count == 0:
        return values
    return others if values.null_count == len(values) else pc.coalesce(values, others)


def _filled(values: pa.Array, value: str) -> pa.Array:
    return pc.fill_null(values, value) if values.null_count else values


def _context_numbers(portions: Sequence[Portion]) -> pa.Array:
    """For each event the number of its context among those of all portions."""
    numbers: list[pa.Array] = []
    first = 0
    for portion in portions:
        numbers.append(pc.add(portion.events.spans, pa.scalar(first, pa.int32())))
        first += len(portion.contexts)
    return pa.concat_arrays(numbers)
