"""The gateway as it is, but for its publishing: one message per event, each awaited before the answer.

`python -m tests.benchmarks.baselines.gateway_publish_each`, with the gateway's own settings. Requests run side by side,
so as many publishes are in flight as there are connections.
"""

import uuid

from eventmill.contracts.envelope import Section, encode_headers, encode_lines
from ingest_service.gateway import app
from ingest_service.gateway.__main__ import main
from ingest_service.gateway.group_commit import GroupCommit, Message
from ingest_service.gateway.intake import Envelope


class EventByEvent(GroupCommit):
    """Shares nothing between requests."""

    async def commit(self, envelope: Envelope, deadline: float) -> None:
        """Return once the broker has confirmed each event by itself."""
        for line in envelope.lines:
            headers = encode_headers([Section(envelope.context, 1)], str(uuid.uuid4()))
            await self._publisher.publish(Message(envelope.context.app_id, encode_lines([line]), headers, deadline))


if __name__ == "__main__":
    app.GroupCommit = EventByEvent  # type: ignore[attr-defined]
    main()
