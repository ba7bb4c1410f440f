"""Pages of other origins (CORS): preflights say yes to every origin, the key of the actual request decides.

A preflight carries no key, so it can only be answered for all keys together, and some key allows any origin. Nothing is
given away by it: the request that follows is refused before its body is read where its key does not allow the origin.
Answers carry no cookie and need none, so credentials are never allowed.
"""

from collections.abc import Mapping

from eventmill.control.credentials import Credential
from eventmill.control.origins import ANY_ORIGIN
from ingest_service.gateway.answers import Answer
from ingest_service.gateway.problems import Problem

MAX_AGE_SECONDS = 7_200  # the most that Chrome remembers a preflight for
# Segment's browser SDK counts its tries in X-Retry-Count.
_ALLOWED_HEADERS = "Authorization, Content-Type, Content-Encoding, X-Write-Key, X-Request-Id, X-Retry-Count"
_EXPOSED_HEADERS = "Retry-After, X-Request-Id, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"


def preflight(headers: Mapping[str, str]) -> Answer:
    """The answer to OPTIONS on a path that takes events."""
    answer = {"Allow": "POST, OPTIONS", "Vary": "Origin"}
    if origin := headers.get("origin"):
        answer |= {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
            "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
        }
    return Answer(b"", 204, headers=answer)


def response_headers(origin: str) -> dict[str, str]:
    """What lets the page of `origin` read an answer, refusals too."""
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _EXPOSED_HEADERS,
        "Vary": "Origin",
    }


def check_origin(headers: Mapping[str, str], credential: Credential) -> None:
    """Raises Problem 403 where a page of another origin sends with a key that does not allow it.

    Requests without Origin come from no page; those of the gateway's own origin (behind a site's own path) are no
    requests of another one.
    """
    origin = headers.get("origin")
    allowed = credential.allowed_origins
    if origin is None or ANY_ORIGIN in allowed or origin.lower() in allowed:
        return
    if origin.lower().partition("://")[2] == headers.get("host", "").lower():
        return
    rule = "The page's origin is one of the key's allowed origins."
    detail = f"The key may not be used by pages of {origin[:200]!r}."
    raise Problem(403, "Forbidden", detail, field="Origin", rule=rule)
