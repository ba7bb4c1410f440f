"""From an event's bytes to its fields: JSON, aliases, and unknown names, which go to `properties`."""

import itertools
import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw

from eventmill.contracts import limits
from eventmill.contracts.event import Event
from eventmill.contracts.reasons import Reason

ALIASES = {
    "type": "event_type",
    "path": "page_url",
    "label": "event_name",
    "duration": "duration_ms",
    "metadata": "properties",
    "user_pk": "user_id",
    "language": "locale",
    "timezone": "time_zone",
}
NESTED_ALIASES = {"source": "source", "sdk_version": "sdk_version"}  # inside `_metadata`
FIELDS = frozenset(Event.__struct_fields__)

_EVENT = msgspec.json.Decoder(Event)
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_NULL = Raw(b"null")
# Raw values are skipped, not read: the bytes of a key inside them show only when that value is decoded itself.
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
# Possessive, and a string may lack its end: one pass whatever the bytes, where backtracking would take seconds.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_STEP = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}


class RejectedError(Exception):
    """A rule was broken: which one, the JSON path, and what was wrong there."""

    def __init__(self, reason: Reason, path: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.path, self.message = reason, path, message


def check_size_and_depth(raw: bytes) -> None:
    """Raise RejectedError for an event that is too large or too deep to be looked at."""
    if len(raw) > limits.MAX_EVENT_BYTES:
        raise RejectedError(Reason.TOO_LARGE, "$", f"event has {len(raw):,} bytes, at most 32,768 are allowed")
    # Counting brackets is a cheap bound; only events that exceed it are measured exactly.
    if raw.count(b"{") + raw.count(b"[") <= limits.MAX_NESTING:
        return
    if nesting(raw) > limits.MAX_NESTING:
        raise RejectedError(Reason.TOO_DEEP, "$", f"event nests deeper than {limits.MAX_NESTING} levels")


def nesting(raw: bytes) -> int:
    """Deepest level of nested objects and arrays in a JSON text."""
    outside_strings = _STRING.sub(b"", raw)
    return max(itertools.accumulate(_STEP.get(byte, 0) for byte in outside_strings), default=0)


def parse_event(raw: bytes) -> Event:
    """The event in canonical names. Raises RejectedError."""
    try:
        return _EVENT.decode(raw)
    except msgspec.ValidationError:
        return _parse_with_aliases(raw)
    except _BROKEN as error:
        raise _malformed("$", error) from None


def _malformed(path: str, error: Exception) -> RejectedError:
    return RejectedError(Reason.MALFORMED_JSON, path, f"not valid JSON: {error}")


def _parse_with_aliases(raw: bytes) -> Event:
    try:
        given = _FIELDS.decode(raw)
    except msgspec.ValidationError:
        raise RejectedError(Reason.NOT_AN_OBJECT, "$", "an event is a JSON object") from None
    except _BROKEN as error:
        raise _malformed("$", error) from None
    known, names = _apply_aliases(given)
    try:
        return _EVENT.decode(_object(known))
    except msgspec.ValidationError as error:
        raise _explain(str(error), names) from None
    except _BROKEN as error:
        raise _malformed("$", error) from None


def _apply_aliases(given: dict[str, Raw]) -> tuple[dict[str, Raw], dict[str, str]]:
    """Canonical fields with unknown ones moved into `properties`, and the name under which each one was sent."""
    known: dict[str, Raw] = {}
    unknown: dict[str, Raw] = {}
    names: dict[str, str] = {}
    for name, value in given.items():
        target = name if name in FIELDS else ALIASES.get(name)
        if target == name and bytes(value) == b"null":
            continue  # as good as absent: an alias may stand in for it
        # The canonical name wins over an alias; the alias is then kept like any unknown name.
        if target is None or (target != name and bytes(given.get(target, _NULL)) != b"null"):
            unknown[name] = value
        else:
            known[target] = _as_text(value) if name == "user_pk" else value
            names[target] = name
    _apply_nested_aliases(unknown, known, names)
    if unknown:
        known["properties"] = _merge_properties(known.get("properties"), unknown)
    return known, names


def _apply_nested_aliases(unknown: dict[str, Raw], known: dict[str, Raw], names: dict[str, str]) -> None:
    if "_metadata" not in unknown:
        return
    try:
        metadata = _FIELDS.decode(unknown["_metadata"])
    except msgspec.ValidationError:
        raise RejectedError(Reason.WRONG_TYPE, "$._metadata", "_metadata is a JSON object") from None
    except _BROKEN as error:
        raise _malformed("$._metadata", error) from None
    for name, target in NESTED_ALIASES.items():
        if name in metadata and target not in known:
            known[target] = metadata[name]
            names[target] = f"_metadata.{name}"


def _as_text(value: Raw) -> Raw:
    """Other pipelines send `user_pk` as a number; our ids are strings."""
    text = bytes(value)
    return Raw(b'"' + text + b'"') if text.lstrip(b"-").isdigit() else value


def _merge_properties(properties: Raw | None, unknown: dict[str, Raw]) -> Raw:
    """Unknown names join `properties`; where a name is in both, the unknown one goes under `_top_level`."""
    if properties is None or bytes(properties) == b"null":
        return Raw(_object(unknown))
    try:
        own = _FIELDS.decode(properties)
    except msgspec.ValidationError:
        return properties  # not an object: the check of the whole event names the field
    except _BROKEN as error:
        raise _malformed("$.properties", error) from None
    clashing = {name: value for name, value in unknown.items() if name in own}
    merged = own | {name: value for name, value in unknown.items() if name not in own}
    if clashing:
        merged["_top_level"] = Raw(_object(clashing))
    return Raw(_object(merged))


def _object(fields: Mapping[str, Raw]) -> bytes:
    # Joining the raw values keeps numbers and escapes exactly as they were sent.
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + bytes(value) for name, value in fields.items()) + b"}"


def _explain(message: str, names: Mapping[str, str]) -> RejectedError:
    """Turn msgspec's «Expected …, got … - at `$.x`» into a reason, the sender's own path and a sentence."""
    rule, _, place = message.partition(" - at `")
    canonical = place.rstrip("`").removeprefix("$.").partition(".")[0].partition("[")[0]
    path = f"$.{names.get(canonical, canonical)}" if canonical else "$"
    if canonical in {"timestamp", "sent_at"}:
        reason = Reason.BAD_TIMESTAMP
    elif "length" in rule:
        reason = Reason.TOO_LONG
    elif canonical == "duration_ms" and (">=" in rule or "<=" in rule):
        reason = Reason.OUT_OF_RANGE
    else:
        reason = Reason.WRONG_TYPE
    return RejectedError(reason, path, f"{path[2:] or 'event'}: {rule}")


def event_id_of(raw: bytes) -> str | None:
    """The id of an event that failed to decode, for the answer, where it can be told."""
    try:
        value = msgspec.json.decode(raw, type=dict[str, object]).get("event_id")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, str) and len(value) <= limits.MAX_EVENT_ID else None
