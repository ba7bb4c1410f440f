"""`python -m ingest_service.writer`: runs the writer; `--accept-stream` lets a lake go on with a new stream."""

import argparse
import sys

import structlog
import uvloop

from eventmill.errors import EventmillError
from eventmill.settings import load_settings
from eventmill.telemetry import configure_logging
from ingest_service.writer.assembly import accept, run

# Decoding holds the interpreter; the thread that writes needs it between two calls into Arrow, some hundred times a
# batch, and would wait Python's 5 ms each time.
SWITCH_SECONDS = 0.0005

log = structlog.get_logger(__name__)


def main() -> int:
    """Run until SIGTERM or SIGINT; 1 where the writer cannot work."""
    parser = argparse.ArgumentParser(
        prog="python -m ingest_service.writer", description="Write the stream to the lake."
    )
    parser.add_argument(
        "--accept-stream",
        action="store_true",
        help="let the lake go on with a stream that it does not know, from the stream's beginning, and exit",
    )
    is_accepting = parser.parse_args().accept_stream
    settings = load_settings()
    configure_logging(settings, "writer")
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        uvloop.run(accept(settings) if is_accepting else run(settings))
    except EventmillError as error:
        log.critical("the writer stops", reason=error.message, hint=error.hint)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
