"""Binds a lake to the stream that fills it.

The lake itself is the record: a stream's creation time is part of the name of its transaction, and transactions stay
in the table's checkpoints. A file beside the tables could get lost or be restored from another day; this cannot.
"""

from eventmill.delta_log import Commit, Transaction
from eventmill.errors import LakeError
from eventmill.lake import transaction_id
from eventmill.stream import StreamIdentity
from ingest_service.writer.head import TableHead


class UnknownStreamError(LakeError):
    """The broker's stream is not the one that the lake was written from."""


def verify_identity(stream: StreamIdentity, events: TableHead) -> None:
    """Raise UnknownStreamError unless the lake is new, or was written from this very stream and not beyond its end."""
    name = transaction_id(stream.created_at)
    committed = events.transactions.get(name)
    if committed is None and events.transactions:
        known = ", ".join(sorted(events.transactions))
        raise UnknownStreamError(
            f"The lake was written from another event stream ({known}); this one was created at {stream.created_at}.",
            "Its data directory was deleted or replaced. Put it back, or, if what it still held is lost or wanted no "
            "more, stop the writer and run `python -m ingest_service.writer --accept-stream`: the lake keeps all it "
            "has and goes on with the new stream from its beginning.",
        )
    if committed is not None and stream.last_seq < committed:
        raise UnknownStreamError(
            f"The lake holds the event stream up to sequence {committed}, but the stream ends at {stream.last_seq}.",
            "An older copy of the broker's data was restored. Its next messages would be taken for known ones: put "
            "the newer data back, or delete the stream, run `eventmill migrate`, and accept the new stream with "
            "`python -m ingest_service.writer --accept-stream`.",
        )


def accept_stream(stream: StreamIdentity, events: TableHead) -> None:
    """Let the lake go on with this stream from its beginning. Does nothing where it knows the stream."""
    name = transaction_id(stream.created_at)
    if name in events.transactions:
        return
    commit = Commit(transaction=Transaction(name, 0), metadata={"accepted_stream": stream.created_at.isoformat()})
    events.table.append(commit, events.version)
    events.advance()
