"""When a plan's lines go out: in chunks of an envelope, each when it is due."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from eventmill.outbox import MAX_ENVELOPE_EVENTS
from eventmill.synthetic.flow import Line, Plan, lines

# A paced flow sends at least this often: fresh enough to watch, few enough to be cheap.
ENVELOPE_SECONDS = 0.25
# Events older than an app's retention go as history, a day before the limit too: they may wait for a broker.
HISTORY_MARGIN = timedelta(days=1)
LONGEST_LAG = timedelta(minutes=1)


async def paced(plan: Plan, retention_days: int, stop: asyncio.Event) -> AsyncIterator[tuple[list[Line], bool]]:
    """Chunks when they are due, until `stop`; a flow without end that has fallen behind begins anew."""
    loop = asyncio.get_running_loop()
    is_behind = True
    while is_behind:
        is_behind = False
        started_at, sent_events = loop.time(), 0
        for chunk, is_history in _chunks(plan, retention_days):
            sent_events += sum(line.kind == "event" for line in chunk)
            due_in = 0.0 if plan.rate is None else started_at + sent_events / plan.rate - loop.time()
            if await _is_set_within(stop, due_in):
                return
            if is_behind := _has_fallen_behind(plan, sent_events):
                plan = replace(plan, now=datetime.now(UTC))
                break
            yield chunk, is_history


def _has_fallen_behind(plan: Plan, sent_events: int) -> bool:
    """Whether a flow without end tells of a time long gone: a laptop slept, or the broker was away."""
    if plan.count is not None or plan.rate is None:
        return False
    return datetime.now(UTC) - plan.now - timedelta(seconds=sent_events / plan.rate) > LONGEST_LAG


def _chunks(plan: Plan, retention_days: int) -> Iterator[tuple[list[Line], bool]]:
    """Lines of one envelope each, and whether they are history."""
    size = MAX_ENVELOPE_EVENTS if plan.rate is None else round(plan.rate * ENVELOPE_SECONDS)
    size = min(max(size, 1), MAX_ENVELOPE_EVENTS)
    limit = plan.now - timedelta(days=retention_days) + HISTORY_MARGIN if retention_days else None
    chunk: list[Line] = []
    was_history = False
    for line in lines(plan):
        is_history = was_history
        if line.happened_at is not None:
            is_history = limit is not None and line.happened_at < limit
        if chunk and (len(chunk) == size or is_history != was_history):
            yield chunk, was_history
            chunk = []
        chunk.append(line)
        was_history = is_history
    if chunk:
        yield chunk, was_history


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        # The moment's pause lets answers in even when nothing is to be waited for.
        await asyncio.wait_for(event.wait(), max(seconds, 0.000_1))
    except TimeoutError:
        return False
    return True
