"""The settings that Segment's browser and mobile SDKs load at their start: no destination but this gateway."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from eventmill.control.credentials import parse_key

# An SDK asks at every page; the answer changes with the gateway's address only.
CACHE_CONTROL = "private, max-age=300"


def settings_document(write_key: str, scheme: str, host: str) -> dict[str, Any]:
    """The document for SDKs that reach the gateway at `scheme://host`."""
    delivery = {"apiKey": write_key, "apiHost": f"{host}/v1", "protocol": scheme, "addBundledMetadata": False}
    return {
        "integrations": {"Segment.io": delivery},
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        # Otherwise analytics.js reports on itself to Segment.
        "metrics": {"sampleRate": 0},
        "edgeFunction": {},
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


@get(["/v1/projects/{write_key:str}/settings", "/projects/{write_key:str}/settings"])
async def get_settings(request: Request[Any, Any, Any], write_key: FromPath[str]) -> Response[bytes]:
    """The settings document for a write key; 404 for what has not the form of one.

    Whether the key exists is not looked up: an SDK that got no settings would drop what it was to send, and keeps it
    where the gateway answers 503. The document holds nothing but what the client said, so that any page may read it.
    """
    parsed = parse_key(write_key)
    if parsed is None or parsed.kind != "write":
        raise NotFoundException("The path holds no write key.")
    content = settings_document(write_key, _scheme(request), request.headers.get("host", ""))
    headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": CACHE_CONTROL}
    return Response(msgspec.json.encode(content), media_type="application/json", headers=headers)


def _scheme(request: Request[Any, Any, Any]) -> str:
    # Whoever sends this header sees no answer but his own.
    forwarded = request.headers.get("x-forwarded-proto", "").strip().lower()
    return forwarded if forwarded in {"http", "https"} else request.url.scheme
