"""`python -m ingest_service.gateway`."""

import gc
from functools import partial

from eventmill.http.serving import run
from eventmill.http.tls import read_tls
from eventmill.settings import load_settings
from eventmill.telemetry import configure_logging
from ingest_service.gateway.app import create_app

# Requests that wait for the broker are many objects that are soon gone. At Python's usual 700 the collector would walk
# over them again and again, a sixth of the gateway's time, and find nothing: refusals leave no cycles behind.
NEW_OBJECTS_BEFORE_COLLECTION = 20_000


def main() -> None:
    """Entry point."""
    settings = load_settings()
    configure_logging(settings, "gateway")
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_BEFORE_COLLECTION)
    load_tls = partial(read_tls, settings)
    run(partial(create_app, settings), settings.bind, settings.ingest_port, "EVENTMILL_INGEST_PORT", load_tls=load_tls)


if __name__ == "__main__":
    main()
