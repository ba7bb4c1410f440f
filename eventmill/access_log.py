"""Web server logs in Apache's and nginx's combined format, turned into events.

https://httpd.apache.org/docs/current/mod/mod_log_config.html and
https://nginx.org/en/docs/http/ngx_http_log_module.html describe the format and its escapes.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec

from eventmill.contracts import derive, unparsable
from eventmill.contracts.unparsable import UnparsableLine
from eventmill.enrichment import client_of

# A GET for one of these is part of a page, not a page.
STATIC_EXTENSIONS = frozenset(
    "css js mjs map png jpg jpeg gif svg ico webp avif bmp woff woff2 ttf otf eot swf mp3 mp4 webm".split()  # noqa: SIM905
)

_QUOTED = rb'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(rb"(\S+) \S+ .+? \[([^\]]{26})\] " + _QUOTED + rb" (\d{3}) (\d+|-) " + _QUOTED + rb" " + _QUOTED)
_INSTANT = re.compile(rb"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_REQUEST = re.compile(r"([A-Z]+) (\S+)(?: (HTTP/\d(?:\.\d)?))?")
# Month names in a log are English whatever the locale, so strptime's %b would not do.
_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CONTROL = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"v": b"\v"}


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the log. `requested_at` carries the log's offset; `size_bytes` is that of the body.

    A request that is not HTTP (a port scan, TLS sent to a plain port) has no `method` and its text as `target`.
    """

    address: bytes
    requested_at: datetime
    method: str | None
    target: str
    protocol: str | None
    status: int
    size_bytes: int
    referrer: str | None
    user_agent: str | None


def parse_line(line: bytes) -> Request | None:
    """Parse one line without its line end; None where it is not in the combined format."""
    matched = _LINE.fullmatch(line.rstrip())
    if matched is None:
        return None
    address, instant, request, status, size, referrer, user_agent = matched.groups()
    requested_at = _instant(instant)
    if requested_at is None:
        return None
    text = _text(request)
    parts = _REQUEST.fullmatch(text)
    return Request(
        address=address,
        requested_at=requested_at,
        method=parts[1] if parts else None,
        target=parts[2] if parts else text,
        protocol=parts[3] if parts else None,
        status=int(status),
        # The format writes «-» where no body was sent.
        size_bytes=0 if size == b"-" else int(size),
        referrer=_given(_text(referrer)),
        user_agent=_given(_text(user_agent)),
    )


def _instant(text: bytes) -> datetime | None:
    matched = _INSTANT.fullmatch(text)
    if matched is None or matched[2] not in _MONTHS:
        return None
    offset = timedelta(hours=int(matched[8]), minutes=int(matched[9]))
    day, year, hour, minute, second = (int(matched[group]) for group in (1, 3, 4, 5, 6))
    try:
        zone = timezone(-offset if matched[7] == b"-" else offset)
        return datetime(year, _MONTHS[matched[2]], day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None


def _text(field: bytes) -> str:
    """A field with the server's escapes undone; bytes that are not UTF-8 become U+FFFD."""
    if b"\\" in field:
        field = _ESCAPE.sub(_unescaped, field)
    return field.decode("utf-8", "replace")


def _unescaped(escape: re.Match[bytes]) -> bytes:
    if escape[1] is not None:
        return bytes.fromhex(escape[1].decode("ascii"))
    return _CONTROL.get(escape[2], escape[2])


def _given(text: str) -> str | None:
    return None if text.strip() in {"", "-"} else text


def is_page_view(request: Request) -> bool:
    """Whether a person could have seen a page: a GET answered 2xx or 304 that is not for a static asset."""
    if request.method != "GET" or not (200 <= request.status < 300 or request.status == 304):
        return False
    _, dot, extension = derive.page(request.target).path.rpartition(".")
    return not dot or extension.lower() not in STATIC_EXTENSIONS


class AccessLogFormat:
    """Turns lines of an app's access log into envelope lines. `salt` is a secret of this app."""

    def __init__(self, app_id: str, salt: bytes) -> None:
        self._app_id = app_id
        self._salt = salt

    def happened_at(self, line: bytes) -> datetime | None:
        """When the line's request arrived; None where the line is broken."""
        request = parse_line(line)
        return None if request is None else request.requested_at

    def encode(self, line: bytes, number: int, event_id: str) -> bytes:
        """The envelope line of the file's line `number`. A broken one travels whole, to be quarantined."""
        request = parse_line(line)
        if request is None:
            message = f"line {number:,} is not in the combined log format"
            return unparsable.wrap(UnparsableLine(raw=line, event_id=event_id, message=message))
        return msgspec.json.encode(self._event(request, event_id))

    def _event(self, request: Request, event_id: str) -> dict[str, Any]:
        client = client_of(request.user_agent, from_access_log=True)
        event = {
            "event_id": event_id,
            "event_type": "page_view" if is_page_view(request) else "http_request",
            "timestamp": request.requested_at,
            "anonymous_id": self._visitor(request),
            "page_url": request.target if request.method else None,
            "referrer": request.referrer,
            "properties": self._properties(request),
        }
        return {**client, **{name: value for name, value in event.items() if value is not None}, "source": "import"}

    def _visitor(self, request: Request) -> str:
        """Keyed hash of address and agent: stable within the app, and the address cannot be had back from it."""
        client = request.address + b"\0" + (request.user_agent or "").encode("utf-8")
        return hmac.new(self._salt, client, hashlib.sha256).hexdigest()[:32]

    @staticmethod
    def _properties(request: Request) -> dict[str, Any]:
        found = {
            "method": request.method,
            "request": None if request.method else request.target,
            "status": request.status,
            "bytes": request.size_bytes,
            "protocol": request.protocol,
        }
        return {name: value for name, value in found.items() if value is not None}
