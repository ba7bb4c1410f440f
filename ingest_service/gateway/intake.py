"""Judges the events of a request, and puts each into the envelope of its app."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from eventmill.contracts.decode import (
    AppRules,
    DecodeContext,
    Decoded,
    EnvelopeContext,
    Filtered,
    Rejected,
    decode_event,
    uuid7,
)
from eventmill.contracts.event import StoredEvent
from eventmill.contracts.limits import MAX_EVENT_BYTES
from eventmill.contracts.reasons import Reason
from ingest_service.gateway.problems import Problem


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What holds for all events of a request.

    `apps` are those that its key covers. `default_app` takes events that name none. `visitor_id` gives the anonymous
    id of this client in an app; it may raise NotReadyError.
    """

    apps: Mapping[str, AppRules]
    default_app: str | None
    received_at: datetime
    history: bool
    history_start: datetime
    defaults: Mapping[str, str | bool]
    visitor_id: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Judged:
    """An event's verdict; `event_id` is the one that its line carries."""

    app_id: str
    decoded: Decoded
    event_id: str | None

    @property
    def is_good(self) -> bool:
        """Whether the event is stored rather than quarantined."""
        return isinstance(self.decoded, StoredEvent)


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
    judges: dict[str, _Judge] = {}
    verdicts: list[Judged] = []
    for raw in events:
        app_id = _app_of(raw, facts)
        judge = judges.get(app_id)
        if judge is None:
            judge = judges[app_id] = _Judge(app_id, facts)
        verdicts.append(judge.judge(raw))
    return [judge.envelope for judge in judges.values()], verdicts


def _app_of(raw: bytes, facts: RequestFacts) -> str:
    """The app whose envelope an event goes into; there the decoder rejects an event that names another one."""
    if len(facts.apps) == 1:
        return next(iter(facts.apps))
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
        self._app_id, self._facts = app_id, facts
        context = EnvelopeContext(app_id, facts.received_at, facts.history, facts.defaults)
        self.envelope = Envelope(context)
        self._context = DecodeContext(facts.apps[app_id], context, facts.history_start, self._assign_id)
        self._assigned: str | None = None

    def _assign_id(self) -> str:
        self._assigned = str(uuid7())
        return self._assigned

    def judge(self, raw: bytes) -> Judged:
        line, decoded = self._decode(raw)
        event_id = decoded.event_id
        if self._assigned is not None and isinstance(decoded, StoredEvent):
            spliced = splice(line, "event_id", self._assigned)
            # At the very limit there is no room for an id; the writer then assigns one of its own.
            fits = len(spliced) <= MAX_EVENT_BYTES
            line, event_id = (spliced, self._assigned) if fits else (line, None)
        if isinstance(decoded, Filtered):
            self.envelope.filtered[decoded.kind.value] += 1
        else:
            self.envelope.lines.append(line)
        return Judged(self._app_id, decoded, event_id)

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
