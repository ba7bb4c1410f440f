"""Reading a Segment message: each member with its type, or a rejection that names the member."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from eventmill.contracts.parse import RejectedError
from eventmill.contracts.reasons import Reason

Fields = dict[str, Raw]

_FIELDS = msgspec.json.Decoder(Fields)
_TEXT = msgspec.json.Decoder(str)
_INSTANT = msgspec.json.Decoder(Annotated[datetime, Meta(tz=True)])
_NULL = b"null"
# What decoding raises for bytes that are no JSON, and for JSON of another type.
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_INTEGER = re.compile(rb"-?\d{1,20}")


def members(value: Raw | bytes | None) -> Fields | None:
    """The members of a JSON object; None for anything else."""
    if value is None:
        return None
    try:
        return _FIELDS.decode(value)
    except _BROKEN:
        return None


def present(fields: Mapping[str, Raw]) -> Fields:
    """The members that are not null."""
    return {name: value for name, value in fields.items() if bytes(value) != _NULL}


def message_of(raw: bytes) -> Fields:
    """The members of a message that are not null. Raises RejectedError."""
    try:
        raw.decode()  # the decoder skips what it only passes on
        return present(_FIELDS.decode(raw))
    except msgspec.ValidationError:
        raise RejectedError(Reason.NOT_AN_OBJECT, "$", "a message is a JSON object") from None
    except _BROKEN as error:
        raise RejectedError(Reason.MALFORMED_JSON, "$", f"message is not valid JSON: {error}") from None


def string(value: Raw | None) -> str | None:
    """A JSON string; None for anything else, the empty string too."""
    if value is None:
        return None
    try:
        return _TEXT.decode(value) or None
    except _BROKEN:
        return None


def integer_as_text(value: Raw | None) -> str | None:
    """A JSON integer in its own digits; None for anything else."""
    text = bytes(value) if value is not None else b""
    return text.decode("ascii") if _INTEGER.fullmatch(text) else None


def object_of(message: Mapping[str, Raw], name: str) -> Fields:
    """A member that is an object; empty where it is absent. Raises RejectedError."""
    value = message.get(name)
    if value is None:
        return {}
    found = members(value)
    if found is None:
        raise RejectedError(Reason.NOT_AN_OBJECT, f"$.{name}", f"{name}: expected a JSON object")
    return found


def text_of(message: Mapping[str, Raw], name: str, max_length: int) -> str | None:
    """A member that is a string of at most `max_length` characters; None where absent. Raises RejectedError."""
    value = message.get(name)
    if value is None:
        return None
    try:
        text = _TEXT.decode(value)
    except _BROKEN:
        raise RejectedError(Reason.WRONG_TYPE, f"$.{name}", f"{name}: expected a string") from None
    if len(text) > max_length:
        message_text = f"{name}: expected at most {max_length} characters, got {len(text):,}"
        raise RejectedError(Reason.TOO_LONG, f"$.{name}", message_text)
    return text or None


def id_of(message: Mapping[str, Raw], name: str, max_length: int) -> str | None:
    """As `text_of`; an integer is taken as its digits, as some of Segment's libraries send it."""
    return integer_as_text(message.get(name)) or text_of(message, name, max_length)


def instant_of(message: Mapping[str, Raw], name: str) -> Raw | None:
    """A member that is RFC 3339 with an offset, as it was sent; None where absent. Raises RejectedError."""
    value = message.get(name)
    if value is None:
        return None
    try:
        _INSTANT.decode(value)
    except _BROKEN:
        rule = f"{name}: expected RFC 3339 with an offset, such as 2026-03-01T12:00:00.000Z"
        raise RejectedError(Reason.BAD_TIMESTAMP, f"$.{name}", rule) from None
    return value
