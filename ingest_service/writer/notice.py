"""Tells whoever listens which hours a commit touched. Nobody depends on it: the table's log says the same."""

import msgspec
import nats.errors
import structlog
from nats.aio.client import Client

from eventmill.contracts.subjects import COMMITTED_SUBJECT
from ingest_service.writer.flush import Committed

log = structlog.get_logger(__name__)


async def publish_notice(client: Client, committed: Committed) -> None:
    """Publish `{version, touched: [{app_id, hour, events}], complete_through}`; a failure is logged, not raised."""
    notice = {"version": committed.version, **{key: committed.note[key] for key in ("touched", "complete_through")}}
    try:
        await client.publish(COMMITTED_SUBJECT, msgspec.json.encode(notice))
    except nats.errors.Error as error:
        log.warning("notice was not published", version=committed.version, reason=str(error))
