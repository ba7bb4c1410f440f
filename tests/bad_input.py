"""Input that breaks other people's pipelines: events with the reason each must get, and texts nobody may interpret."""

import json
from typing import Any

from eventmill.contracts.reasons import Reason

DEEP = 100_000


def event(**fields: Any) -> bytes:
    """A good event's JSON, with `fields` over it."""
    return json.dumps({"event_type": "click", "user_id": "u1"} | fields).encode()


def raw(members: bytes) -> bytes:
    """A good event with members given as bytes."""
    return b'{"event_type":"click","user_id":"u1",' + members + b"}"


# Whatever these hold, they are text to us: stored as sent, and shown as sent.
TEXTS = {
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "sql": "'); drop table rollups.metric; --",
    "csv formula": '=HYPERLINK("http://evil.example","x")',
    "csv": 'a,"b"\n"c;d"\te',
    "template": "{{7*7}} ${7*7} <%= 7*7 %> %(x)s {0} #{x}",
    "path": "../../../../etc/passwd\\..\\win.ini",
    "subject tokens": "events.* > $JS.API.STREAM.DELETE.EVENTS",
    "log lines": "x\r\nlevel=error message=faked",
    "terminal": "\x1b[2J\x1b]0;title\x07",
    "right to left": "\u202egnp.exe \u05e9\u05dc\u05d5\u05dd",
    "combining": "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319",
    "emoji": "\U0001f469\u200d\U0001f4bb\U0001f3f3\ufe0f\u200d\U0001f308",
    "nul": "before\x00after",
    "noncharacters": "\ufffe\uffff\U0010ffff",
    "byte order mark": "\ufefftext",
    "null word": "null",
    "number": "1e400",
    "spaces": " \u00a0\u2003\u200b ",
    "json": '{"user_id": "other"}',
}

# Names of fields, and the most characters that they may have.
TEXT_FIELDS = [
    "event_id",
    "event_type",
    "event_name",
    "user_id",
    "anonymous_id",
    "session_id",
    "page_title",
    "referrer",
]
TEXT_FIELDS += ["utm_source", "utm_medium", "utm_campaign", "device_type", "os", "browser", "country", "app_version"]

BAD_EVENTS: dict[str, tuple[bytes, Reason]] = {
    "invalid UTF-8": (raw(b'"event_name":"\xff\xfe"'), Reason.MALFORMED_JSON),
    "overlong UTF-8": (raw(b'"event_name":"\xc0\xaf"'), Reason.MALFORMED_JSON),
    "UTF-8 that encodes a surrogate": (raw(b'"event_name":"\xed\xa0\x80"'), Reason.MALFORMED_JSON),
    "invalid UTF-8 in properties": (raw(b'"properties":{"a":"\xff"}'), Reason.MALFORMED_JSON),
    "UTF-16": ('{"event_type":"click"}'.encode("utf-16"), Reason.MALFORMED_JSON),
    "lone surrogate": (raw(b'"event_name":"\\ud800"'), Reason.MALFORMED_JSON),
    "NUL byte": (raw(b'"event_name":"a\x00b"'), Reason.MALFORMED_JSON),
    "control byte": (raw(b'"event_name":"a\x01b"'), Reason.MALFORMED_JSON),
    "NaN": (raw(b'"duration_ms":NaN'), Reason.MALFORMED_JSON),
    "Infinity": (raw(b'"properties":{"a":-Infinity}'), Reason.MALFORMED_JSON),
    "1e400 as duration": (raw(b'"duration_ms":1e400'), Reason.WRONG_TYPE),
    "2^63": (raw(b'"duration_ms":9223372036854775808'), Reason.OUT_OF_RANGE),
    "2^64 + 1": (raw(b'"duration_ms":18446744073709551617'), Reason.OUT_OF_RANGE),
    "negative duration": (raw(b'"duration_ms":-1'), Reason.OUT_OF_RANGE),
    "fraction as duration": (raw(b'"duration_ms":1.5'), Reason.WRONG_TYPE),
    "number as id": (raw(b'"anonymous_id":7'), Reason.WRONG_TYPE),
    "array as id": (raw(b'"anonymous_id":["a"]'), Reason.WRONG_TYPE),
    "text as flag": (raw(b'"is_bot":"true"'), Reason.WRONG_TYPE),
    "properties in an array": (raw(b'"properties":[1]'), Reason.NOT_AN_OBJECT),
    "properties as text": (raw(b'"properties":"{}"'), Reason.NOT_AN_OBJECT),
    "array for an event": (b"[[1]]", Reason.NOT_AN_OBJECT),
    "text for an event": (b'"event"', Reason.NOT_AN_OBJECT),
    "null for an event": (b"null", Reason.NOT_AN_OBJECT),
    "trailing comma": (b'{"event_type":"click","user_id":"u1",}', Reason.MALFORMED_JSON),
    "single quotes": (b"{'event_type':'click'}", Reason.MALFORMED_JSON),
    "comment": (b'{"event_type":"click",/* x */"user_id":"u1"}', Reason.MALFORMED_JSON),
    "two objects": (b'{"event_type":"click","user_id":"u1"}{}', Reason.MALFORMED_JSON),
    "HTML": (b"<!doctype html><title>504 Gateway Time-out</title>", Reason.MALFORMED_JSON),
    "too deep": (raw(b'"properties":' + b'{"a":' * 16 + b"1" + b"}" * 16), Reason.TOO_DEEP),
    "brackets without end": (raw(b'"properties":' + b"[" * 20_000), Reason.TOO_DEEP),
    "too large": (event(page_title="x" * 33_000), Reason.TOO_LARGE),
    "ten thousand keys": (
        raw(b'"properties":{' + b",".join(b'"k%d":1' % n for n in range(10_000)) + b"}"),
        Reason.TOO_LARGE,
    ),
    "id too long": (event(user_id="u" * 201), Reason.TOO_LONG),
    "local time": (event(timestamp="2026-05-01T12:00:00"), Reason.BAD_TIMESTAMP),
    "Unix time": (event(timestamp=1_700_000_000), Reason.BAD_TIMESTAMP),
    "day that does not exist": (event(timestamp="2026-02-30T12:00:00Z"), Reason.BAD_TIMESTAMP),
    "year 10000": (event(timestamp="10000-01-01T00:00:00Z"), Reason.BAD_TIMESTAMP),
    "year 0 in UTC": (event(timestamp="0001-01-01T00:00:00+14:00"), Reason.BAD_TIMESTAMP),
    "source of another's": (event(source="server'; --"), Reason.INVALID_SOURCE),
    "app of another's": (event(app_id="events.*"), Reason.APP_MISMATCH),
    "app with a wildcard": (event(app_id=">"), Reason.APP_MISMATCH),
    "version of the future": (event(schema_version="2.0.0"), Reason.UNSUPPORTED_SCHEMA_VERSION),
    "no identity": (b'{"event_type":"click","user_id":"","source":"server"}', Reason.MISSING_IDENTITY),
    "no type": (b'{"user_id":"u1"}', Reason.MISSING_EVENT_TYPE),
}

# Odd, and good: the field, the value that is stored.
ODD_EVENTS: dict[str, tuple[bytes, str, Any]] = {
    "duplicate keys: the last one counts": (raw(b'"event_name":"a","event_name":"b"'), "event_name", "b"),
    "a surrogate pair": (raw(b'"event_name":"\\ud83d\\ude00"'), "event_name", "\U0001f600"),
    "an escaped NUL": (raw(b'"event_name":"a\\u0000b"'), "event_name", "a\x00b"),
    "1e400 in properties": (raw(b'"properties":{"a":1e400}'), "properties", '{"a":1e400}'),
    "2^63 in properties": (raw(b'"properties":{"a":9223372036854775809}'), "properties", '{"a":9223372036854775809}'),
    "the prototype's name": (raw(b'"__proto__":{"admin":true}'), "properties", '{"__proto__":{"admin":true}}'),
    "an empty name": (raw(b'"":1'), "properties", '{"":1}'),
}

# Whole bodies that cannot be told apart into events: one rejected event, quickly.
HOSTILE_BODIES: dict[str, bytes] = {
    "brackets to a depth of 10^5": b"[" * DEEP,
    "objects to a depth of 10^5": b'{"a":' * (DEEP // 2),
    "an array to a depth of 10^5 with its end": b"[" * DEEP + b"]" * DEEP,
    "a string without its end": b'[{"event_type":"' + b"\\\\" * 200_000,
    "quotes": b'"' * 400_000,
    "backslashes": b"\\" * 400_000,
    "commas": b"[" + b"," * 400_000,
    "zero bytes": b"\x00" * 400_000,
    "random bytes": bytes(range(256)) * 1_500,
    "one object with many keys": b"{" + b",".join(b'"%x":0' % n for n in range(40_000)) + b"}",
    "one long number": b"[" + b"9" * 400_000 + b"]",
    "spaces within": b"{" + b" " * 400_000 + b"}",
}
