"""What lies in quarantine: found by app, reason, time or id, reading only the files that can hold it."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from eventmill.errors import EventmillError, LakeError
from eventmill.lake import QUARANTINE, LakeTable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = re.compile(r"(\d{1,18})-(\d{1,9})(?:-([0-9a-f]{1,14}))?")
_BATCH_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class QuarantinedEvent:
    """A row of the quarantine; `raw` are the bytes that were sent, empty where they were not asked for."""

    app_id: str
    event_id: str | None
    reason: str
    path: str
    message: str
    received_at: datetime
    history: bool
    context: str
    stream_seq: int
    row_no: int
    raw: bytes = b""

    @property
    def id(self) -> str:
        """`<stream_seq>-<row_no>-<received_at>`: the last tells apart what two streams numbered alike."""
        return f"{self.stream_seq}-{self.row_no}-{(self.received_at - _EPOCH) // timedelta(microseconds=1):x}"


COLUMNS = tuple(field.name for field in fields(QuarantinedEvent))


@dataclass(frozen=True, slots=True)
class QuarantineId:
    """The parts of an id; without `received_at` it may name a row of every stream that there was."""

    stream_seq: int
    row_no: int
    received_at: datetime | None

    @classmethod
    def parse(cls, text: str) -> "QuarantineId":
        """Read `<stream_seq>-<row_no>[-<received_at>]`. Raises EventmillError for any other text."""
        matched = _ID.fullmatch(text.strip())
        if matched is None:
            raise EventmillError(
                f"id: {text[:60]!r} is no id of a quarantined event.", "`eventmill quarantine list` shows them."
            )
        received_at = _EPOCH + timedelta(microseconds=int(matched[3], 16)) if matched[3] else None
        return cls(int(matched[1]), int(matched[2]), received_at)

    @property
    def condition(self) -> pc.Expression:
        """What a row of this id fulfils."""
        same = (pc.field("stream_seq") == self.stream_seq) & (pc.field("row_no") == self.row_no)
        return same if self.received_at is None else same & (pc.field("received_at") == _instant(self.received_at))


@dataclass(frozen=True, slots=True)
class QuarantineFilter:
    """Which rows: of an app, of reasons, received in `[since, until)`, of ids. What is empty is no condition."""

    app_id: str | None = None
    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    ids: tuple[QuarantineId, ...] = ()

    @property
    def condition(self) -> pc.Expression:
        """What a row fulfils."""
        conditions: list[pc.Expression] = []
        if self.app_id is not None:
            conditions.append(pc.field("app_id") == self.app_id)
        if self.reasons:
            conditions.append(pc.field("reason").isin(list(self.reasons)))
        if self.since is not None:
            conditions.append(pc.field("received_at") >= _instant(self.since))
        if self.until is not None:
            conditions.append(pc.field("received_at") < _instant(self.until))
        if self.ids:
            conditions.append(_any_of([one.condition for one in self.ids]))
        found = pc.scalar(True)
        for condition in conditions:
            found &= condition
        return found

    def may_match(self, file: dict[str, Any]) -> bool:
        """Whether the file's statistics (a row of Snapshot.files) allow rows that match."""
        day: date = file["partition.received_date"]
        if self.since is not None and day < self.since.astimezone(UTC).date():
            return False
        if self.until is not None and day > self.until.astimezone(UTC).date():
            return False
        if self.app_id is not None and not _within(file, "app_id", self.app_id):
            return False
        return not self.ids or any(_may_hold(file, day, one) for one in self.ids)


def _may_hold(file: dict[str, Any], day: date, wanted: QuarantineId) -> bool:
    is_day = wanted.received_at is None or wanted.received_at.date() == day
    return is_day and _within(file, "stream_seq", wanted.stream_seq)


def _within(file: dict[str, Any], column: str, value: Any) -> bool:
    least, greatest = file.get(f"min.{column}"), file.get(f"max.{column}")
    return least is None or greatest is None or bool(least <= value <= greatest)


def _any_of(conditions: Sequence[pc.Expression]) -> pc.Expression:
    found = conditions[0]
    for condition in conditions[1:]:
        found |= condition
    return found


def _instant(value: datetime) -> pa.Scalar:
    return pa.scalar(value, pa.timestamp("us", tz="UTC"))


class Quarantine:
    """One version of the lake's quarantine, read-only."""

    def __init__(self, table: LakeTable) -> None:
        self._snapshot = table.snapshot()
        self._files: list[dict[str, Any]] = sorted(
            self._snapshot.files.to_pylist(), key=lambda file: (file["partition.received_date"], file["path"])
        )

    def counts(self, wanted: QuarantineFilter) -> Counter[str]:
        """Events by reason."""
        found: Counter[str] = Counter()
        for batch in self._batches(wanted, self._files, ["reason"]):
            for value in pc.value_counts(batch["reason"]).to_pylist():
                found[value["values"]] += value["counts"]
        return found

    def newest(self, wanted: QuarantineFilter, limit: int) -> list[QuarantinedEvent]:
        """At most `limit` rows, the newest first, without their bytes."""
        columns = [name for name in COLUMNS if name != "raw"]
        found: list[QuarantinedEvent] = []
        for day in sorted({file["partition.received_date"] for file in self._files}, reverse=True):
            files = [file for file in self._files if file["partition.received_date"] == day]
            rows = pa.Table.from_batches(self._batches(wanted, files, columns), _schema(columns))
            order = [("received_at", "descending"), ("stream_seq", "descending"), ("row_no", "descending")]
            left = limit - len(found)
            found += [QuarantinedEvent(**row) for row in rows.sort_by(order).slice(0, left).to_pylist()]
            if len(found) >= limit:
                break
        return found

    def events(self, wanted: QuarantineFilter) -> Iterator[QuarantinedEvent]:
        """All rows with their bytes, day by day; in memory is a part of one file."""
        for batch in self._batches(wanted, self._files, list(COLUMNS)):
            for row in batch.to_pylist():
                yield QuarantinedEvent(**row)

    def find(self, text: str) -> QuarantinedEvent:
        """The one row of an id. Raises EventmillError where there is none, or a short id names several."""
        found = list(self.events(QuarantineFilter(ids=(QuarantineId.parse(text),))))
        if not found:
            raise EventmillError(f"There is no quarantined event {text!r}.", "`eventmill quarantine list` shows them.")
        if len(found) > 1:
            several = ", ".join(one.id for one in found)
            raise EventmillError(f"Several quarantined events have the id {text!r}.", f"Name one of: {several}")
        return found[0]

    def _batches(
        self, wanted: QuarantineFilter, files: Sequence[dict[str, Any]], columns: list[str]
    ) -> Iterator[pa.RecordBatch]:
        paths = [file["path"] for file in files if wanted.may_match(file)]
        for name in self._snapshot.locate(paths):
            try:
                file = ds.dataset(name, schema=QUARANTINE.file_columns, format="parquet")
                yield from file.to_batches(
                    columns=columns, filter=wanted.condition, batch_size=_BATCH_ROWS, use_threads=False
                )
            except FileNotFoundError as error:
                raise LakeError(
                    f"The quarantine changed while it was read: {error}", "Give the command again."
                ) from error


def _schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([QUARANTINE.columns.field(name) for name in columns])
