"""`python -m query_service`."""

from functools import partial

from eventmill.http.serving import run
from eventmill.http.tls import read_tls
from eventmill.settings import load_settings
from eventmill.telemetry import configure_logging
from query_service.app import create_app


def main() -> None:
    """Entry point."""
    settings = load_settings()
    configure_logging(settings, "query")
    run(
        partial(create_app, settings),
        settings.bind,
        settings.http_port,
        "EVENTMILL_HTTP_PORT",
        websockets=True,
        load_tls=partial(read_tls, settings),
    )


if __name__ == "__main__":
    main()
