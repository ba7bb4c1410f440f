"""Which events of a batch are not usual, whatever their times: for those a rule or a default needs a closer look."""

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from itertools import repeat
from typing import Any

import pyarrow as pa

from eventmill.contracts import derive, limits
from eventmill.contracts.batch_columns import Column, Span
from eventmill.contracts.decode import AppRules, EnvelopeContext, default_source, default_version, is_known_version
from eventmill.contracts.event import SOURCES
from eventmill.contracts.filters import Filters
from eventmill.contracts.plan import TrackingPlan
from eventmill.contracts.suppression import Suppression


class Candidates:
    """Tells which of the decoded events are not usual. What is asked of a whole column costs next to nothing."""

    def __init__(
        self, app: AppRules, spans: Sequence[Span], fields: dict[str, Column], span_of: pa.Array, count: int
    ) -> None:
        self._app, self._spans, self._fields, self._span_of = app, spans, fields, span_of
        self._none: Column = [None] * count

    def _column(self, name: str) -> Column:
        return self._fields.get(name, self._none)

    def unusual(self, lines: Sequence[bytes]) -> set[int]:
        """Positions of events on which `decode_event` must decide, for any reason but their times."""
        found: set[int] = set()
        for positions in (
            self._large_or_deep(lines),
            self._outside("app_id", {None, self._app.app_id}),
            self._outside("opt_out", {None, False}),
            self._without_identity(),
            self._without_type(),
            self._by_default("source", default_source, SOURCES.__contains__),
            self._by_default("schema_version", default_version, is_known_version),
            self._odd,
            self._filtered(self._app.filters),
            self._suppressed(self._app.filters.people),
            self._planned(self._app.plan),
        ):
            found.update(positions)
        return found

    def _large_or_deep(self, lines: Sequence[bytes]) -> Collection[int]:
        found = []
        if max(map(len, lines)) > limits.MAX_EVENT_BYTES:
            found = [position for position, line in enumerate(lines) if len(line) > limits.MAX_EVENT_BYTES]
        # Every event and its `properties` open one level each: with few levels beyond those, none is deep.
        texts = self._fields["properties"]
        objects = 2 * len(texts) - texts.count(b"") - len(self._odd)
        most = limits.MAX_NESTING
        if _openers(b"".join(lines)) > objects + most - 2:
            found += [position for position, line in enumerate(lines) if _openers(line) > most]
        return found

    def _outside(self, name: str, allowed: set[Any]) -> Collection[int]:
        column = self._fields.get(name)
        if column is None or set(column) <= allowed:
            return ()
        return [position for position, value in enumerate(column) if value not in allowed]

    def _without_identity(self) -> Collection[int]:
        names = ("anonymous_id", "user_id", "session_id")
        columns = [self._fields[name] for name in names if name in self._fields]
        if any(None not in column and "" not in column for column in columns):
            return ()
        ids = zip(*columns, strict=True) if columns else repeat((), len(self._none))
        return [position for position, given in enumerate(ids) if not any(given)]

    def _without_type(self) -> Collection[int]:
        types = self._column("event_type")
        if None not in types and "" not in types:
            return ()
        pairs = zip(types, self._column("page_url"), strict=True)
        return [position for position, (event_type, url) in enumerate(pairs) if not (event_type or url)]

    def _by_default(
        self, name: str, default: Callable[[EnvelopeContext], str], is_allowed: Callable[[str], bool]
    ) -> Collection[int]:
        """Positions of a value that is not allowed, be it the event's or, where it names none, that of its span."""
        column = self._column(name)
        bad_spans = {number for number, span in enumerate(self._spans) if not is_allowed(default(span.context))}
        bad = {value for value in set(column) if value and not is_allowed(value)}
        if not bad and not bad_spans:
            return ()
        return [
            position
            for position, (value, span) in enumerate(zip(column, self._span_of.to_pylist(), strict=True))
            if (value in bad if value else span in bad_spans)
        ]

    @cached_property
    def _odd(self) -> Collection[int]:
        """Positions of `properties` that are neither missing nor plainly an object."""
        texts = self._fields["properties"]
        is_plain = b"".join(texts).isascii()
        return [
            position
            for position, text in enumerate(texts)
            if text and (text[:1] != b"{" or not (is_plain or _is_utf8(text)))
        ]

    def _filtered(self, filters: Filters) -> Collection[int]:
        if not filters.hosts and not filters.paths:
            return ()
        pairs = list(zip(self._column("page_url"), self._column("page_path"), strict=True))
        met = {pair for pair in set(pairs) if _is_filtered(filters, *pair)}
        return [position for position, pair in enumerate(pairs) if pair in met] if met else ()

    def _suppressed(self, people: Suppression | None) -> Collection[int]:
        if people is None:
            return ()
        pairs = zip(self._column("user_id"), self._column("anonymous_id"), strict=True)
        return [position for position, pair in enumerate(pairs) if people.covers(*pair)]

    def _planned(self, plan: TrackingPlan | None) -> Collection[int]:
        if plan is None:
            return ()
        # An event without a type is a page view, or none of our business here.
        types = (event_type or "page_view" for event_type in self._column("event_type"))
        return [position for position, event_type in enumerate(types) if event_type in plan.types]


def _openers(text: bytes) -> int:
    # To look for a byte that is not there takes a fraction of counting it.
    return text.count(b"{") + (text.count(b"[") if b"[" in text else 0)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_filtered(filters: Filters, url: str | None, path: str | None) -> bool:
    page = derive.page(url) if url else None
    return filters.kind_of(page and page.host, path or (page and page.path)) is not None
