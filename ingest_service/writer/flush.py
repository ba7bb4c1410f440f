"""Writes a batch into the lake: `quarantine` first, then `events`, whose transaction is the writer's only cursor."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import structlog

from eventmill import delta_log, faults
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, CommitConflictError, DataFile, Transaction
from eventmill.envelopes.events_table import events_table
from eventmill.errors import LakeError
from eventmill.lake import LakeTable, TouchedHour, encode_note
from ingest_service.writer.accounting import Account, accounts_of
from ingest_service.writer.buffer import Batch
from ingest_service.writer.columns import parts, quarantine_table, touched_hours
from ingest_service.writer.head import TableHead
from ingest_service.writer.places import COPIES, encode_copies, places_of, without_places
from ingest_service.writer.settled import settled_rows
from ingest_service.writer.window import DuplicateWindow, Screened, WindowLimits

log = structlog.get_logger(__name__)


class FencedError(CommitConflictError):
    """Another writer of the same stream has committed: what it wrote must not be written again."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a batch's events, per app and hour of arrival; `missing` messages were deleted before."""

    accounts: Sequence[Account]
    envelopes: int = 0
    bytes: int = 0
    missing: int = 0

    @property
    def received(self) -> int:
        """Events that arrived."""
        return sum(account.received for account in self.accounts)

    @property
    def stored(self) -> int:
        """Events that went to `events`."""
        return sum(account.stored for account in self.accounts)


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit to `events`: its version, the last sequence in it, what it says of itself, and its cost.

    `window_seconds` is how long the window of recent ids was after it.
    """

    version: int
    through: int
    touched: Sequence[TouchedHour]
    note: dict[str, Any]
    counts: Counts
    files: int
    seconds: float
    window_seconds: float = 0.0


@dataclass(slots=True)
class LakeWriter:
    """Appends batches of one stream to the lake. Blocks, so it runs in a thread; one call at a time.

    `transaction_id` names the cursor. `reach` is told the steps of `eventmill.faults`: tests stop the writer there.
    """

    events: TableHead
    quarantine: TableHead
    transaction_id: str
    window: DuplicateWindow
    reach: faults.Reach = faults.ignore

    @classmethod
    def open(
        cls,
        events: LakeTable,
        quarantine: LakeTable,
        transaction_id: str,
        *,
        limits: WindowLimits | None = None,
        reach: faults.Reach = faults.ignore,
    ) -> "LakeWriter":
        """A writer that starts from what the tables say."""
        head = TableHead(events)
        return cls(head, TableHead(quarantine), transaction_id, DuplicateWindow(head, limits), reach)

    @property
    def sequence(self) -> int:
        """Last sequence of the stream in `events`, as far as this writer knows; 0 before the first."""
        return self.events.transactions.get(self.transaction_id, 0)

    def write(self, batch: Batch) -> Committed | None:
        """Commit what the lake does not hold of the batch yet; None where another writer has written all of it.

        May be called again with the same batch after any error: nothing is written twice. Raises OSError where the
        disk refuses, LakeError where events before the batch are missing in the lake.
        """
        started_at = time.perf_counter()
        while True:
            self.events.advance()
            self.quarantine.advance()
            rest = batch.beyond(self.sequence)
            if rest.through <= self.sequence:
                self._sync_log()
                return None
            if rest.after > self.sequence:
                raise LakeError(
                    f"The lake ends at sequence {self.sequence}, but the next batch starts after {rest.after}.",
                    "The table was rolled back while the writer ran: restart the writer.",
                )
            try:
                return self._commit(rest, started_at)
            except FencedError as error:
                log.warning("another writer is at work", reason=error.message, sequence=self.sequence)

    def restore_rejected(self, rows: pa.Table, through: int) -> None:
        """Commit rows to `quarantine` that it had lost, of sequences up to `through`. Raises FencedError."""
        self._append(self.quarantine, rows, through, {})

    def _commit(self, batch: Batch, started_at: float) -> Committed:
        rows, rejected = events_table(batch.envelopes), quarantine_table(batch.envelopes)
        quarantined = self.quarantine.transactions.get(self.transaction_id, 0)
        known = [self.quarantine.version]
        settled = rejected.slice(0, 0)
        if quarantined > self.sequence:
            settled = settled_rows(self.quarantine, self.transaction_id, self.sequence, batch.through)
            places = set(places_of(settled))
            rows, rejected = without_places(rows, places), without_places(rejected, places)
        self.reach("after_decode")
        # Without rejected events there is nothing to say: all of them up to the table's own cursor are in it.
        if rejected.num_rows:
            self.reach("before_quarantine_commit")
            known += self._append(self.quarantine, rejected, max(batch.through, quarantined), {})[:1]
        self.reach("after_quarantine_commit")
        screened = self.window.screen(rows)
        self._refuse_rival(known)
        decided = pa.concat_tables([rejected, settled])
        counts = _count(batch, accounts_of(batch.envelopes, screened.stored, screened.copies, decided))
        committed = self._commit_events(batch, screened, counts)
        self.window.remember(screened, committed.version)
        self.reach("after_commit")
        seconds = time.perf_counter() - started_at
        return replace(committed, seconds=seconds, window_seconds=self.window.seconds)

    def _refuse_rival(self, known: Sequence[int]) -> None:
        """Raise FencedError where another writer has quarantined events since; by its rules, which may not be ours.

        `known` are the version that this batch was judged by, and that of its own commit. What a rival commits between
        this look and our commit to `events` goes unnoticed: no transaction covers two tables.
        """
        self.quarantine.advance()
        for version in range(known[0] + 1, self.quarantine.version + 1):
            if version not in known and self.quarantine.is_by(version, self.transaction_id):
                raise FencedError(f"{self.quarantine.table.definition.name} has moved on.")

    def _commit_events(self, batch: Batch, screened: Screened, counts: Counts) -> Committed:
        touched = touched_hours(screened.stored)
        note = encode_note(touched, batch.complete_through) | {
            "accounting": [account.encode() for account in counts.accounts],
            COPIES: encode_copies(screened.copies),
            "envelopes": counts.envelopes,
            "missing": counts.missing,
            "through": batch.through,
        }
        version, files = self._append(self.events, screened.stored, batch.through, note)
        return Committed(version, batch.through, touched, note, counts, files, seconds=0.0)

    def _append(self, head: TableHead, rows: pa.Table, through: int, note: dict[str, Any]) -> tuple[int, int]:
        """Commit the rows; the version that this made, and how many files they take."""
        files = self._write_files(head, rows)
        commit = Commit(files, transaction=Transaction(self.transaction_id, through), metadata=note)
        before = head.transactions.get(self.transaction_id)
        while True:
            try:
                version = head.table.append(commit, head.version, self.reach)
                break
            except CommitConflictError:
                head.advance()
                if head.transactions.get(self.transaction_id) != before:
                    _discard(head, files)
                    raise FencedError(f"{head.table.definition.name} has moved on.") from None
                # It was a compaction or the like: our rows are still missing, on top of the new version.
            except OSError:
                # A disk that stays full must not fill up further with each retry.
                if not delta_log.log_path(head.table.directory, head.version + 1).exists():
                    _discard(head, files)
                raise
        # Somebody else may have committed right behind.
        head.advance()
        return version, len(files)

    def _write_files(self, head: TableHead, rows: pa.Table) -> list[DataFile]:
        directory, statistics = head.table.directory, head.table.definition.statistics
        files: list[DataFile] = []
        try:
            for part in parts(rows, head.table.definition):
                file = write_data_file(directory, part.rows, part.partition_values, statistics, part.prefix, self.reach)
                files.append(file)
        except BaseException:
            _discard(head, files)
            raise
        return files

    def _sync_log(self) -> None:
        """Make durable what another writer, or an attempt of ours that failed half-way, has made visible."""
        for head in (self.quarantine, self.events):
            delta_log.sync_directory(head.table.directory / delta_log.LOG_DIRECTORY)


def _discard(head: TableHead, files: Sequence[DataFile]) -> None:
    """Delete files that certainly belong to no commit."""
    for file in files:
        (head.table.directory / file.path).unlink(missing_ok=True)


def _count(batch: Batch, accounts: Sequence[Account]) -> Counts:
    size = sum(envelope.size for envelope in batch.envelopes)
    return Counts(accounts, batch.messages, size, sum(envelope.missing for envelope in batch.envelopes))
