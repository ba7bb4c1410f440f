"""Backpressure: how many requests, and how many bytes of them, the gateway holds; beyond, it says 503 at once."""

from prometheus_client import CollectorRegistry

from eventmill import telemetry
from eventmill.contracts import metrics
from eventmill.settings import Settings
from ingest_service.gateway.problems import Problem, unavailable


class Admission:
    """Counts what is in flight. Memory follows these two numbers, whatever the clients and the broker do."""

    def __init__(self, max_requests: int, max_bytes: int, registry: CollectorRegistry) -> None:
        self._max_requests, self._max_bytes = max_requests, max_bytes
        self._requests = self._bytes = 0
        telemetry.gauge(metrics.GATEWAY_IN_FLIGHT_REQUESTS, registry).set_function(lambda: self._requests)
        telemetry.gauge(metrics.GATEWAY_IN_FLIGHT_BYTES, registry).set_function(lambda: self._bytes)

    @classmethod
    def from_settings(cls, settings: Settings, registry: CollectorRegistry) -> "Admission":
        """Bounds as the settings say."""
        return cls(settings.gateway_max_requests, settings.gateway_max_bytes, registry)

    def admit(self) -> "Admitted":
        """A place for one request. Raises Problem 503 where none is left."""
        if self._requests >= self._max_requests:
            raise overloaded(f"The gateway has {self._max_requests:,} requests in flight.")
        self._requests += 1
        return Admitted(self)

    def hold(self, size: int) -> None:
        """Count bytes as held. Raises Problem 503 where they would be too many."""
        if self._bytes + size > self._max_bytes:
            raise overloaded(f"The gateway holds {self._bytes:,} bytes of requests in flight.")
        self._bytes += size

    def leave(self, size: int) -> None:
        """Give back one request's place and its bytes."""
        self._requests -= 1
        self._bytes -= size


class Admitted:
    """The place of one request; leaving it as a context manager gives everything back."""

    __slots__ = ("_admission", "_bytes")

    def __init__(self, admission: Admission) -> None:
        self._admission, self._bytes = admission, 0

    def __enter__(self) -> "Admitted":
        return self

    def __exit__(self, *_error: object) -> None:
        self._admission.leave(self._bytes)

    def hold(self, size: int) -> None:
        """Hold more bytes until the request is answered. Raises Problem 503."""
        self._admission.hold(size)
        self._bytes += size


def overloaded(detail: str) -> Problem:
    """503 of a gateway that has enough to do."""
    problem = unavailable(detail)
    problem.cause = "overloaded"
    return problem
