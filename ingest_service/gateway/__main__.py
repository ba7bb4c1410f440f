"""`python -m ingest_service.gateway`: serves until SIGTERM or SIGINT, then answers what is in flight and ends."""

import asyncio
import signal

import structlog
import uvloop

from eventmill.embedded.ports import is_free
from eventmill.errors import EventmillError, SettingsError
from eventmill.settings import Settings, load_settings
from eventmill.telemetry import configure_logging
from ingest_service.gateway.server import build_server

logger = structlog.get_logger(__name__)


async def serve(settings: Settings) -> None:
    """Serve until a signal says stop. Raises SettingsError where the port is taken."""
    # The server shares its port with whoever has it already, and half of the requests would go there.
    if not is_free(settings.bind, settings.ingest_port):
        raise SettingsError(f"Port {settings.ingest_port} is taken.", "EVENTMILL_INGEST_PORT chooses another.")
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
    try:
        uvloop.run(serve(settings))
    except EventmillError as error:
        logger.critical("gateway cannot start", error=error.message, hint=error.hint)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
