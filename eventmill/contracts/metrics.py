"""Every metric that a service exposes: one closed list of name, kind, meaning and labels."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A metric as Prometheus sees it; a counter's name ends in `_total`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
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
)
GATEWAY_QUARANTINED = MetricDefinition(
    "eventmill_gateway_quarantined_events_total", "counter", "Events that broke a rule, by reason.", ("reason",)
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
)
GATEWAY = (GATEWAY_REQUESTS, GATEWAY_EVENTS, GATEWAY_QUARANTINED, GATEWAY_PUBLISH_SECONDS, GATEWAY_PUBLISH_FAILURES)
