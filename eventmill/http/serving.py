"""Runs an HTTP service in this process until SIGTERM or SIGINT, then answers what is in flight and ends."""

import asyncio
import signal
from collections.abc import Callable

import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar.types import ASGIApp

from eventmill.embedded.ports import is_free
from eventmill.errors import EventmillError, SettingsError

logger = structlog.get_logger(__name__)


def build_server(app: ASGIApp, address: str, port: int) -> Server:
    """A server for the running event loop: `await server.serve()` until `server.stop()`.

    It serves in this very process: a worker process of its own would outlive a parent that is killed.
    """
    return Server(app, address=address, port=port, interface=Interfaces.ASGI, log_enabled=False, websockets=False)


async def serve(create_app: Callable[[], ASGIApp], address: str, port: int, setting: str) -> None:
    """Serve what `create_app` makes, inside the loop, until a signal says stop.

    Raises SettingsError, naming `setting`, where the port is taken.
    """
    # The server shares its port with whoever has it already, and half of the requests would go there.
    if not is_free(address, port):
        raise SettingsError(f"Port {port} is taken.", f"{setting} chooses another.")
    server = build_server(create_app(), address, port)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    logger.info("service starts", address=address, port=port)
    await server.serve()
    logger.info("service stopped")


def run(create_app: Callable[[], ASGIApp], address: str, port: int, setting: str) -> None:
    """Run the service; where it cannot start, say why in the log and exit with 1."""
    try:
        uvloop.run(serve(create_app, address, port, setting))
    except EventmillError as error:
        logger.critical("service cannot start", error=error.message, hint=error.hint)
        raise SystemExit(1) from None
