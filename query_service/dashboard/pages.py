"""Serves the pages and their files. No page asks any other host for anything, and its policy forbids it to."""

import asyncio
from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from eventmill.dbt import docs_page
from eventmill.settings import Settings
from query_service.dashboard.assets import TYPES, Asset, Assets, load

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# dbt writes one page with everything inline. The sandbox gives it an origin of its own: it cannot reach a key.
DBT_POLICY = (
    "sandbox allow-scripts allow-popups; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; frame-ancestors 'none'"
)
COMMON = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
ASK_AGAIN = {**COMMON, "Cache-Control": "no-cache"}
# The path names the content: another content has another path.
FOR_EVER = {**COMMON, "Cache-Control": "public, max-age=31536000, immutable"}

Asked = Request[Any, Any, Any]


def load_files(settings: Settings) -> Assets:
    """Everything beside this module that a browser asks for, with the ports filled in."""
    ports = {"{{dagster_port}}": settings.dagster_port, "{{ingest_port}}": settings.ingest_port}
    return load({placeholder: str(port) for placeholder, port in ports.items()})


def _html(asset: Asset, request: Asked, status: int = 200) -> Response[bytes]:
    return _answer(asset, request, {**ASK_AGAIN, "Content-Security-Policy": POLICY}, status)


def _answer(asset: Asset, request: Asked, headers: dict[str, str], status: int = 200) -> Response[bytes]:
    coding, body = asset.chosen(request.headers.get("accept-encoding", ""))
    named = f'{asset.etag[:-1]}{coding and "-"}{coding}"'
    headers = {**headers, "ETag": named, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == named:
        return Response(b"", status_code=304, headers=headers)
    if coding:
        headers["Content-Encoding"] = coding
    return Response(body, status_code=status, media_type=asset.media_type, headers=headers)


@get("/", include_in_schema=False)
async def index(request: Asked, state: State) -> Response[bytes]:
    """The dashboard; what it shows is in the address's fragment, which no server sees."""
    return _html(state.files.by_path["index.html"], request)


@get("/shared/{token:str}", include_in_schema=False)
async def shared(request: Asked, state: State, token: FromPath[str]) -> Response[bytes]:
    """A board for whoever has its link; the page asks /api/shared for what the token shows."""
    del token
    return _html(state.files.by_path["shared.html"], request)


@get("/docs", include_in_schema=False)
async def api_docs(request: Asked, state: State) -> Response[bytes]:
    """The API's documentation, made of /openapi.json."""
    return _html(state.files.by_path["api.html"], request)


@get("/assets/{path:path}", include_in_schema=False)
async def asset(request: Asked, state: State, path: FromPath[str]) -> Response[bytes]:
    """A style sheet, script or picture of the pages; for ever where the path begins with the present version."""
    assets: Assets = state.files
    found = assets.find(path.removeprefix("/"))
    if found is None or found[0].media_type == TYPES["html"]:
        raise NotFoundException(f"There is no file {path[:200]!r}.")
    return _answer(found[0], request, FOR_EVER if found[1] else ASK_AGAIN)


@get("/docs/metrics", include_in_schema=False)
async def metric_docs(request: Asked, state: State) -> Response[bytes]:
    """dbt's documentation of every metric, once it is generated."""
    try:
        content = await asyncio.to_thread(docs_page(state.settings).read_bytes)
    except FileNotFoundError:
        return _html(state.files.by_path["not_built.html"], request, status=404)
    headers = {**ASK_AGAIN, "Content-Security-Policy": DBT_POLICY}
    return Response(content, media_type=TYPES["html"], headers=headers)


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Asked) -> dict[str, Any]:
    """The API's description, OpenAPI 3.1."""
    return request.app.openapi_schema.to_schema()
