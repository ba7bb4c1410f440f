"""`POST /v1/events`: from a request to envelopes on the broker's disk, and back to one answer an event."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import State
from prometheus_client import CollectorRegistry

from eventmill import telemetry
from eventmill.contracts import metrics
from eventmill.control.credentials import Credential
from eventmill.control.key_cache import KeyCache
from eventmill.enrichment import client_of
from eventmill.errors import NotReadyError
from eventmill.settings import Settings
from eventmill.stream import PublishError, StreamFullError
from ingest_service.gateway.answers import EventAnswer, answer_event, answer_request
from ingest_service.gateway.auth import authorize
from ingest_service.gateway.body import read_events
from ingest_service.gateway.intake import Envelope, Judged, RequestFacts, take_in
from ingest_service.gateway.problems import Problem, unavailable
from ingest_service.gateway.publish import Broker
from ingest_service.gateway.recent import RecentIds
from ingest_service.gateway.visitors import Visitors

# From the first byte to a 503, so that a client hears within 2 s that the broker is down.
BUDGET_SECONDS = 1.8
LEAST_PUBLISH_SECONDS = 0.3

HttpRequest = Request[Any, Any, State]


class Intake:
    """Takes requests in: authorises, judges, publishes, answers."""

    def __init__(
        self, settings: Settings, keys: KeyCache, visitors: Visitors, broker: Broker, registry: CollectorRegistry
    ) -> None:
        self._keys, self._visitors, self._broker = keys, visitors, broker
        self._history_start = datetime.combine(settings.history_start, datetime.min.time(), UTC)
        self._recent = RecentIds()
        self._events = telemetry.counter(metrics.GATEWAY_EVENTS, registry)
        self._quarantined = telemetry.counter(metrics.GATEWAY_QUARANTINED, registry)

    async def answer(self, request: HttpRequest) -> Response[bytes]:
        """Answer after the broker has confirmed every envelope of the request. Raises Problem."""
        received_at = datetime.now(UTC)
        history = _flag(request, "history")
        try:
            credential = await authorize(self._keys, request.headers, history=history)
            events = await read_events(request.stream(), request.headers.get("content-encoding", ""))
            deadline = time.monotonic() + BUDGET_SECONDS - min(1.0, _seconds_since(received_at))
            await self._visitors.renew(received_at.date())
            envelopes, verdicts = take_in(events, self._facts(request, credential, received_at, history=history))
            answers = self._answer_events(verdicts)
            left = max(LEAST_PUBLISH_SECONDS, deadline - time.monotonic())
            await asyncio.gather(*(self._publish(envelope, verdicts, left) for envelope in envelopes))
        except (NotReadyError, StreamFullError, PublishError) as error:
            raise unavailable(error.message) from error
        self._count(answers)
        return Response(msgspec.json.encode(answer_request(answers)), media_type="application/json", status_code=200)

    def _facts(
        self, request: HttpRequest, credential: Credential, received_at: datetime, *, history: bool
    ) -> RequestFacts:
        user_agent = request.headers.get("user-agent", "")
        address = request.client.host if request.client else ""
        return RequestFacts(
            apps=credential.apps,
            default_app=_default_app(request, credential),
            received_at=received_at,
            history=history,
            history_start=self._history_start,
            defaults=client_of(user_agent),
            visitor_id=lambda app_id: self._visitors.id_of(app_id, address, user_agent),
        )

    def _answer_events(self, verdicts: list[Judged]) -> list[EventAnswer]:
        answers: list[EventAnswer] = []
        here: set[tuple[str, str]] = set()
        for verdict in verdicts:
            key = (verdict.app_id, verdict.event_id or "")
            is_duplicate = verdict.event_id is not None and (key in here or key in self._recent)
            answer = answer_event(verdict.decoded, verdict.event_id, is_duplicate=is_duplicate)
            if answer.status == "accepted":
                here.add(key)
            answers.append(answer)
        return answers

    async def _publish(self, envelope: Envelope, verdicts: list[Judged], budget_seconds: float) -> None:
        await self._broker.publish(envelope, budget_seconds)
        # Only now: after a 503 the client's next try is no duplicate.
        app_id = envelope.context.app_id
        self._recent.add(
            (app_id, verdict.event_id)
            for verdict in verdicts
            if verdict.app_id == app_id and verdict.event_id and verdict.is_good
        )

    def _count(self, answers: list[EventAnswer]) -> None:
        for answer in answers:
            self._events.labels(answer.status).inc()
            if answer.reason is not None:
                self._quarantined.labels(answer.reason).inc()


def _seconds_since(instant: datetime) -> float:
    return (datetime.now(UTC) - instant).total_seconds()


def _flag(request: HttpRequest, name: str) -> bool:
    text = request.query_params.get(name, "false")
    if text not in {"true", "false"}:
        rule = f"The query parameter {name} is true or false."
        raise Problem(400, "Bad Request", f"{name}={text[:50]!r}", field=name, rule=rule)
    return text == "true"


def _default_app(request: HttpRequest, credential: Credential) -> str | None:
    app_id = request.query_params.get("app_id")
    if app_id is not None and app_id not in credential.apps:
        rule = "The query parameter app_id is one of the key's apps."
        raise Problem(403, "Forbidden", f"The key does not cover app {app_id[:63]!r}.", field="app_id", rule=rule)
    return app_id


@post("/v1/events", status_code=200, request_max_body_size=None)
async def post_events(request: HttpRequest, state: State) -> Response[bytes]:
    """Take in one event, a JSON array or NDJSON, plain, gzip or zstd.

    200 says that every event is on the broker's disk, the quarantined ones too, and holds one answer an event, in
    order. Anything else is Problem Details: 400 (no event, or a body that does not decompress), 401, 403, 413, 415; 503
    with Retry-After where the broker does not confirm in time: then nothing was acknowledged. With a key of several
    apps, a 503 may follow after one app's events were stored: the next try with the same ids makes them duplicates.
    """
    intake: Intake = state.intake
    return await intake.answer(request)
