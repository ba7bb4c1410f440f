"""Logs and metrics, the same in every service."""

import logging
import sys
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from eventmill.contracts.metrics import MetricDefinition
from eventmill.settings import Settings

# A series that says when another one began: it would double what a Prometheus keeps of us.
disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client has no types for it


def configure_logging(settings: Settings, service: str) -> None:
    """Write one JSON object a line to stderr, from structlog and from libraries alike, naming the service."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _name_service(service),
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    # It logs every request at level info, health probes too.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _name_service(service: str) -> Any:
    def add(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        return {"service": service, **event}

    return add


def counter(definition: MetricDefinition, registry: CollectorRegistry) -> Counter:
    """A counter of the closed list."""
    _expect(definition, "counter")
    made = Counter(definition.name, definition.help, definition.labels, registry=registry)
    for value in definition.values:
        made.labels(value)
    return made


def gauge(definition: MetricDefinition, registry: CollectorRegistry) -> Gauge:
    """A gauge of the closed list."""
    _expect(definition, "gauge")
    return Gauge(definition.name, definition.help, definition.labels, registry=registry)


def histogram(definition: MetricDefinition, registry: CollectorRegistry) -> Histogram:
    """A histogram of the closed list."""
    _expect(definition, "histogram")
    return Histogram(definition.name, definition.help, definition.labels, registry=registry, buckets=definition.buckets)


def _expect(definition: MetricDefinition, kind: str) -> None:
    if definition.kind != kind:
        msg = f"{definition.name} is a {definition.kind}, not a {kind}"
        raise ValueError(msg)
