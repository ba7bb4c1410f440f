"""The writer's metrics, by the names of the closed list."""

from prometheus_client import CollectorRegistry

from eventmill.contracts import metrics
from eventmill.telemetry import counter, gauge, histogram
from ingest_service.writer.flush import Committed


class Instruments:
    """Counts and times what the writer does. One object for each registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = counter(metrics.WRITER_EVENTS, registry)
        self.quarantined = counter(metrics.WRITER_QUARANTINED, registry)
        self.missing = counter(metrics.WRITER_MISSING, registry)
        self.flush_events = histogram(metrics.WRITER_FLUSH_EVENTS, registry)
        self.flush_files = histogram(metrics.WRITER_FLUSH_FILES, registry)
        self.commit_seconds = histogram(metrics.WRITER_COMMIT_SECONDS, registry)
        self.failures = counter(metrics.WRITER_FAILURES, registry)
        self.lag_messages = gauge(metrics.WRITER_LAG_MESSAGES, registry)
        self.lag_seconds = gauge(metrics.WRITER_LAG_SECONDS, registry)
        self.damaged_files = counter(metrics.WRITER_DAMAGED_FILES, registry)

    def note_commit(self, committed: Committed) -> None:
        """Count a commit."""
        counts = committed.counts
        self.events.inc(counts.stored)
        for reason, events in counts.quarantined.items():
            self.quarantined.labels(reason).inc(events)
        self.missing.inc(counts.missing)
        self.flush_events.observe(counts.received)
        self.flush_files.observe(committed.files)
        self.commit_seconds.observe(committed.seconds)
