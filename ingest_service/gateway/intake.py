"""Judges the events of a request, and puts each into the envelope of its app."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec

from eventmill.contracts.batch import LEAST_USUAL, usual_ids
from eventmill.contracts.decode import (
    AppRules,
    DecodeContext,
    Decoded,
    EnvelopeContext,
    Filtered,
    Rejected,
    decode_event,
)
from eventmill.contracts.event import StoredEvent
from eventmill.contracts.event_ids import new_event_id
from eventmill.contracts.filters import FilterKind
from eventmill.contracts.limits import MAX_EVENT_BYTES
from eventmill.contracts.parse import event_id_of
from eventmill.contracts.reasons import Reason
from ingest_service.gateway.problems import Problem


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What holds for all events of a request.

    `apps` are those that its key covers. `default_app` takes events that name none. `visitor_id` gives the anonymous
    id of this client in an app; it may raise NotReadyError. `address` is the client's, and goes nowhere from here.
    """

    apps: Mapping[str, AppRules]
    default_app: str | None
    received_at: datetime
    history: bool
    history_start: datetime
    defaults: Mapping[str, str | bool]
    visitor_id: Callable[[str], str]
    address: str = ""


class Judged(NamedTuple):
    """An event's verdict: `refused` says why it is not stored, None where it is. Its line carries `event_id`."""

    app_id: str
    refused: Rejected | Filtered | None
    event_id: str | None

    @property
    def is_good(self) -> bool:
        """Whether the event is stored."""
        return self.refused is None


@dataclass(slots=True)
class Envelope:
    """The events of one app: the lines to publish, what holds for all of them, and how many were left out, by kind."""

    context: EnvelopeContext
    lines: list[bytes] = field(default_factory=list)
    filtered: Counter[str] = field(default_factory=Counter)


class _Named(msgspec.Struct):
    app_id: str | None = None


_NAMED = msgspec.json.Decoder(_Named)


def take_in(events: Sequence[bytes], facts: RequestFacts) -> tuple[list[Envelope], list[Judged]]:
    """Envelopes, one an app, and the verdicts in the order of the request.

    Raises Problem 400 where the key covers several apps and an event does not say which it is for.
    """
    if len(facts.apps) == 1:
        judge = _Judge(next(iter(facts.apps)), facts)
        return [judge.envelope], judge.judge(events)
    app_ids = [_app_of(raw, facts) for raw in events]
    judges = {app_id: _Judge(app_id, facts) for app_id in dict.fromkeys(app_ids)}
    verdicts = {
        app_id: iter(judge.judge([raw for raw, named in zip(events, app_ids, strict=True) if named == app_id]))
        for app_id, judge in judges.items()
    }
    return [judge.envelope for judge in judges.values()], [next(verdicts[app_id]) for app_id in app_ids]


def _app_of(raw: bytes, facts: RequestFacts) -> str:
    """The app whose envelope an event goes into; there the decoder rejects an event that names another one."""
    fallback = facts.default_app or next(iter(facts.apps))
    try:
        named = _NAMED.decode(raw).app_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return fallback  # it is rejected in whichever app
    if named is None and facts.default_app is None:
        rule = "With a key of several apps each event names its `app_id`, or the query parameter `app_id` does."
        raise Problem(400, "Bad Request", "An event does not say which app it is for.", field="app_id", rule=rule)
    return named if named is not None and named in facts.apps else fallback


class _Judge:
    """Judges the events of one app, and collects their lines."""

    def __init__(self, app_id: str, facts: RequestFacts) -> None:
        self._app_id, self._facts, self._rules = app_id, facts, facts.apps[app_id]
        context = EnvelopeContext(app_id, facts.received_at, facts.history, facts.defaults)
        self.envelope = Envelope(context)
        self._context = DecodeContext(self._rules, context, facts.history_start, self._assign_id)
        self._assigned: str | None = None

    def judge(self, events: Sequence[bytes]) -> list[Judged]:
        """The verdicts, in order; the lines go to the envelope."""
        # Who sends history is not whom the events are about.
        if not self._facts.history and self._rules.filters.covers_address(self._facts.address):
            self.envelope.filtered[FilterKind.ADDRESS.value] += len(events)
            return [
                Judged(self._app_id, Filtered(FilterKind.ADDRESS, event_id := event_id_of(raw)), event_id)
                for raw in events
            ]
        ids: Mapping[int, str] = {}
        if len(events) >= LEAST_USUAL:
            ids = usual_ids(events, self.envelope.context, self._rules, self._facts.history_start)
        return [
            self._judge_one(raw) if (event_id := ids.get(row)) is None else self._take_usual(raw, event_id)
            for row, raw in enumerate(events)
        ]

    def _take_usual(self, raw: bytes, event_id: str) -> Judged:
        if event_id:
            self.envelope.lines.append(raw)
            return Judged(self._app_id, None, event_id)
        return self._take_with_id(raw, new_event_id())

    def _take_with_id(self, raw: bytes, assigned: str) -> Judged:
        line = splice(raw, "event_id", assigned)
        # At the very limit there is no room for an id; the writer then assigns one of its own.
        fits = len(line) <= MAX_EVENT_BYTES
        self.envelope.lines.append(line if fits else raw)
        return Judged(self._app_id, None, assigned if fits else None)

    def _assign_id(self) -> str:
        self._assigned = new_event_id()
        return self._assigned

    def _judge_one(self, raw: bytes) -> Judged:
        line, decoded = self._decode(raw)
        if isinstance(decoded, Filtered):
            self.envelope.filtered[decoded.kind.value] += 1
            return Judged(self._app_id, decoded, decoded.event_id)
        if isinstance(decoded, StoredEvent) and self._assigned is not None:
            return self._take_with_id(line, self._assigned)
        self.envelope.lines.append(line)
        return Judged(self._app_id, decoded if isinstance(decoded, Rejected) else None, decoded.event_id)

    def _decode(self, raw: bytes) -> tuple[bytes, Decoded]:
        """The line to publish and its verdict; a web event without any id gets this client's id of the day."""
        self._assigned = None
        decoded = decode_event(raw, self._context)
        lacks_id = isinstance(decoded, Rejected) and decoded.reason is Reason.MISSING_IDENTITY
        if not lacks_id or self._facts.history:
            return raw, decoded
        line = splice(raw, "anonymous_id", self._facts.visitor_id(self._app_id))
        with_id = decode_event(line, self._context)
        if isinstance(with_id, StoredEvent) and with_id.source == "web":
            return line, with_id
        return raw, decoded


def splice(raw: bytes, name: str, value: str) -> bytes:
    """A JSON object with one more member, given as plain ASCII; it replaces an earlier one of that name on reading."""
    body = raw.rstrip()[:-1].rstrip()
    comma = b"" if body.endswith(b"{") and body.strip() == b"{" else b","
    return body + comma + f'"{name}":"{value}"}}'.encode("ascii")
