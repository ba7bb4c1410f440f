"""The gateway as it is, but for its publishing: every envelope counts as stored at once, and nothing is sent.

`python -m tests.benchmarks.baselines.gateway_without_publish`, with the gateway's own settings. It still connects to
the broker and watches it, authorises, judges, counts and answers.
"""

from ingest_service.gateway import app
from ingest_service.gateway.__main__ import main
from ingest_service.gateway.group_commit import GroupCommit
from ingest_service.gateway.intake import Envelope


class NoCommit(GroupCommit):
    """Says yes at once."""

    async def commit(self, envelope: Envelope, deadline: float) -> None:
        """Publish nothing."""


if __name__ == "__main__":
    app.GroupCommit = NoCommit  # type: ignore[attr-defined]
    main()
