"""What writes carry: JSON objects of known fields, and versions in headers."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from litestar import Request

from eventmill.errors import DefinitionError
from query_service.access_problems import PreconditionRequired
from query_service.query.errors import InvalidParameter
from query_service.query.json_body import json_object as parsed

MAX_BODY_BYTES = 256 * 1024
_ETAG = re.compile(r'"(\d{1,9})"')


async def json_object(request: Request[Any, Any, Any], fields: Sequence[str]) -> dict[str, Any]:
    """The body's JSON object. Raises InvalidParameter for anything else, and for a field that is none of `fields`."""
    given = parsed(await request.body() or b"{}", ", ".join(fields), MAX_BODY_BYTES)
    for name in given:
        if name not in fields:
            raise InvalidParameter(str(name), f"There is no field {name!r}.", f"One of: {', '.join(fields)}.")
    return given


def instant(given: object, field: str) -> datetime:
    """An instant in UTC. Raises DefinitionError."""
    try:
        found = datetime.fromisoformat(given) if isinstance(given, str) else None
        if found is not None and found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # the rule below says what it should have been
    raise DefinitionError(field, "an instant as RFC 3339, such as 2026-11-01T12:00:00Z")


def etag(version: int) -> dict[str, str]:
    """The header that names a version."""
    return {"ETag": f'"{version}"', "Cache-Control": "no-cache"}


def expected_version(request: Request[Any, Any, Any]) -> int:
    """The version that If-Match names, -1 for one that was never ours. Raises PreconditionRequired without it."""
    sent = request.headers.get("if-match")
    if sent is None:
        raise PreconditionRequired("The change does not say which version it is of.")
    found = _ETAG.fullmatch(sent.strip())
    return int(found[1]) if found else -1
