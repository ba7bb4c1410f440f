"""Every metric that a service exposes: one closed list of name, kind, meaning and labels."""

from dataclasses import dataclass
from typing import Literal

from eventmill.contracts.filters import FilterKind
from eventmill.contracts.reasons import Reason


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A metric as Prometheus sees it; a counter's name ends in `_total`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    # All values of the only label, where they are a closed list: their series are there before the first event.
    values: tuple[str, ...] = ()
    # Upper bounds of a histogram, in the metric's unit.
    buckets: tuple[float, ...] = ()


GATEWAY_REQUESTS = MetricDefinition(
    "eventmill_gateway_requests_total", "counter", "Ingest requests answered, by HTTP status.", ("status",)
)
GATEWAY_EVENTS = MetricDefinition(
    "eventmill_gateway_events_total",
    "counter",
    "Events stored by the broker, by the status that the client was told.",
    ("status",),
    ("accepted", "duplicate", "quarantined", "filtered"),
)
GATEWAY_QUARANTINED = MetricDefinition(
    "eventmill_gateway_quarantined_events_total",
    "counter",
    "Events that broke a rule, by reason.",
    ("reason",),
    tuple(Reason),
)
GATEWAY_PUBLISH_SECONDS = MetricDefinition(
    "eventmill_gateway_publish_seconds",
    "histogram",
    "Seconds from publishing an envelope to the broker's confirmation.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0),
)
GATEWAY_PUBLISH_FAILURES = MetricDefinition(
    "eventmill_gateway_publish_failures_total",
    "counter",
    "Envelopes that the broker did not confirm, by cause: stream_full or not_confirmed.",
    ("cause",),
    ("stream_full", "not_confirmed"),
)
GATEWAY_GROUP_REQUESTS = MetricDefinition(
    "eventmill_gateway_group_requests",
    "histogram",
    "Requests that share an envelope, and with it one sync of the broker's disk.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
GATEWAY_GROUP_EVENTS = MetricDefinition(
    "eventmill_gateway_group_events",
    "histogram",
    "Events in a published envelope.",
    buckets=(0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500),
)
GATEWAY_REFUSED = MetricDefinition(
    "eventmill_gateway_refused_requests_total",
    "counter",
    "Ingest requests refused as a whole, whose events were never received, by cause: unauthorized, forbidden, invalid,"
    " too_large, too_slow, rate_limited, overloaded (the gateway), unavailable (what is behind it) or failed.",
    ("cause",),
    (
        "unauthorized",
        "forbidden",
        "invalid",
        "too_large",
        "too_slow",
        "rate_limited",
        "overloaded",
        "unavailable",
        "failed",
    ),
)
GATEWAY_RATE_LIMITED = MetricDefinition(
    "eventmill_gateway_rate_limited_events_total",
    "counter",
    "Events of requests that were over their app's events per second, by app.",
    ("app_id",),
)
GATEWAY_IN_FLIGHT_REQUESTS = MetricDefinition(
    "eventmill_gateway_in_flight_requests", "gauge", "Ingest requests that are being answered."
)
GATEWAY_IN_FLIGHT_BYTES = MetricDefinition(
    "eventmill_gateway_in_flight_bytes", "gauge", "Bytes of the bodies of ingest requests that are being answered."
)
GATEWAY = (
    GATEWAY_REQUESTS,
    GATEWAY_EVENTS,
    GATEWAY_QUARANTINED,
    GATEWAY_PUBLISH_SECONDS,
    GATEWAY_PUBLISH_FAILURES,
    GATEWAY_GROUP_REQUESTS,
    GATEWAY_GROUP_EVENTS,
    GATEWAY_REFUSED,
    GATEWAY_RATE_LIMITED,
    GATEWAY_IN_FLIGHT_REQUESTS,
    GATEWAY_IN_FLIGHT_BYTES,
)

WRITER_EVENTS = MetricDefinition("eventmill_writer_events_total", "counter", "Events stored in the lake.")
WRITER_QUARANTINED = MetricDefinition(
    "eventmill_writer_quarantined_events_total",
    "counter",
    "Events put into quarantine, by reason.",
    ("reason",),
    tuple(Reason),
)
WRITER_WINDOW_DUPLICATES = MetricDefinition(
    "eventmill_writer_window_duplicates_total",
    "counter",
    "Events not stored, as the same id was stored within the duplicate window before.",
)
WRITER_FILTERED = MetricDefinition(
    "eventmill_writer_filtered_events_total",
    "counter",
    "Events left out by a filter, here or at the gateway, by kind.",
    ("kind",),
    tuple(FilterKind),
)
WRITER_FLAGGED = MetricDefinition(
    "eventmill_writer_flagged_events_total", "counter", "Events stored though they break the app's tracking plan."
)
WRITER_BYTES = MetricDefinition("eventmill_writer_bytes_total", "counter", "Bytes of the envelopes committed.")
WRITER_WINDOW_SECONDS = MetricDefinition(
    "eventmill_writer_duplicate_window_seconds",
    "gauge",
    "Length of the duplicate window as it is: less than the setting where EVENTMILL_DUPLICATE_WINDOW_IDS is too small.",
)
WRITER_MISSING = MetricDefinition(
    "eventmill_writer_missing_messages_total",
    "counter",
    "Messages that were deleted from the stream before the writer read them.",
)
WRITER_FLUSH_EVENTS = MetricDefinition(
    "eventmill_writer_flush_events",
    "histogram",
    "Events in a flush.",
    buckets=(1, 10, 100, 1_000, 5_000, 10_000, 20_000, 60_000),
)
WRITER_FLUSH_FILES = MetricDefinition(
    "eventmill_writer_flush_files", "histogram", "Data files of a flush.", buckets=(0, 1, 2, 4, 8, 16, 32, 128, 1_024)
)
WRITER_COMMIT_SECONDS = MetricDefinition(
    "eventmill_writer_commit_seconds",
    "histogram",
    "Seconds that a flush takes, from rows in memory to a durable commit.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
WRITER_FAILURES = MetricDefinition(
    "eventmill_writer_failures_total", "counter", "Flushes that failed and are tried again, by error.", ("error",)
)
WRITER_LAG_MESSAGES = MetricDefinition(
    "eventmill_writer_lag_messages", "gauge", "Messages in the stream that are not in the lake yet."
)
WRITER_LAG_SECONDS = MetricDefinition(
    "eventmill_writer_lag_seconds", "gauge", "Age of the oldest message of the stream that is not in the lake yet."
)
WRITER_DAMAGED_FILES = MetricDefinition(
    "eventmill_writer_damaged_files_total",
    "counter",
    "Damaged data files found in the lake, by what became of them: repaired, lost (rows are missing) or differs.",
    ("outcome",),
    ("repaired", "lost", "differs"),
)
WRITER = (
    WRITER_EVENTS,
    WRITER_QUARANTINED,
    WRITER_WINDOW_DUPLICATES,
    WRITER_FILTERED,
    WRITER_FLAGGED,
    WRITER_BYTES,
    WRITER_WINDOW_SECONDS,
    WRITER_MISSING,
    WRITER_FLUSH_EVENTS,
    WRITER_FLUSH_FILES,
    WRITER_COMMIT_SECONDS,
    WRITER_FAILURES,
    WRITER_LAG_MESSAGES,
    WRITER_LAG_SECONDS,
    WRITER_DAMAGED_FILES,
)

QUERY_REQUESTS = MetricDefinition(
    "eventmill_query_requests_total",
    "counter",
    "Requests that the query service answered, by HTTP status.",
    ("status",),
)
QUERY_SECONDS = MetricDefinition(
    "eventmill_query_seconds",
    "histogram",
    "Seconds from a request's arrival at the query service to the end of its answer.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0),
)
QUERY_LAKE_JOBS = MetricDefinition(
    "eventmill_query_lake_jobs_total",
    "counter",
    "Questions to the lake, by outcome: answered, refused (too many wait), too_long, too_large (memory or rows),"
    " cancelled (the client left), invalid or failed.",
    ("outcome",),
    ("answered", "refused", "too_long", "too_large", "cancelled", "invalid", "failed"),
)
QUERY_LAKE_SECONDS = MetricDefinition(
    "eventmill_query_lake_seconds",
    "histogram",
    "Seconds that a worker spends on a question to the lake, by task.",
    ("task",),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0),
)
QUERY_LAKE_WAIT_SECONDS = MetricDefinition(
    "eventmill_query_lake_wait_seconds",
    "histogram",
    "Seconds that a question to the lake waits for a worker.",
    buckets=(0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0),
)
QUERY_LAKE_WAITING = MetricDefinition(
    "eventmill_query_lake_waiting", "gauge", "Questions to the lake that wait for a worker."
)
QUERY_LAKE_WORKER_STARTS = MetricDefinition(
    "eventmill_query_lake_worker_starts_total",
    "counter",
    "Lake workers started: at first, and in place of one that died or did not stop at its limit.",
)
QUERY_LAKE = (
    QUERY_LAKE_JOBS,
    QUERY_LAKE_SECONDS,
    QUERY_LAKE_WAIT_SECONDS,
    QUERY_LAKE_WAITING,
    QUERY_LAKE_WORKER_STARTS,
)
QUERY_CACHE = MetricDefinition(
    "eventmill_query_cache_total",
    "counter",
    "Questions by how they were answered: by a kept answer (hit), by one that was under way (joined), anew (miss).",
    ("outcome",),
    ("hit", "joined", "miss"),
)
QUERY_CACHE_BYTES = MetricDefinition("eventmill_query_cache_bytes", "gauge", "Bytes of answers that are kept.")
QUERY_LIVE_ROWS = MetricDefinition("eventmill_query_live_rows", "gauge", "Events in the live windows of all apps.")
QUERY_LIVE_BYTES = MetricDefinition("eventmill_query_live_bytes", "gauge", "Bytes that the live windows take, about.")
QUERY_LIVE_LAG_SECONDS = MetricDefinition(
    "eventmill_query_live_lag_seconds",
    "gauge",
    "Seconds since everything that the stream held was in the live windows; 0 before the first time.",
)
QUERY_LIVE_CLIENTS = MetricDefinition("eventmill_query_live_clients", "gauge", "WebSocket connections that are open.")
QUERY_LIVE_SUBSCRIPTIONS = MetricDefinition(
    "eventmill_query_live_subscriptions", "gauge", "Subscriptions of these connections."
)
QUERY_LIVE_TOPICS = MetricDefinition(
    "eventmill_query_live_topics", "gauge", "Different questions among them: each is computed once for all who follow."
)
QUERY_LIVE_DROPPED = MetricDefinition(
    "eventmill_query_live_dropped_clients_total", "counter", "Connections ended as their client took nothing for 10 s."
)
QUERY_LIVE = (
    QUERY_LIVE_ROWS,
    QUERY_LIVE_BYTES,
    QUERY_LIVE_LAG_SECONDS,
    QUERY_LIVE_CLIENTS,
    QUERY_LIVE_SUBSCRIPTIONS,
    QUERY_LIVE_TOPICS,
    QUERY_LIVE_DROPPED,
)
QUERY_ANSWER_SECONDS = MetricDefinition(
    "eventmill_query_answer_seconds",
    "histogram",
    "Seconds from a checked question to its answer, kept ones too, by transport (rest, graphql, websocket) and source"
    " (live, rollup, lake).",
    ("transport", "source"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0),
)
QUERY_RATE_LIMITED = MetricDefinition(
    "eventmill_query_rate_limited_total",
    "counter",
    "Requests refused because their credential made too many (EVENTMILL_QUERY_REQUESTS_PER_SECOND).",
)
QUERY_POOL_WAIT_SECONDS = MetricDefinition(
    "eventmill_query_pool_wait_seconds",
    "histogram",
    "Seconds that a question waits for a connection to Postgres.",
    buckets=(0.0001, 0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0),
)
QUERY_POOL_CONNECTIONS = MetricDefinition(
    "eventmill_query_pool_connections",
    "gauge",
    "Connections to Postgres for questions, by state: size (open), idle; and waiting, questions that wait for one.",
    ("state",),
)
QUERY_STATEMENT_SECONDS = MetricDefinition(
    "eventmill_query_statement_seconds",
    "histogram",
    "Seconds of a statement in Postgres.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0),
)
QUERY_SLOW_STATEMENTS = MetricDefinition(
    "eventmill_query_slow_statements_total",
    "counter",
    "Statements that took EVENTMILL_SLOW_QUERY_MS or longer; the log has how each begins, without values.",
)
QUERY_CARE = (
    QUERY_ANSWER_SECONDS,
    QUERY_RATE_LIMITED,
    QUERY_POOL_WAIT_SECONDS,
    QUERY_POOL_CONNECTIONS,
    QUERY_STATEMENT_SECONDS,
    QUERY_SLOW_STATEMENTS,
)
QUERY = (QUERY_REQUESTS, QUERY_SECONDS, *QUERY_LAKE, QUERY_CACHE, QUERY_CACHE_BYTES, *QUERY_LIVE, *QUERY_CARE)
