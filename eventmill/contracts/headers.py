"""What an envelope's headers say of its events: one context, or sections that have one each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

from eventmill.contracts import limits, subjects
from eventmill.contracts.decode import EnvelopeContext
from eventmill.contracts.filters import FilterKind

_DEFAULTS = msgspec.json.Decoder(dict[str, str | bool])
_MICROSECOND = timedelta(microseconds=1)

_Count = Annotated[int, Meta(ge=0, le=limits.MAX_REQUEST_EVENTS)]


class EnvelopeError(ValueError):
    """An envelope's body or headers are not of the contract's form."""


@dataclass(frozen=True, slots=True)
class Section:
    """Consecutive lines of an envelope that came in one request.

    `events` counts them; None where they are all lines of the envelope. `filtered` counts by kind the events that the
    gateway left out.
    """

    context: EnvelopeContext
    events: int | None = None
    filtered: Mapping[str, int] = field(default_factory=dict)


class _SectionEntry(msgspec.Struct, array_like=True):
    events: _Count
    offset_us: int
    context: Annotated[int, Meta(ge=0)]
    history: bool = False
    filtered: dict[FilterKind, _Count] = {}


class _SectionList(msgspec.Struct, forbid_unknown_fields=True):
    contexts: list[dict[str, str | bool]]
    sections: Annotated[list[_SectionEntry], Meta(min_length=1, max_length=limits.MAX_REQUEST_EVENTS)]


_SECTIONS = msgspec.json.Decoder(_SectionList)


def encode_headers(sections: Sequence[Section], message_id: str) -> dict[str, str]:
    """Headers of an envelope that the gateway publishes.

    The sections are of one app and say how many events each has. Raises EnvelopeError where there is none, or where
    they need more than MAX_HEADER_BYTES (`section_bytes` adds up to less than that before it comes so far).
    """
    if not sections:
        raise EnvelopeError("an envelope has at least one section")
    base = sections[0].context.received_at
    contexts: dict[str, int] = {}
    entries = []
    for section in sections:
        number = contexts.setdefault(_encode_defaults(section.context.defaults), len(contexts))
        entries.append(_entry(section, base, number))
    # Put together from texts: each context was encoded once, when it was looked up.
    text = f'{{"contexts":[{",".join(contexts)}],"sections":[{",".join(entries)}]}}'
    if len(text) > limits.MAX_HEADER_BYTES:
        message = f"the sections need {len(text):,} bytes of headers, at most {limits.MAX_HEADER_BYTES:,} are allowed"
        raise EnvelopeError(message)
    return {
        subjects.HEADER_MSG_ID: message_id,
        subjects.HEADER_RECEIVED_AT: base.isoformat(timespec="microseconds"),
        subjects.HEADER_SECTIONS: text,
    }


def section_bytes(section: Section) -> int:
    """Upper bound of what a section adds to an envelope's headers, for whoever fills one up to MAX_HEADER_BYTES."""
    fixed = 64  # commas, brackets and numbers of an entry; the names around the lists
    return fixed + len(_encode_defaults(section.context.defaults)) + 24 * len(section.filtered)


def _encode_defaults(defaults: Mapping[str, str | bool]) -> str:
    return _encode_pairs(tuple(defaults.items()))


@lru_cache(maxsize=8_192)
def _encode_pairs(pairs: tuple[tuple[str, str | bool], ...]) -> str:
    # The standard library escapes everything beyond ASCII: a header holds nothing else.
    return json.dumps(dict(pairs), separators=(",", ":"))


def _entry(section: Section, base: datetime, context: int) -> str:
    offset_us = (section.context.received_at - base) // _MICROSECOND
    start = f"[{section.events or 0},{offset_us},{context}"
    if section.filtered:
        return f"{start},{str(section.context.history).lower()},{json.dumps(dict(section.filtered))}]"
    return f"{start},true]" if section.context.history else f"{start}]"


def decode_sections(subject: str, headers: Mapping[str, str] | None, published_at: datetime) -> list[Section]:
    """Sections of a message, at least one, in the order of its lines.

    Without headers (direct NATS) `received_at` is the broker's own timestamp, and one section holds all lines. No
    section was received after the broker stored it: a header that says so, by a wrong clock or on purpose, would put
    events into periods that are still to come. Raises EnvelopeError where a header does not have its form.
    """
    given = headers or {}
    stored_at = published_at.astimezone(UTC)
    received_at = _instant(given.get(subjects.HEADER_RECEIVED_AT)) or stored_at
    app_id = subjects.app_of(subject)
    if text := given.get(subjects.HEADER_SECTIONS):
        return _sections(app_id, text, received_at, stored_at)
    history = given.get(subjects.HEADER_HISTORY, "").lower() == "true"
    return [Section(EnvelopeContext(app_id, min(received_at, stored_at), history, _defaults(given)))]


def _sections(app_id: str, text: str, base: datetime, stored_at: datetime) -> list[Section]:
    try:
        found = _SECTIONS.decode(text)
        return [
            Section(
                EnvelopeContext(
                    app_id,
                    min(base + timedelta(microseconds=entry.offset_us), stored_at),
                    entry.history,
                    found.contexts[entry.context],
                ),
                entry.events,
                {kind.value: count for kind, count in entry.filtered.items()},
            )
            for entry in found.sections
        ]
    except (msgspec.MsgspecError, UnicodeError, RecursionError, IndexError, OverflowError) as error:
        raise EnvelopeError(f"header {subjects.HEADER_SECTIONS} does not have its form: {error}") from None


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        message = f"header {subjects.HEADER_RECEIVED_AT} must be RFC 3339 with an offset, got {text[:50]!r}"
        raise EnvelopeError(message)
    return instant.astimezone(UTC)


def _defaults(headers: Mapping[str, str]) -> dict[str, str | bool]:
    defaults: dict[str, str | bool] = {}
    if version := headers.get(subjects.HEADER_SCHEMA_VERSION):
        defaults["schema_version"] = version
    if text := headers.get(subjects.HEADER_CONTEXT):
        try:
            defaults |= _DEFAULTS.decode(text)
        except msgspec.MsgspecError as error:
            message = f"header {subjects.HEADER_CONTEXT} must be a JSON object of strings and booleans: {error}"
            raise EnvelopeError(message) from None
    return defaults
