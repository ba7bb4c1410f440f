"""Who sends: the key of a request, and whether it may write."""

import base64
import binascii
from collections.abc import Mapping

from eventmill.control.credentials import Credential
from eventmill.control.key_cache import KeyCache
from ingest_service.gateway.problems import Problem, unauthorized

KEY_HEADER = "x-write-key"
# For sendBeacon, which can set no header.
KEY_PARAMETER = "write_key"


def key_of(headers: Mapping[str, str], parameters: Mapping[str, str]) -> str | None:
    """The key that a request carries: `Authorization: Bearer`, Basic user name, `X-Write-Key`, or `?write_key=`."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip() or None
        case "basic":
            return _user_name(value.strip())
    return headers.get(KEY_HEADER) or parameters.get(KEY_PARAMETER)


def _user_name(encoded: str) -> str | None:
    try:
        return base64.b64decode(encoded, validate=True).decode("ascii").partition(":")[0] or None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


async def authorize(keys: KeyCache, key: str | None, *, history: bool) -> Credential:
    """The credential of a key that may send events.

    Raises Problem 401 without a valid key and 403 for one of the wrong kind; NotReadyError where nobody can tell.
    """
    if key is None:
        raise unauthorized("The request carries no key.")
    credential = await keys.find(key)
    if credential is None:
        raise unauthorized("The key is unknown, expired or revoked.")
    if credential.kind == "read":
        raise _forbidden("A read key cannot send events.", "Events are sent with a write key or an admin key.")
    if history and credential.kind != "admin":
        raise _forbidden("history=true needs an admin key.", "Only an admin key may send events as history.")
    return credential


def _forbidden(detail: str, rule: str) -> Problem:
    return Problem(403, "Forbidden", detail, field="Authorization", rule=rule)
