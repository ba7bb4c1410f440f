"""Segment's paths: one message on each call's own, many on `batch`."""

from collections.abc import Sequence

from eventmill.contracts.limits import MAX_REQUEST_BYTES, MAX_REQUEST_EVENTS
from eventmill.control.credentials import Credential
from ingest_service.gateway.acceptance import Intake
from ingest_service.gateway.answers import Answer
from ingest_service.gateway.auth import key_of
from ingest_service.gateway.body import EVENTS_RULE
from ingest_service.gateway.events import check_media_type
from ingest_service.gateway.front import Endpoint
from ingest_service.gateway.problems import Problem, too_large
from ingest_service.gateway.request import IngestRequest
from ingest_service.gateway.segment.batch import read_batch
from ingest_service.gateway.segment.fields import members, string
from ingest_service.gateway.segment.mapping import EVENT_TYPES, Batch, to_event

# A batch's context is copied into each of its messages: what comes of it stays within bounds.
MAX_MAPPED_BYTES = 4 * MAX_REQUEST_BYTES
SUCCESS = Answer(b'{"success":true}')


def segment_endpoints(intake: Intake) -> dict[str, Endpoint]:
    """The endpoints by their paths, long and short."""
    endpoints: dict[str, Endpoint] = {}
    for kind in EVENT_TYPES:
        endpoints[f"/v1/{kind}"] = endpoints[f"/v1/{kind[0]}"] = MessageEndpoint(intake, kind)
    endpoints["/v1/batch"] = endpoints["/v1/b"] = BatchEndpoint(intake)
    return endpoints


class MessageEndpoint:
    """One message of one call, a JSON object."""

    def __init__(self, intake: Intake, kind: str) -> None:
        self._intake, self._kind = intake, kind

    async def __call__(self, request: IngestRequest) -> Answer:
        """Answer once the event is on the broker's disk, be it in quarantine. Raises Problem."""
        check_media_type(request)
        credential, body = await _authorize(self._intake, request)
        if not body.strip():
            raise Problem(400, "Bad Request", "The body holds no message.", field="body", rule="Send a JSON object.")
        event = to_event(body.strip(), self._kind)
        await self._intake.accept(credential, [event], request, app_id=request.parameters.get("app_id"))
        return SUCCESS


class BatchEndpoint:
    """Messages of any call, each with its `type`."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def __call__(self, request: IngestRequest) -> Answer:
        """Answer once every event is on the broker's disk, the quarantined ones too. Raises Problem."""
        check_media_type(request)
        credential, body = await _authorize(self._intake, request)
        messages, shared = read_batch(body)
        if len(messages) > MAX_REQUEST_EVENTS:
            raise too_large(f"The batch holds {len(messages):,} messages.", EVENTS_RULE)
        if messages:
            events = _events_of(messages, shared)
            await self._intake.accept(credential, events, request, app_id=request.parameters.get("app_id"))
        return SUCCESS


async def _authorize(intake: Intake, request: IngestRequest) -> tuple[Credential, bytes]:
    """The credential and the body of a request whose key stands in one of the usual places, else in the body.

    Nobody's body is read further than to its `writeKey`. Raises Problem.
    """
    if key := key_of(request.headers, request.parameters):
        return await intake.authorize(request, key=key), await request.body()
    body = await request.body()
    write_key = string((members(body) or {}).get("writeKey"))
    return await intake.authorize(request, key=write_key), body


def _events_of(messages: Sequence[bytes], shared: Batch) -> list[bytes]:
    events, size = [], 0
    for message in messages:
        event = to_event(message, None, shared)
        events.append(event)
        size += len(event)
        if size > MAX_MAPPED_BYTES:
            rule = "A batch's context counts for each of its messages; together they have at most 2 MB."
            raise too_large("The batch is too large with its context in each message.", rule)
    return events
