"""`POST /v1/events`: one event, a JSON array or NDJSON; one answer an event."""

import msgspec

from eventmill.contracts.envelope import split_body
from ingest_service.gateway.acceptance import Intake
from ingest_service.gateway.answers import Answer, answer_request
from ingest_service.gateway.problems import Problem
from ingest_service.gateway.request import IngestRequest

# text/plain is what navigator.sendBeacon sends without a preflight.
MEDIA_TYPES = frozenset({"", "application/json", "application/x-ndjson", "text/plain"})

_ENCODER = msgspec.json.Encoder()


class EventsEndpoint:
    """Takes in events of the contract's own form.

    200 says that every event is on the broker's disk, the quarantined ones too. Anything else is Problem Details: 400
    (no event, or a body that does not decompress), 401, 403, 413, 415, 429; 503 with Retry-After where the broker does
    not confirm in time: then nothing was acknowledged. With a key of several apps, a 503 may follow after one app's
    events were stored: the next try with the same ids makes them duplicates.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def __call__(self, request: IngestRequest) -> Answer:
        """Answer one request. Raises Problem."""
        history = request.flag("history")
        credential = await self._intake.authorize(request, history=history)
        check_media_type(request)
        app_id = request.parameters.get("app_id")
        answers = await self._intake.accept(
            credential, _events_of(await request.body()), request, app_id=app_id, history=history
        )
        return Answer(_ENCODER.encode(answer_request(answers)))


def _events_of(body: bytes) -> list[bytes]:
    events = split_body(body)
    if not events:
        raise Problem(400, "Bad Request", "The body holds no event.", field="body", rule="Send at least one event.")
    return events


def check_media_type(request: IngestRequest) -> None:
    """Raises Problem 415 for a body that says it is something else than JSON."""
    if request.media_type not in MEDIA_TYPES:
        rule = "Content-Type is application/json, application/x-ndjson or text/plain, or is left out."
        detail = f"Content-Type {request.media_type[:100]!r} is not supported."
        raise Problem(415, "Unsupported Media Type", detail, field="Content-Type", rule=rule)
