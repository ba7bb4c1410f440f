"""What is in front of the endpoints lets go of a refused request at once."""

import gc
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from litestar.types import HTTPScope
from prometheus_client import CollectorRegistry

from eventmill.contracts.decode import EnvelopeContext
from eventmill.errors import EventmillError
from eventmill.stream import PublishError
from ingest_service.gateway.admission import Admission
from ingest_service.gateway.answers import Answer
from ingest_service.gateway.clients import Clients
from ingest_service.gateway.front import IngestFront
from ingest_service.gateway.group_commit import GroupCommit, Message
from ingest_service.gateway.intake import Envelope
from ingest_service.gateway.problems import Problem
from ingest_service.gateway.request import IngestRequest

SCOPE = {"type": "http", "path": "/v1/events", "method": "POST", "headers": [], "client": None, "query_string": b""}


class Body:
    """What a request has brought."""


class DeafBroker:
    """Never confirms."""

    async def publish(self, _message: Message) -> None:
        raise PublishError("not confirmed")

    async def publish_together(self, messages: list[Message]) -> list[EventmillError | None]:
        raise AssertionError(messages)


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def refuse(_request: IngestRequest, body: Body) -> Answer:
    raise Problem(400, "Bad Request", f"{type(body).__name__} is not right.")


async def publish_in_vain(_request: IngestRequest, body: Body) -> Answer:
    group = GroupCommit(DeafBroker(), CollectorRegistry())
    context = EnvelopeContext("shop", datetime.now(UTC), False, {})
    await group.commit(Envelope(context, [b"{}"]), time.monotonic() + 30)
    return Answer(repr(body).encode())


@pytest.mark.parametrize("endpoint", [refuse, publish_in_vain])
async def test_a_refused_request_leaves_nothing_to_the_cycle_collector(
    endpoint: Callable[[IngestRequest, Body], Awaitable[Answer]],
) -> None:
    bodies: list[weakref.ref[Body]] = []
    statuses: list[int] = []

    async def call(request: IngestRequest) -> Answer:
        body = Body()
        bodies.append(weakref.ref(body))
        return await endpoint(request, body)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    registry = CollectorRegistry()
    front = IngestFront(cast("Any", None), {"/v1/events": call}, Clients(), Admission(9, 9, registry), registry)
    await front(cast("HTTPScope", SCOPE), receive, send)
    assert statuses[0] in {400, 503}
    assert [body() for body in bodies] == [None]
