"""Several envelopes as one atomic batch: the broker stores all or none of them, with as many syncs as for one.

NATS ≥ 2.12, ADR-50. A broker that knows no batches stores the messages one by one and its answer names no batch.
"""

import uuid
from collections.abc import Sequence

import msgspec
import nats.errors
from nats.aio.client import Client

from eventmill.contracts import subjects
from ingest_service.gateway.group_commit import Message

_BATCH_ID, _SEQUENCE, _COMMIT = "Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit"
_EXPECTED_STREAM = "Nats-Expected-Stream"


class BatchError(Exception):
    """The broker did not confirm the batch as a whole; it may have stored all of it, some of it or nothing."""


class _Error(msgspec.Struct):
    description: str = ""


class _Ack(msgspec.Struct):
    batch: str = ""
    count: int = 0
    error: _Error | None = None


_ACK = msgspec.json.Decoder(_Ack)


async def publish_batch(client: Client, messages: Sequence[Message], timeout_seconds: float) -> None:
    """Return once the broker has confirmed all messages together. Raises BatchError."""
    batch_id = uuid.uuid4().hex
    *rest, last = messages
    try:
        for number, message in enumerate(rest, 1):
            headers = _headers(message, batch_id, number)
            await client.publish(subjects.subject_for(message.app_id), message.body, headers=headers)
        headers = _headers(last, batch_id, len(messages)) | {_COMMIT: "1"}
        answer = await client.request(
            subjects.subject_for(last.app_id), last.body, timeout=timeout_seconds, headers=headers
        )
        ack = _ACK.decode(answer.data)
    except (nats.errors.Error, msgspec.MsgspecError, TimeoutError) as error:
        raise BatchError(str(error) or type(error).__name__) from None
    if ack.error is not None or (ack.batch, ack.count) != (batch_id, len(messages)):
        raise BatchError(ack.error.description if ack.error else "the broker does not know atomic batches")


def _headers(message: Message, batch_id: str, number: int) -> dict[str, str]:
    return {
        **message.headers,
        _EXPECTED_STREAM: subjects.STREAM,
        _BATCH_ID: batch_id,
        _SEQUENCE: str(number),
    }
