"""What a client is told: one answer an event, in the order of the request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from eventmill.contracts.decode import Filtered, Rejected

Status = Literal["accepted", "duplicate", "quarantined", "filtered"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as it goes back to the client; a page of another origin cannot read one that `is_hidden`."""

    content: bytes
    status: int = 200
    media_type: bytes = b"application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_hidden: bool = False


class EventAnswer(msgspec.Struct, kw_only=True):
    """What became of one event.

    `path` (JSON path) and `message` say what was wrong with a quarantined one, `rule` what it should have been.
    """

    event_id: str | None
    status: Status
    reason: str | None = None
    path: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    rule: str | UnsetType = UNSET


class RequestAnswer(msgspec.Struct, kw_only=True):
    """Counts by status, and the answers in order. Every event in here is on the broker's disk."""

    accepted: int
    duplicate: int
    quarantined: int
    filtered: int
    events: list[EventAnswer]


def answer_event(refused: Rejected | Filtered | None, event_id: str | None, *, is_duplicate: bool) -> EventAnswer:
    """The answer to one event."""
    if isinstance(refused, Rejected):
        return EventAnswer(
            event_id=refused.event_id,
            status="quarantined",
            reason=refused.reason.value,
            path=refused.path,
            message=refused.message,
            rule=refused.reason.rule,
        )
    if isinstance(refused, Filtered):
        return EventAnswer(event_id=refused.event_id, status="filtered", reason=refused.kind.value)
    return EventAnswer(event_id=event_id, status="duplicate" if is_duplicate else "accepted")


def answer_request(events: list[EventAnswer]) -> RequestAnswer:
    """The answer to a request."""
    counts: dict[Status, int] = {"accepted": 0, "duplicate": 0, "quarantined": 0, "filtered": 0}
    for event in events:
        counts[event.status] += 1
    return RequestAnswer(
        accepted=counts["accepted"],
        duplicate=counts["duplicate"],
        quarantined=counts["quarantined"],
        filtered=counts["filtered"],
        events=events,
    )
