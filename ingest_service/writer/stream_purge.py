"""Purges from the stream what the lake has held for days: by sequence, so that the broker gives the space back."""

from datetime import UTC, datetime, timedelta

import nats.errors
from nats.js import JetStreamContext
from nats.js import errors as js_errors

from eventmill import lake, stream
from eventmill.contracts.subjects import STREAM
from eventmill.errors import NotReadyError
from eventmill.lake import EVENTS, LakeTable
from eventmill.settings import Settings


async def purge_stream(settings: Settings, now: datetime | None = None) -> int:
    """Delete messages that are committed and older than EVENTMILL_STREAM_KEEP_DAYS; returns how many.

    Raises NotReadyError where the broker does not answer.
    """
    client = await stream.connect(settings, "eventmill maintenance", allow_reconnect=False)
    try:
        jetstream = client.jetstream()
        identity = await stream.identify_stream(jetstream)
        table = LakeTable(lake.lake_directory(settings), EVENTS)
        committed = table.transaction_version(lake.transaction_id(identity.created_at)) or 0
        before = (now or datetime.now(UTC)) - timedelta(days=settings.stream_keep_days)
        first = await _first_since(jetstream, identity.first_seq, min(committed, identity.last_seq) + 1, before)
        if first <= identity.first_seq:
            return 0
        held = (await jetstream.stream_info(STREAM)).state.messages
        await jetstream.purge_stream(STREAM, seq=first)
        return max(0, held - (await jetstream.stream_info(STREAM)).state.messages)
    except (nats.errors.Error, js_errors.Error, TimeoutError) as error:
        raise NotReadyError(f"The stream could not be purged: {str(error) or type(error).__name__}") from error
    finally:
        await client.close()


async def _first_since(jetstream: JetStreamContext, low: int, high: int, instant: datetime) -> int:
    """First sequence in `[low, high)` that the broker stored at `instant` or later; `high` where there is none.

    Messages lie in the order of their times, so few are looked at.
    """
    while low < high:
        middle = (low + high) // 2
        try:
            message = await jetstream.get_msg(STREAM, middle, subject=">", next=True)
        except js_errors.NotFoundError:
            high = middle  # those from here on were erased
            continue
        sequence = message.seq or middle
        if sequence >= high or (message.time is not None and message.time >= instant):
            high = middle
        else:
            low = sequence + 1
    return low
