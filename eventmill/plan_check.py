"""Tries events against a tracking plan without sending them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from eventmill.contracts.decode import AppRules, DecodeContext, EnvelopeContext, Filtered, Rejected, decode_event
from eventmill.contracts.plan import TrackingPlan


@dataclass(frozen=True, slots=True)
class Finding:
    """What would become of the event in a line (from 1): `action` is the plan's, or `quarantine` without a plan."""

    line: int
    event_id: str | None
    event_type: str | None
    action: str
    reason: str
    path: str
    message: str
    properties_left: str | None = None


def check_lines(app_id: str, plan: TrackingPlan, lines: Iterable[bytes]) -> Iterator[Finding | None]:
    """A finding, or None for an event that is as planned, for each line that is not blank."""
    # As history, by no filter and no plan: what the plan says is asked for by itself below.
    envelope = EnvelopeContext(app_id, datetime.now(UTC), history=True)
    context = DecodeContext(AppRules(app_id), envelope)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _check(number, line.strip(), plan, context)


def _check(number: int, line: bytes, plan: TrackingPlan, context: DecodeContext) -> Finding | None:
    event = decode_event(line, context)
    if isinstance(event, Rejected):
        return Finding(number, event.event_id, None, "quarantine", event.reason.value, event.path, event.message)
    if isinstance(event, Filtered):
        return None
    violation = plan.check(event.event_type, event.properties.encode())
    if violation is None:
        return None
    return Finding(
        number,
        event.event_id,
        event.event_type,
        violation.action.value,
        "plan_violation",
        violation.path,
        violation.message,
        violation.properties.decode(),
    )
