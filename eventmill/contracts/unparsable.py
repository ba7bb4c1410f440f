"""What was sent in another form and is no event: it travels whole, so that the quarantine can keep it."""

import msgspec

from eventmill.contracts.event import EventId
from eventmill.contracts.reasons import Reason

_NAME = "$unparsable"
_PREFIX = b'{"$unparsable":'


class UnparsableLine(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The bytes of an imported file's line, or of another API's message, and what was wrong with them.

    `raw` is base64 in JSON, `event_id` the id that the event would have had. `path` is a JSON path in `raw`.
    """

    raw: bytes
    event_id: EventId | None
    message: str
    reason: Reason = Reason.UNPARSABLE_LINE
    path: str = "$"


def wrap(line: UnparsableLine) -> bytes:
    """The envelope line that `decode_event` rejects for the line's reason."""
    return msgspec.json.encode({_NAME: line})


def unwrap(raw: bytes) -> UnparsableLine | None:
    """What `wrap` was given; None for any other envelope line."""
    if not raw.startswith(_PREFIX):
        return None
    try:
        return msgspec.json.decode(raw, type=dict[str, UnparsableLine])[_NAME]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
