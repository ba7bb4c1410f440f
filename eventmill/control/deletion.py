"""Deletes an app from every store. Marked first, so that it can be resumed and takes no event meanwhile."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import nats.errors
import psycopg
from nats.js import JetStreamContext
from nats.js import errors as js_errors

from eventmill import lake, stream
from eventmill.archive.deleting import delete_archive
from eventmill.contracts.subjects import STREAM, subject_for
from eventmill.control.apps import delete_rollups, get_app
from eventmill.control.key_cache import TTL_SECONDS
from eventmill.embedded.nats_keys import revoke_keys
from eventmill.errors import NotReadyError
from eventmill.lake import LakeTable
from eventmill.lake_deletion import AppRemoval
from eventmill.settings import Settings

# Gateways and writer may know the app for as long as they remember keys and rules.
FORGOTTEN_AFTER = timedelta(seconds=TTL_SECONDS + 5)
WRITER_SECONDS = 60.0

Report = Callable[[str], None]


def mark_deleted(connection: psycopg.Connection[Any], app_id: str) -> datetime:
    """Have services refuse the app from now on, commit, and return since when (UTC) it is marked."""
    get_app(connection, app_id)
    row = connection.execute(
        "update control.app set deleted_at = coalesce(deleted_at, now()) where app_id = %s returning deleted_at",
        [app_id],
    ).fetchone()
    connection.commit()
    if row is None:
        msg = f"app {app_id!r} vanished while it was being marked"
        raise RuntimeError(msg)
    return row[0] if isinstance(row[0], datetime) else datetime.now(UTC)


async def delete_app(
    connection: psycopg.Connection[Any],
    settings: Settings,
    app_id: str,
    report: Report,
    *,
    forgotten_after: timedelta = FORGOTTEN_AFTER,
) -> None:
    """Delete the app and its data: stream, lake, rollups (and the marts over them), control, in that order.

    Interrupted anywhere, the same call finishes it. Raises EventmillError for an unknown app, NotReadyError where a
    store or the writer does not answer.
    """
    marked_at = mark_deleted(connection, app_id)
    report("marked: no service takes its events any more")
    if revoked := revoke_keys(settings, app_id):
        report(f"broker: {revoked} keys revoked")
    await _wait_until_forgotten(marked_at + forgotten_after, report)
    await _empty_stream(settings, app_id, report)
    directory = lake.lake_directory(settings)
    for definition in (lake.EVENTS, lake.QUARANTINE, lake.IDENTITY_MAP, *lake.DAY_TABLES):
        table = LakeTable(directory, definition)
        if table.exists():
            journal = settings.state_dir / "deletions" / f"{app_id}.{definition.name}"
            report(f"lake {definition.name}: {AppRemoval(table, app_id, journal).run():,} rows deleted")
    if archived := delete_archive(settings, app_id):
        report(f"archive: {archived:,} events deleted")
    _delete_rows(connection, app_id)
    report("warehouse: numbers, keys and settings deleted")


async def _wait_until_forgotten(instant: datetime, report: Report) -> None:
    left = (instant - datetime.now(UTC)).total_seconds()
    if left > 0:
        report(f"waiting {left:.0f} s until every service has forgotten its keys")
        await asyncio.sleep(left)


async def _empty_stream(settings: Settings, app_id: str, report: Report) -> None:
    """Remove the app's messages, those in the lake only: the writer would miss others in its sequence."""
    client = await stream.connect(settings, "eventmill app delete")
    try:
        jetstream = client.jetstream()
        created_at = (await stream.identify_stream(jetstream)).created_at
        last = await _last_sequence(jetstream, app_id)
        if last is not None:
            await _wait_for_writer(settings, created_at, last)
            report(f"stream: {await _erase(jetstream, app_id, last):,} messages erased")
    except (nats.errors.Error, js_errors.Error, TimeoutError) as error:
        raise NotReadyError(f"The stream could not be emptied: {str(error) or type(error).__name__}") from error
    finally:
        await client.close()


async def _erase(jetstream: JetStreamContext, app_id: str, last: int) -> int:
    """Delete the app's messages up to `last` one by one, and return how many: each is overwritten on the disk.

    A purge by subject is quicker and leaves the bytes in the broker's files.
    """
    erased = sequence = 0
    while sequence < last:
        try:
            message = await jetstream.get_msg(STREAM, sequence + 1, subject=subject_for(app_id), next=True)
        except js_errors.NotFoundError:
            break
        sequence = message.seq or last
        erased += await jetstream.delete_msg(STREAM, sequence)
    return erased


async def _last_sequence(jetstream: JetStreamContext, app_id: str) -> int | None:
    try:
        message = await jetstream.get_last_msg(STREAM, subject_for(app_id))
    except js_errors.NotFoundError:
        return None
    return message.seq


async def _wait_for_writer(settings: Settings, created_at: datetime, sequence: int) -> None:
    table = LakeTable(lake.lake_directory(settings), lake.EVENTS)
    transaction_id = lake.transaction_id(created_at)
    deadline = time.monotonic() + WRITER_SECONDS
    while (table.transaction_version(transaction_id) or 0) < sequence:
        if time.monotonic() > deadline:
            raise NotReadyError(
                "The writer has not stored the app's last events yet.", "Is it running? Then give the command again."
            )
        await asyncio.sleep(0.2)


def _delete_rows(connection: psycopg.Connection[Any], app_id: str) -> None:
    with connection.transaction():
        delete_rollups(connection, app_id)
        connection.execute(
            "delete from control.credential c using control.credential_app ca"
            " where ca.credential_id = c.credential_id and ca.app_id = %s"
            " and not exists (select from control.credential_app other"
            "                 where other.credential_id = c.credential_id and other.app_id <> %s)",
            [app_id, app_id],
        )
        connection.execute("delete from control.app where app_id = %s", [app_id])
    connection.commit()
