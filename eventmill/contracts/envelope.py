"""An envelope: up to 2,500 events of one app in one broker message. Its body is here, its headers in `headers`."""

import base64
import re
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from eventmill.contracts.headers import EnvelopeError, Section, decode_sections, encode_headers, section_bytes

__all__ = [
    "EnvelopeError",
    "Section",
    "decode_sections",
    "encode_headers",
    "encode_lines",
    "section_bytes",
    "split_body",
    "split_envelope",
    "unwrap",
    "wrap",
]

_ARRAY = msgspec.json.Decoder(list[Raw])
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
# Possessive, and a string may lack its end: one pass whatever the bytes, where backtracking would take hours.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
_STEP = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}
_WRAPPED_PREFIX = b'{"$raw":"'


def split_body(body: bytes) -> list[bytes]:
    """Events of a body, each as the bytes that were sent: one JSON value, a JSON array, or NDJSON.

    What cannot be told apart comes back as one event, which the decoder then rejects with its bytes kept.
    """
    text = body.strip()
    if not text:
        return []
    if text.startswith(b"["):
        try:
            return [bytes(item) for item in _ARRAY.decode(text)]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            items = _items_of_broken_array(text)
            if items is not None:
                return items
    if b"\n" not in text or _is_one_object(text):
        return [text]
    return [stripped for line in text.split(b"\n") if (stripped := line.strip())]


def split_envelope(body: bytes, sections: Sequence[Section]) -> list[bytes]:
    """Lines of an envelope; the sections are those of its headers.

    Where they count the events, each stands on a line of its own, whatever it holds: halves of an object, sent by one
    client before and after another's event, must not become one.
    """
    counted = sum(section.events or 0 for section in sections)
    lines = body.split(b"\n") if counted and not body.startswith(b"[") else []
    return lines if len(lines) == counted > 0 else split_body(body)


def _items_of_broken_array(text: bytes) -> list[bytes] | None:
    """Items of an array that is not valid as a whole, so that one bad event does not fail its neighbours.

    It may be cut off at its end. None where something follows the array: then it is the first line of NDJSON.
    """
    items: list[bytes] = []
    start, depth = 1, 0
    for token in _TOKEN.finditer(text, 1):
        depth += _STEP.get(token[0], 0)
        if depth < 0:
            items.append(text[start : token.start()])
            start = token.end()
            break
        if depth == 0 and token[0] == b",":
            items.append(text[start : token.start()])
            start = token.end()
    rest = text[start:]
    if depth < 0 and rest:
        return None
    return [stripped for item in [*items, rest] if (stripped := item.strip())] or [text]


def _is_one_object(text: bytes) -> bool:
    """Whether a text of several lines is one pretty-printed object rather than NDJSON."""
    first_line = text.partition(b"\n")[0]
    try:
        _OBJECT.decode(first_line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    else:
        return False
    try:
        _OBJECT.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def encode_lines(events: Iterable[bytes]) -> bytes:
    """Body of an envelope: one line an event; bytes that cannot be a line of their own travel as `{"$raw": base64}`."""
    lines = list(events)
    body = b"\n".join(lines)
    # Nearly always: every line break stands between two events that begin as objects do.
    breaks = len(lines) - 1
    if not (
        body.startswith(b'{"') and breaks == body.count(b"\n") == body.count(b'\n{"') and _WRAPPED_PREFIX not in body
    ):
        body = b"\n".join(wrap(line) if _needs_wrapping(line) else line for line in lines)
    # Halves of one object, with whole ones between them, would be read as that object.
    return wrap(lines[0]) + body[len(lines[0]) :] if breaks > 0 and _is_one_object(body) else body


def _needs_wrapping(event: bytes) -> bool:
    # A first line that opens an array would make the whole body one; a line of the wrapper's own form is a client's.
    return b"\n" in event or not event.strip() or event.lstrip().startswith((b"[", _WRAPPED_PREFIX))


def wrap(raw: bytes) -> bytes:
    """One line that carries arbitrary bytes."""
    return _WRAPPED_PREFIX + base64.b64encode(raw) + b'"}'


def unwrap(line: bytes) -> bytes:
    """The bytes that `wrap` was given; any other line as it is."""
    if not line.startswith(_WRAPPED_PREFIX):
        return line
    try:
        return base64.b64decode(line[len(_WRAPPED_PREFIX) : -2], validate=True)
    except ValueError:
        return line
