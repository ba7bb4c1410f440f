"""A line of an imported file that is no event: it travels whole, so that the quarantine can keep it."""

import msgspec

from eventmill.contracts.event import EventId

_NAME = "$unparsable"
_PREFIX = b'{"$unparsable":'


class UnparsableLine(msgspec.Struct, forbid_unknown_fields=True):
    """The line's bytes (base64 in JSON), the id it would have had, and what was wrong with it."""

    raw: bytes
    event_id: EventId
    message: str


def wrap(line: UnparsableLine) -> bytes:
    """The envelope line that `decode_event` rejects as `unparsable_line`."""
    return msgspec.json.encode({_NAME: line})


def unwrap(raw: bytes) -> UnparsableLine | None:
    """What `wrap` was given; None for any other envelope line."""
    if not raw.startswith(_PREFIX):
        return None
    try:
        return msgspec.json.decode(raw, type=dict[str, UnparsableLine])[_NAME]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
