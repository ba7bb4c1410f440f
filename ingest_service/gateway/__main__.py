"""`python -m ingest_service.gateway`."""

from functools import partial

from eventmill.http.serving import run
from eventmill.http.tls import read_tls
from eventmill.settings import load_settings
from eventmill.telemetry import configure_logging
from ingest_service.gateway.app import create_app


def main() -> None:
    """Entry point."""
    settings = load_settings()
    configure_logging(settings, "gateway")
    load_tls = partial(read_tls, settings)
    run(partial(create_app, settings), settings.bind, settings.ingest_port, "EVENTMILL_INGEST_PORT", load_tls=load_tls)


if __name__ == "__main__":
    main()
