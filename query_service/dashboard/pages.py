"""Serves the pages and their files. No page asks any other host for anything, and its policy forbids it to."""

import asyncio
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from eventmill.dbt import docs_page
from eventmill.settings import Settings

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# dbt writes one page with everything inline. The sandbox gives it an origin of its own: it cannot reach a key.
DBT_POLICY = (
    "sandbox allow-scripts allow-popups; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; frame-ancestors 'none'"
)
COMMON = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def _html(text: str | bytes, status: int = 200, policy: str = POLICY) -> Response[bytes]:
    content = text.encode() if isinstance(text, str) else text
    headers = {**COMMON, "Content-Security-Policy": policy}
    return Response(content, status_code=status, media_type="text/html; charset=utf-8", headers=headers)


def load_files(settings: Settings) -> dict[str, str]:
    """File name → text of everything beside this module that a browser asks for, with the ports filled in."""
    texts = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in files("query_service.dashboard").iterdir()
        if entry.name.rpartition(".")[2] in TYPES
    }
    ports = {"{{dagster_port}}": settings.dagster_port, "{{ingest_port}}": settings.ingest_port}
    for placeholder, port in ports.items():
        texts["index.html"] = texts["index.html"].replace(placeholder, str(port))
    return texts


@get("/", include_in_schema=False)
async def index(state: State) -> Response[bytes]:
    """Today's numbers."""
    return _html(state.files["index.html"])


@get("/docs", include_in_schema=False)
async def api_docs(state: State) -> Response[bytes]:
    """The API's documentation, made of /openapi.json."""
    return _html(state.files["api.html"])


@get("/assets/{name:str}", include_in_schema=False)
async def asset(state: State, name: FromPath[str]) -> Response[bytes]:
    """A style sheet, script or picture of the pages."""
    texts: Mapping[str, str] = state.files
    kind = name.rpartition(".")[2]
    if name not in texts or kind == "html":
        raise NotFoundException(f"There is no file {name!r}.")
    return Response(texts[name].encode(), media_type=f"{TYPES[kind]}; charset=utf-8", headers=COMMON)


@get("/docs/metrics", include_in_schema=False)
async def metric_docs(state: State) -> Response[bytes]:
    """dbt's documentation of every metric, once it is generated."""
    try:
        content = await asyncio.to_thread(docs_page(state.settings).read_bytes)
    except FileNotFoundError:
        return _html(state.files["not_built.html"], status=404)
    return _html(content, policy=DBT_POLICY)


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The API's description, OpenAPI 3.1."""
    return request.app.openapi_schema.to_schema()
