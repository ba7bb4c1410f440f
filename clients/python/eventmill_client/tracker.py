"""Events: collected, and sent in batches whose retries never count twice."""

import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx

from eventmill_client.problems import ProblemError

BATCH_EVENTS = 100
MAX_BACKOFF_SECONDS = 30.0


class Tracker:
    """Sends events to the gateway at `url` with a write key; not for several threads at once.

    As a context manager it flushes at the end. `retry_seconds` is how long a flush tries before it raises.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        batch_events: int = BATCH_EVENTS,
        retry_seconds: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url, self._batch_events, self._retry_seconds = url.rstrip("/"), batch_events, retry_seconds
        self._sleep = sleep
        self._http = httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=10.0)
        self._waiting: list[dict[str, Any]] = []

    def track(self, event_type: str, properties: Mapping[str, Any] | None = None, **fields: Any) -> str:
        """Collect an event and return its id; every `batch_events` of them are sent, which may raise as `flush` does.

        `fields` are those of docs/events.md: user_id, anonymous_id, page_url, …; id and timestamp may be among them.
        """
        event = {
            "event_id": str(uuid.uuid4()),
            "timestamp": datetime.now(UTC).isoformat(),
            "source": "server",
            **fields,
            "event_type": event_type,
            "properties": dict(properties or {}),
        }
        self._waiting.append(event)
        if len(self._waiting) >= self._batch_events:
            self.flush()
        return str(event["event_id"])

    def flush(self) -> None:
        """Return once the broker has every event on its disk.

        Raises ProblemError for a refusal, httpx.TransportError where nobody answers, after `retry_seconds`; the events
        then still wait for the next flush.
        """
        while self._waiting:
            batch = self._waiting[: self._batch_events]
            self._send(batch)
            del self._waiting[: len(batch)]

    def _send(self, batch: list[dict[str, Any]]) -> None:
        give_up_at = time.monotonic() + self._retry_seconds
        pause = 0.5
        while True:
            try:
                response = self._http.post(f"{self._url}/v1/events", json=batch)
                if response.is_success:
                    return
                if response.status_code == 413 and len(batch) > 1:
                    half = len(batch) // 2
                    self._send(batch[:half])
                    self._send(batch[half:])
                    return
                problem = ProblemError.of(response)
                is_final = problem.status != 429 and problem.status < 500
                wait = max(problem.retry_after_seconds or 0, pause)
                if is_final or time.monotonic() + wait > give_up_at:
                    raise problem
            except httpx.TransportError:
                wait = pause
                if time.monotonic() + wait > give_up_at:
                    raise
            self._sleep(wait)
            pause = min(2 * pause, MAX_BACKOFF_SECONDS)

    def close(self) -> None:
        """Flush, then close the connections."""
        try:
            self.flush()
        finally:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
