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
        self.window_duplicates = counter(metrics.WRITER_WINDOW_DUPLICATES, registry)
        self.filtered = counter(metrics.WRITER_FILTERED, registry)
        self.flagged = counter(metrics.WRITER_FLAGGED, registry)
        self.bytes = counter(metrics.WRITER_BYTES, registry)
        self.window_seconds = gauge(metrics.WRITER_WINDOW_SECONDS, registry)
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
        for account in counts.accounts:
            self.events.inc(account.stored)
            self.window_duplicates.inc(account.window_duplicate)
            self.flagged.inc(account.flagged)
            for reason, events in account.quarantined.items():
                self.quarantined.labels(reason).inc(events)
            for kind, events in account.filtered.items():
                self.filtered.labels(kind).inc(events)
        self.bytes.inc(counts.bytes)
        self.missing.inc(counts.missing)
        self.flush_events.observe(counts.received)
        self.flush_files.observe(committed.files)
        self.commit_seconds.observe(committed.seconds)
        self.window_seconds.set(committed.window_seconds)
