"""Files of one JSON event a line, as history."""

from datetime import datetime

import msgspec
from msgspec import Raw

from eventmill.contracts.event import Instant


class _Timed(msgspec.Struct):
    timestamp: Instant | None = None


_TIMED = msgspec.json.Decoder(_Timed)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


class NdjsonFormat:
    """Turns lines of JSON into envelope lines, each as it is, with the id and the source that it lacks."""

    def happened_at(self, line: bytes) -> datetime | None:
        """The event's timestamp; None where it has none or the line is broken."""
        try:
            return _TIMED.decode(line).timestamp
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def encode(self, line: bytes, number: int, event_id: str) -> bytes:  # noqa: ARG002 - the writer names what is wrong
        """The envelope line. A broken one goes as it is, and the writer quarantines it."""
        try:
            given = _OBJECT.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return line
        missing: dict[str, Raw] = {}
        if "event_id" not in given:
            missing["event_id"] = Raw(msgspec.json.encode(event_id))
        if "source" not in given and "_metadata" not in given:
            missing["source"] = Raw(b'"import"')
        return msgspec.json.encode(missing | given) if missing else line
