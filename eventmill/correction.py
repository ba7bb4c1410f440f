"""Corrects the bytes of an event: fields set by name, all others kept byte for byte."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Raw

from eventmill.contracts.parse import FIELDS
from eventmill.errors import EventmillError

PROPERTIES = "properties"
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
# Fields of the contract that are no text; whatever a shell hands over for the others is one.
_OTHER_TYPES = frozenset({"duration_ms", "is_bot", PROPERTIES})


class CorrectionError(ValueError):
    """The bytes cannot be corrected: they are no JSON object."""


@dataclass(frozen=True, slots=True)
class Change:
    """A field to set: a top-level `name`, or a `name` of `properties`; `value` is JSON."""

    name: str
    value: bytes
    is_property: bool = False

    @property
    def field(self) -> str:
        """The field as it was given."""
        return f"{PROPERTIES}.{self.name}" if self.is_property else self.name


def parse_change(text: str) -> Change:
    """Read `field=value` or `properties.name=value`; a value that is not JSON is a text. Raises EventmillError."""
    field, separator, value = text.partition("=")
    is_property = field.startswith(f"{PROPERTIES}.")
    name = field.removeprefix(f"{PROPERTIES}.") if is_property else field
    if not separator or not name:
        raise EventmillError(
            f"--set {text[:100]!r}: expected field=value or properties.name=value.",
            "Examples: --set user_id=42, --set properties.price=9.5, --set 'properties.tags=[\"a\"]'",
        )
    is_text = not is_property and name in FIELDS - _OTHER_TYPES
    return Change(name, _encoded(value, is_text=is_text), is_property)


def _encoded(value: str, *, is_text: bool) -> bytes:
    try:
        parsed = msgspec.json.decode(value)
    except _BROKEN:
        return msgspec.json.encode(value)
    # The shell eats quotes: user_id=42 means the text, as no id is a number.
    if is_text and parsed is not None and not isinstance(parsed, str):
        return msgspec.json.encode(value)
    return value.encode()


def corrected(raw: bytes, changes: Sequence[Change], event_id: str) -> bytes:
    """The event with the changes made, and with `event_id` where it has none; as it is where nothing is to be done.

    Raises CorrectionError for bytes that are no JSON object.
    """
    try:
        given = _OBJECT.decode(raw)
    except _BROKEN as error:
        raise CorrectionError(f"not a JSON object, so no field of it can be set: {error}") from None
    fields = dict(given)
    for change in changes:
        if change.is_property:
            fields[PROPERTIES] = Raw(_with_property(fields.get(PROPERTIES), change))
        else:
            fields[change.name] = Raw(change.value)
    if bytes(fields.get("event_id", b"null")) in {b"null", b'""'}:
        fields["event_id"] = Raw(msgspec.json.encode(event_id))
    return raw if fields == given else _joined(fields)


def _with_property(properties: Raw | None, change: Change) -> bytes:
    if properties is None or bytes(properties) == b"null":
        return _joined({change.name: Raw(change.value)})
    try:
        own = _OBJECT.decode(properties)
    except _BROKEN as error:
        raise CorrectionError(f"properties is not a JSON object, so {change.field} cannot be set: {error}") from None
    return _joined({**own, change.name: Raw(change.value)})


def _joined(fields: dict[str, Raw]) -> bytes:
    # Joining the raw values keeps numbers and escapes exactly as they were sent.
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + bytes(value) for name, value in fields.items()) + b"}"
