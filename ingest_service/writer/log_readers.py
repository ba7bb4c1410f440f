"""Who still has to read a table's log, so that clean-up does not pass them by."""

from contextlib import closing
from datetime import timedelta

import psycopg
import structlog

from eventmill import warehouse
from eventmill.errors import NotReadyError
from eventmill.lake import EVENTS, LakeTable
from eventmill.settings import Settings
from ingest_service.writer import cleanup

log = structlog.get_logger(__name__)
# Whoever follows the log and was away longer compares whole tables instead.
KEEP_UNREAD_LOG = timedelta(days=30)


def delete_read_entries(settings: Settings, table: LakeTable) -> int:
    """Delete old entries of the log that nobody waits for, and in the end the others too; returns how many."""
    if table.definition is not EVENTS:
        return cleanup.delete_old_log(table.directory)
    read = cleanup.delete_old_log(table.directory, needed_from=_needed_from(settings))
    return read + cleanup.delete_old_log(table.directory, KEEP_UNREAD_LOG)


def _needed_from(settings: Settings) -> int:
    """First entry that the sensor, or the accounts of arrivals, have not read yet; 0 where Postgres does not say."""
    try:
        with closing(warehouse.connect(settings, autocommit=True)) as connection:
            row = connection.execute(
                "select least(lake_version, accounted_version) from rollups.lake_progress"
            ).fetchone()
    except (NotReadyError, psycopg.Error) as error:
        log.warning("the log is kept as it is", reason=str(error))
        return 0
    return 0 if row is None else int(row[0]) + 1
