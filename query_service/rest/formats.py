"""The forms that rows come in: JSON, CSV, Arrow and NDJSON, chosen by `Accept`."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa

JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
NDJSON = "application/x-ndjson"
MEDIA_TYPES = (JSON, CSV, ARROW, NDJSON)

Rows = Sequence[Mapping[str, Any]]
# Spreadsheets take a text that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_ENCODER = msgspec.json.Encoder()


@lru_cache(maxsize=512)
def chosen(accept: str) -> str | None:
    """The media type that an `Accept` header prefers, JSON where it does not care; None where it wants another one."""
    best: tuple[float, int, str] | None = None
    for place, media_type in enumerate(MEDIA_TYPES):
        quality = _quality(accept, media_type)
        if quality > 0 and (best is None or quality > best[0]):
            best = (quality, place, media_type)
    return best and best[2]


def _quality(accept: str, media_type: str) -> float:
    """How much the most specific range that fits wants it."""
    family = media_type.partition("/")[0]
    found = {}
    for one in accept.split(","):
        name, *parameters = (part.strip().lower() for part in one.split(";"))
        if name in {media_type, f"{family}/*", "*/*"}:
            found[name] = _weight(parameters)
    return next((found[name] for name in (media_type, f"{family}/*", "*/*") if name in found), 0.0)


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def to_csv(rows: Rows, _meta: Mapping[str, Any]) -> bytes:
    """RFC 4180 with a header. A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    if not columns:
        return b""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([_cell(row.get(name)) for name in columns] for row in flat)
    return text.getvalue().encode()


def to_arrow(rows: Rows, meta: Mapping[str, Any]) -> bytes:
    """An Arrow IPC stream; its schema's metadata has the answer's `meta` as JSON."""
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    zone = meta.get("range", {}).get("time_zone", "UTC")
    arrays = {name: _array(name, [row.get(name) for row in flat], zone) for name in columns}
    table = pa.table(arrays).replace_schema_metadata({"meta": _ENCODER.encode(meta)})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def to_ndjson(rows: Rows, _meta: Mapping[str, Any]) -> bytes:
    """A JSON object per line."""
    return _ENCODER.encode_lines(rows)


@dataclass(frozen=True, slots=True)
class Format:
    """How rows are written, the content type, and the ending of a file of it."""

    write: Callable[[Rows, Mapping[str, Any]], bytes]
    content_type: str
    ending: str


FORMATS: Mapping[str, Format] = {
    CSV: Format(to_csv, f"{CSV}; charset=utf-8; header=present", "csv"),
    ARROW: Format(to_arrow, ARROW, "arrow"),
    NDJSON: Format(to_ndjson, NDJSON, "ndjson"),
}


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is inside an object becomes a column `object.name`; a list becomes JSON."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": one for inner, one in _flat(value).items()}
        else:
            flat[name] = _ENCODER.encode(value).decode() if isinstance(value, list | tuple) else value
    return flat


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _array(name: str, values: Sequence[Any], zone: str) -> pa.Array:
    if name.rpartition(".")[2] == "timestamp":
        parsed = [datetime.fromisoformat(value) if isinstance(value, str) else value for value in values]
        return pa.array(parsed, pa.timestamp("us", tz=zone))
    array = pa.array([value.isoformat() if isinstance(value, datetime) else value for value in values])
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array
