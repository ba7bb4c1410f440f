"""Runs an HTTP service in this process until SIGTERM or SIGINT, then answers what is in flight and ends."""

import asyncio
import gc
import resource
import signal
from collections.abc import Callable

import structlog
import uvloop
from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server
from litestar.types import ASGIApp

from eventmill.embedded.ports import is_free
from eventmill.errors import EventmillError, SettingsError
from eventmill.http.tls import Tls

# Connections beyond these wait until another one ends.
MAX_CONNECTIONS = 2_000
# What the server reads ahead of the application, per connection and per HTTP/2 stream.
MAX_UNREAD_BYTES = 64 * 1024
MAX_STREAMS = 100
# Of the collector's three generations.
GARBAGE_THRESHOLDS = (20_000, 20, 50)

logger = structlog.get_logger(__name__)


def build_server(app: ASGIApp, address: str, port: int, *, websockets: bool = False, tls: Tls | None = None) -> Server:
    """A server for the running event loop: `await server.serve()` until `server.stop()`.

    It serves in this very process: a worker process of its own would outlive a parent that is killed.
    """
    return Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        websockets=websockets,
        backlog=MAX_CONNECTIONS,
        backpressure=MAX_CONNECTIONS,
        http1_settings=HTTP1Settings(max_buffer_size=MAX_UNREAD_BYTES),
        http2_settings=HTTP2Settings(
            initial_connection_window_size=2 * MAX_UNREAD_BYTES,
            initial_stream_window_size=MAX_UNREAD_BYTES,
            max_concurrent_streams=MAX_STREAMS,
            max_headers_size=MAX_UNREAD_BYTES,
        ),
        ssl_cert=tls.certificate if tls else None,
        ssl_key=tls.key if tls else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )


async def serve(
    create_app: Callable[[], ASGIApp],
    address: str,
    port: int,
    setting: str,
    *,
    websockets: bool = False,
    load_tls: Callable[[], Tls | None] = lambda: None,
) -> None:
    """Serve what `create_app` makes, inside the loop, until a signal says stop.

    Raises SettingsError, naming the setting (for the port `setting`), where the port is taken or `load_tls` fails.
    """
    # The server shares its port with whoever has it already, and half of the requests would go there.
    if not is_free(address, port):
        raise SettingsError(f"Port {port} is taken.", f"{setting} chooses another.")
    tls = load_tls()
    server = build_server(create_app(), address, port, websockets=websockets, tls=tls)
    # What was imported and built until here stays. Looked through by every full collection, it would stop all requests
    # for a tenth of a second and more. What is kept later, answers above all, has no cycles: that is looked through
    # rarely.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    logger.info("service starts", address=address, port=port, tls=tls is not None)
    await server.serve()
    logger.info("service stopped")


def run(
    create_app: Callable[[], ASGIApp],
    address: str,
    port: int,
    setting: str,
    *,
    websockets: bool = False,
    load_tls: Callable[[], Tls | None] = lambda: None,
) -> None:
    """Run the service; where it cannot start, say why in the log and exit with 1."""
    _allow_open_files()
    try:
        uvloop.run(serve(create_app, address, port, setting, websockets=websockets, load_tls=load_tls))
    except EventmillError as error:
        logger.critical("service cannot start", error=error.message, hint=error.hint)
        raise SystemExit(1) from None


def _allow_open_files() -> None:
    # A shell's usual 1,024 open files are fewer than the connections that are allowed.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + 1_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))
