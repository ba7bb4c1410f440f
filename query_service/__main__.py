"""`python -m query_service`: serves until SIGTERM or SIGINT, then answers what is in flight and ends."""

import asyncio
import signal

import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from eventmill.settings import Settings, load_settings
from eventmill.telemetry import configure_logging
from query_service.app import create_app

logger = structlog.get_logger(__name__)


async def serve(settings: Settings) -> None:
    """Serve in this very process: a worker of its own would outlive a parent that is killed."""
    server = Server(
        create_app(settings),
        address=settings.bind,
        port=settings.http_port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        websockets=False,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    logger.info("query service starts", address=settings.bind, port=settings.http_port)
    await server.serve()
    logger.info("query service stopped")


def main() -> None:
    """Entry point."""
    settings = load_settings()
    configure_logging(settings, "query")
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
