"""`python -m query_service.flight`."""

import signal
import threading

import structlog

from eventmill.embedded.ports import is_free
from eventmill.errors import EventmillError, SettingsError
from eventmill.http.tls import read_tls
from eventmill.settings import Settings, load_settings
from eventmill.telemetry import configure_logging
from query_service.flight.identity import Identity
from query_service.flight.limits import Limits
from query_service.flight.queries import FlightQueries
from query_service.flight.server import FlightServer, FlightTls

# Streams that end by themselves in this time are not cut off.
GRACE_SECONDS = 3.0

logger = structlog.get_logger(__name__)


def main() -> None:
    """Entry point: serve until SIGTERM or SIGINT; where it cannot start, say why in the log and exit with 1."""
    settings = load_settings()
    configure_logging(settings, "flight")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        serve(settings, Limits(), stop)
    except EventmillError as error:
        logger.critical("service cannot start", error=error.message, hint=error.hint)
        raise SystemExit(1) from None


def serve(settings: Settings, limits: Limits, stop: threading.Event) -> None:
    """Serve until `stop`, then let streams end. Raises SettingsError for a port that is taken or wrong TLS files."""
    # gRPC shares its port with whoever has it already, and half of the requests would go there.
    if not is_free(settings.bind, settings.flight_port):
        raise SettingsError(f"Port {settings.flight_port} is taken.", "EVENTMILL_FLIGHT_PORT chooses another.")
    tls = flight_tls(settings)
    identity, queries = Identity(settings), FlightQueries(settings, limits)
    server = FlightServer(settings.bind, settings.flight_port, queries, identity, limits, tls)
    logger.info("service starts", address=settings.bind, port=settings.flight_port, tls=tls is not None)
    stop.wait()
    # It takes no more calls, and returns once those that run have ended.
    closing = threading.Thread(target=server.shutdown, name="flight-shutdown")
    closing.start()
    closing.join(GRACE_SECONDS)
    queries.stop()
    closing.join()
    identity.stop()
    logger.info("service stopped")


def flight_tls(settings: Settings) -> FlightTls | None:
    """The files of the settings, read. Raises SettingsError as `read_tls`."""
    tls = read_tls(settings)
    if tls is None:
        return None
    authorities = tls.client_authorities.read_bytes() if tls.client_authorities else None
    return FlightTls(tls.certificate.read_bytes(), tls.key.read_bytes(), authorities)


if __name__ == "__main__":
    main()
