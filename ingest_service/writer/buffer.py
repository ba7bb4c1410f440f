"""Collects decoded envelopes until they are worth a commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from eventmill.envelopes.decoding import DecodedEnvelope


@dataclass(frozen=True, slots=True)
class FlushLimits:
    """When a buffer is due: rows, bytes or age, whichever comes first.

    A buffer that touches more than `wide_partitions` lingers longer and grows larger: it would otherwise become
    hundreds of tiny files, again and again while history is imported.
    """

    rows: int = 20_000
    bytes: int = 8 * 1024 * 1024
    age_seconds: float = 1.0
    wide_partitions: int = 32
    wide_age_seconds: float = 10.0
    wide_factor: int = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive envelopes: everything of the stream in `(after, through]`; none where that was all deleted."""

    after: int
    through: int
    envelopes: Sequence[DecodedEnvelope]

    @property
    def messages(self) -> int:
        """Messages of the stream in the batch."""
        return _messages(self.envelopes)

    @property
    def complete_through(self) -> datetime | None:
        """Broker's time of the last message; None where there is none."""
        return self.envelopes[-1].published_at if self.envelopes else None

    def beyond(self, sequence: int) -> "Batch":
        """The part of the batch that lies after `sequence`."""
        if sequence <= self.after:
            return self
        rest = (item.beyond(sequence) for item in self.envelopes)
        return Batch(sequence, self.through, [item for item in rest if item is not None])


class Buffer:
    """Envelopes since the last flush. Times are those of one monotonic clock, in seconds."""

    def __init__(self, after: int, limits: FlushLimits | None = None) -> None:
        self.limits = limits or FlushLimits()
        self._start(after)

    def _start(self, after: int) -> None:
        self._after = after
        self._envelopes: list[DecodedEnvelope] = []
        self._partitions: set[tuple[int, bool]] = set()
        self._rows = 0
        self._bytes = 0
        self._first_at = 0.0

    def __len__(self) -> int:
        return len(self._envelopes)

    @property
    def messages(self) -> int:
        """Messages of the stream that were collected."""
        return _messages(self._envelopes)

    def add(self, envelope: DecodedEnvelope, now: float) -> None:
        """Append the next envelope of the stream."""
        if not self._envelopes:
            self._first_at = now
        self._envelopes.append(envelope)
        self._rows += envelope.stored + len(envelope.rejected)
        self._bytes += envelope.size
        self._partitions |= envelope.files

    def seconds_left(self, now: float) -> float:
        """Seconds until the buffer is due: 0 where it is, infinity where it is empty."""
        if not self._envelopes:
            return float("inf")
        limits = self.limits
        is_wide = len(self._partitions) > limits.wide_partitions
        factor = limits.wide_factor if is_wide else 1
        if self._rows >= limits.rows * factor or self._bytes >= limits.bytes * factor:
            return 0.0
        age = limits.wide_age_seconds if is_wide else limits.age_seconds
        return max(0.0, self._first_at + age - now)

    def oldest_published_at(self) -> datetime | None:
        """Broker's time of the first envelope in the buffer."""
        return self._envelopes[0].published_at if self._envelopes else None

    def take(self) -> Batch:
        """Everything collected; the buffer starts anew. Raises IndexError where there is nothing."""
        batch = Batch(self._after, self._envelopes[-1].sequence, self._envelopes)
        self._start(batch.through)
        return batch

    def skip(self, through: int) -> Batch:
        """A batch without envelopes, where the stream has none up to `through`. Only while the buffer is empty."""
        batch = Batch(self._after, through, [])
        self._after = through
        return batch

    @property
    def after(self) -> int:
        """Sequence that the buffer starts after."""
        return self._after


def _messages(envelopes: Sequence[DecodedEnvelope]) -> int:
    return sum(envelope.messages for envelope in envelopes)
