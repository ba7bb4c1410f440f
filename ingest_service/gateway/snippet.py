"""`GET /em.js`: the browser snippet, a public file of 3 KB. Its source is clients/snippet/em.src.js."""

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from litestar import HttpMethod, Request, Response, route

# A page keeps a copy for an hour, and may use an old one for a day while it fetches the new one.
CACHE_CONTROL = "public, max-age=3600, stale-while-revalidate=86400"


class Snippet:
    """The script as it is sent, plain and compressed, and its entity tag: the digest of its content."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.compressed = gzip.compress(content, 9, mtime=0)
        self.etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'

    def answer(self, if_none_match: str, accept_encoding: str) -> Response[bytes]:
        """304 where the client has this very content, else the content."""
        headers = {
            "ETag": self.etag,
            "Cache-Control": CACHE_CONTROL,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            # Pages that isolate themselves (COEP) may load it too.
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        if self._is_known(if_none_match):
            return Response(b"", status_code=304, headers=headers)
        content = self.content
        if "gzip" in accept_encoding.lower():
            content = self.compressed
            headers["Content-Encoding"] = "gzip"
        return Response(content, media_type="text/javascript", headers=headers)

    def _is_known(self, if_none_match: str) -> bool:
        # A proxy that compresses makes the tag weak; for this comparison that is all one (RFC 9110, 13.1.2).
        tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        return self.etag in tags or tags == ["*"]


@cache
def load_snippet() -> Snippet:
    """The built script of this installation."""
    return Snippet((files("ingest_service.gateway") / "static" / "em.js").read_bytes())


# Caches and monitors ask with HEAD.
@route("/em.js", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def script(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The browser snippet; 304 to whoever has it already."""
    headers = request.headers
    return load_snippet().answer(headers.get("if-none-match", ""), headers.get("accept-encoding", ""))
