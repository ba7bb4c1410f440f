"""The limits of the contract. Sizes are in bytes, lengths in Unicode characters."""

from datetime import timedelta

MAX_EVENT_BYTES = 32 * 1024
MAX_REQUEST_BYTES = 500 * 1000
MAX_REQUEST_EVENTS = 2_500
MAX_NESTING = 16
# The broker stores at most 64 KB of headers with a message; the other headers need some of it.
MAX_HEADER_BYTES = 60_000

MAX_EVENT_ID = 100
MAX_EVENT_TYPE = 100
MAX_EVENT_NAME = 200
MAX_ID = 200

SCHEMA_MAJOR = 1
DEFAULT_SCHEMA_VERSION = "1.0.0"

# A client's clock is corrected only beyond this difference [Segment].
CLOCK_TOLERANCE = timedelta(seconds=60)
MAX_FUTURE = timedelta(hours=1)
DEFAULT_RETENTION_DAYS = 90
