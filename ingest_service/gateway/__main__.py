"""`python -m ingest_service.gateway`: serves until SIGTERM or SIGINT, then answers what is in flight and ends."""

import asyncio
import signal

import structlog
import uvloop

from eventmill.settings import Settings, load_settings
from eventmill.telemetry import configure_logging
from ingest_service.gateway.server import build_server

logger = structlog.get_logger(__name__)


async def serve(settings: Settings) -> None:
    """Serve until a signal says stop."""
    server = build_server(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    logger.info("gateway starts", address=settings.bind, port=settings.ingest_port)
    await server.serve()
    logger.info("gateway stopped")


def main() -> None:
    """Entry point."""
    settings = load_settings()
    configure_logging(settings, "gateway")
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
