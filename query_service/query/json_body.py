"""The JSON object that a request carries."""

from typing import Any

import msgspec

from query_service.query.errors import InvalidParameter


def json_object(body: bytes, content: str, most_bytes: int | None = None) -> dict[str, Any]:
    """The object, of `content` in words. Raises InvalidParameter for anything else, and beyond `most_bytes`."""
    if most_bytes is not None and len(body) > most_bytes:
        raise InvalidParameter("body", f"The body has {len(body)} bytes.", f"At most {most_bytes} bytes.")
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise InvalidParameter("body", "The body is no JSON object.", f"A JSON object with {content}.")
    return given
