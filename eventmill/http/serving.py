"""Runs an HTTP service in this process until SIGTERM or SIGINT, then answers what is in flight and ends."""

import asyncio
import gc
import logging
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
import uvicorn
import uvloop
from litestar.types import ASGIApp

from eventmill.embedded.ports import is_free
from eventmill.errors import EventmillError, SettingsError
from eventmill.http.connection import Connection
from eventmill.http.tls import Tls

# Connections beyond these are told to come back.
MAX_CONNECTIONS = 2_000
# How long a connection may be silent between two requests.
IDLE_SECONDS = 75
# How long requests that are being answered may take once the service stops.
DRAIN_SECONDS = 30
MAX_WEBSOCKET_MESSAGE_BYTES = 1024**2
# Of the collector's three generations.
GARBAGE_THRESHOLDS = (20_000, 20, 50)

logger = structlog.get_logger(__name__)


class Server(uvicorn.Server):
    """`await serve()` until `stop()`; signals are left to whoever runs it."""

    def stop(self) -> None:
        """Take no more requests, answer those that have come, and end."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def build_server(app: ASGIApp, address: str, port: int, *, websockets: bool = False, tls: Tls | None = None) -> Server:
    """A server for the running event loop, in this very process: one of its own would outlive a parent that is killed.

    uvicorn, for a request takes it half of the processor time that a server with threads of its own took
    (docs/decisions/0030).
    """
    # It would write down who asks for what.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return Server(
        uvicorn.Config(
            app,
            host=address,
            port=port,
            http=Connection,
            ws="websockets-sansio" if websockets else "none",
            ws_max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
            loop="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=MAX_CONNECTIONS,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
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
