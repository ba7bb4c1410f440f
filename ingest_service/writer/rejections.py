"""Writes rejected events into `quarantine` again where the end of its log was damaged after `events` had gone on.

`quarantine` is committed first, so no commit of `events` beyond its cursor can tell of rejected events: one that does
has lost them to a damaged log entry, which was moved aside at start.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.compute as pc

from eventmill import delta_log
from eventmill.lake import LakeTable
from ingest_service.writer.columns import quarantine_table
from ingest_service.writer.damage import TAIL_COMMITS
from ingest_service.writer.flush import FencedError, LakeWriter
from ingest_service.writer.places import Place, places_in, without_places
from ingest_service.writer.repair import Replay
from ingest_service.writer.torn_log import TornArea


async def restore_rejections(lake: LakeWriter, replay: Replay) -> None:
    """Decode again what `events` accounts for as rejected and `quarantine` lacks, and commit it."""
    # In this order: another writer may be at work, and it commits to `quarantine` first.
    lake.events.advance()
    lake.quarantine.advance()
    stretch = _lost_stretch(lake)
    if stretch is None:
        return
    first, last, expected = stretch
    rows = quarantine_table(await replay(first, last))
    for head in (lake.quarantine, lake.events):
        rows = without_places(rows, _held(head.table, first, last))
    try:
        lake.restore_rejected(rows, last)
    except FencedError:
        return  # another writer has put it right
    TornArea(lake.quarantine.table).report(
        {
            "table": lake.quarantine.table.definition.name,
            "outcome": "repaired" if rows.num_rows == expected else "differs",
            "expected_rows": expected,
            "rows_from_the_stream": rows.num_rows,
        }
    )


def _lost_stretch(lake: LakeWriter) -> tuple[int, int, int] | None:
    """First and last sequence of the commits that lack their rejected events, and how many those are."""
    reached = lake.quarantine.transactions.get(lake.transaction_id, 0)
    commits = list(_commits_beyond(lake, reached))
    lacking = [number for number, (_, rejected) in enumerate(commits) if rejected]
    if not lacking:
        return None
    # Where the commit before ended, the oldest of them began: `quarantine` may have had nothing to say for days.
    before = commits[lacking[-1] + 1][0] if lacking[-1] + 1 < len(commits) else reached
    return max(before, reached) + 1, commits[lacking[0]][0], sum(commits[number][1] for number in lacking)


def _commits_beyond(lake: LakeWriter, reached: int) -> Iterator[tuple[int, int]]:
    """Last sequence and number of rejected events of the latest commits to `events` beyond a sequence, latest first."""
    for version in range(lake.events.version, max(-1, lake.events.version - TAIL_COMMITS), -1):
        try:
            actions = delta_log.read(lake.events.table.directory, version)
        except FileNotFoundError:
            return
        through = _through(actions, lake.transaction_id)
        if through is None:
            continue
        if through <= reached:
            return
        accounts = (action["commitInfo"].get("accounting", ()) for action in actions if "commitInfo" in action)
        yield through, sum(sum(account["quarantined"].values()) for found in accounts for account in found)


def _held(table: LakeTable, first: int, last: int) -> set[Place]:
    files = table.snapshot().files
    if not files.num_rows:
        return set()
    meets = pc.and_(pc.less_equal(files["min.stream_seq"], last), pc.greater_equal(files["max.stream_seq"], first))
    return places_in(table, files.filter(meets)["path"].to_pylist(), first, last)


def _through(actions: Sequence[dict[str, Any]], transaction_id: str) -> int | None:
    found = [action["txn"] for action in actions if "txn" in action]
    return next((int(txn["version"]) for txn in found if txn["appId"] == transaction_id), None)
