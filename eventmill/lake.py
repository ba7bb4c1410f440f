"""The lake: Delta tables on a local disk, opened, created and read as snapshots of files."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError

from eventmill import delta_log, faults
from eventmill.contracts import day_schema, schema, tables
from eventmill.delta_log import Commit, CommitConflictError
from eventmill.errors import LakeError, SettingsError, VersionError
from eventmill.settings import Settings

# 2: events have the columns of their origin, their client's language and zone, and the tracking plan.
LAYOUT_VERSION = 2
_LAYOUT_KEY = "eventmill.layout"
# How often the log is listed again where an entry seems to be missing, and how delta-rs says that.
_LISTINGS, _NEXT_LISTING_SECONDS = 5, 0.02
_GAP = "found gap"


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """Name and shape of a lake table. `statistics` names the columns by which files can be skipped."""

    name: str
    columns: pa.Schema
    partition_columns: Sequence[str]
    statistics: Sequence[str]

    @property
    def file_columns(self) -> pa.Schema:
        """Columns that a data file holds."""
        return schema.columns_without(self.columns, self.partition_columns)


EVENTS = TableDefinition(tables.EVENTS, schema.EVENTS_SCHEMA, schema.PARTITION_COLUMNS, schema.EVENTS_STATISTICS)
QUARANTINE = TableDefinition(
    tables.QUARANTINE,
    schema.QUARANTINE_SCHEMA,
    schema.QUARANTINE_PARTITION_COLUMNS,
    schema.QUARANTINE_STATISTICS,
)

IDENTITY_MAP = TableDefinition(tables.IDENTITY_MAP, schema.IDENTITY_MAP_SCHEMA, (), schema.IDENTITY_MAP_STATISTICS)
SESSIONS = TableDefinition(tables.SESSIONS, day_schema.SESSIONS_SCHEMA, day_schema.DAY_PARTITION_COLUMNS, ())
ACTOR_DAYS = TableDefinition(tables.ACTOR_DAYS, day_schema.ACTOR_DAYS_SCHEMA, day_schema.DAY_PARTITION_COLUMNS, ())
SESSION_DAYS = TableDefinition(
    tables.SESSION_DAYS, day_schema.SESSION_DAYS_SCHEMA, day_schema.DAY_PARTITION_COLUMNS, ()
)
ACTOR_FIRST = TableDefinition(tables.ACTOR_FIRST, day_schema.ACTOR_FIRST_SCHEMA, day_schema.DAY_PARTITION_COLUMNS, ())
# Computed from the events, a partition for each local day of an app.
DAY_TABLES = (SESSIONS, ACTOR_DAYS, SESSION_DAYS, ACTOR_FIRST)


def lake_directory(settings: Settings) -> Path:
    """Directory of the lake. Raises SettingsError where EVENTMILL_LAKE_URL is not one on this machine."""
    address = settings.lake_address
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme:
        raise SettingsError(
            f"EVENTMILL_LAKE_URL is {parts.scheme}://…, but this version writes to a local directory only.",
            "Give a path, or leave the setting out to use EVENTMILL_HOME/lake.",
        )
    return Path(address)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a table.

    `files` has a row per active file: `path`, `size_bytes`, `num_records`, `partition.<column>`, `min.<column>` and
    `max.<column>` for the table's statistics columns.
    """

    version: int
    directory: Path
    files: pa.Table
    transactions: dict[str, int]

    def locate(self, paths: Sequence[str]) -> list[str]:
        """Absolute file names of `paths`."""
        return [str(self.directory / unquote(path)) for path in paths]


class LakeTable:
    """A Delta table that this process reads or appends to."""

    def __init__(self, directory: Path, definition: TableDefinition) -> None:
        self.definition = definition
        self.directory = directory / definition.name

    def exists(self) -> bool:
        """Whether the table was created."""
        return delta_log.log_path(self.directory, 0).exists() or DeltaTable.is_deltatable(str(self.directory))

    def create(self) -> None:
        """Create the table where it is missing, and give an older one the columns that it lacks; both durably.

        Raises VersionError where a newer program made it.
        """
        if not self.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            DeltaTable.create(
                str(self.directory),
                schema=Schema.from_arrow(self.definition.columns),
                partition_by=list(self.definition.partition_columns),
                mode="ignore",
                configuration={
                    _LAYOUT_KEY: str(LAYOUT_VERSION),
                    "delta.dataSkippingStatsColumns": ",".join(self.definition.statistics),
                },
                raise_if_key_not_exists=False,
            )
            delta_log.sync_file(delta_log.log_path(self.directory, 0))
            for folder in (self.directory / delta_log.LOG_DIRECTORY, self.directory, self.directory.parent):
                delta_log.sync_directory(folder)
        while self._layout() < LAYOUT_VERSION:
            self._evolve()

    def _layout(self) -> int:
        layout = int(self._open().metadata().configuration.get(_LAYOUT_KEY) or 0)
        if layout > LAYOUT_VERSION:
            raise VersionError(
                f"Lake table {self.definition.name} has layout {layout}; this program knows up to {LAYOUT_VERSION}.",
                "Start the newer eventmill again, or point EVENTMILL_LAKE_URL elsewhere.",
            )
        return layout

    def _evolve(self) -> None:
        """Name all columns in the log. Data files stay as they are: what a file lacks is read as null."""
        table = self._open()
        metadata = table.metadata()
        action = {
            "id": metadata.id,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": Schema.from_arrow(self.definition.columns).to_json(),
            "partitionColumns": metadata.partition_columns,
            "configuration": metadata.configuration | {_LAYOUT_KEY: str(LAYOUT_VERSION)},
            "createdTime": metadata.created_time,
        }
        note = {"operation": "ADD COLUMNS", "operationParameters": {}}
        try:
            self.append(Commit(metadata=note, is_data_change=False, table_metadata=action), table.version())
        except CommitConflictError:
            return  # the caller looks again: somebody else may have done it

    def _open(self) -> DeltaTable:
        if not self.exists():
            raise LakeError(
                f"Lake table {self.definition.name} does not exist in {self.directory.parent}.",
                "Run `eventmill migrate`, which creates it.",
            )
        for _ in range(_LISTINGS - 1):
            try:
                return DeltaTable(str(self.directory))
            except DeltaError as error:
                # No directory is listed in one instant: of two entries written meanwhile the later may be there alone.
                if _GAP not in str(error):
                    raise
                time.sleep(_NEXT_LISTING_SECONDS)
        return DeltaTable(str(self.directory))

    def version(self) -> int:
        """Latest version of the table."""
        return self._open().version()

    def transaction_version(self, transaction_id: str) -> int | None:
        """Version that application `transaction_id` committed last; None where it never did."""
        version = self._open().transaction_version(transaction_id)
        return None if version is None else int(version)

    def snapshot(self, transaction_ids: Sequence[str] = ()) -> Snapshot:
        """Files, version and the transactions asked for, all of one and the same version."""
        table = self._open()
        found = {name: table.transaction_version(name) for name in transaction_ids}
        return Snapshot(
            version=table.version(),
            directory=self.directory,
            files=pa.table(table.get_add_actions(flatten=True)),
            transactions={name: int(version) for name, version in found.items() if version is not None},
        )

    def append(self, commit: Commit, after_version: int, reach: faults.Reach = faults.ignore) -> int:
        """Commit on top of `after_version` and return the new version. Raises CommitConflictError."""
        delta_log.append(self.directory, after_version + 1, commit, reach)
        return after_version + 1

    def commits(self, after_version: int, through_version: int) -> Iterator["CommitNote"]:
        """What the commits in `(after_version, through_version]` say of themselves, ascending.

        Raises LogTruncatedError where log clean-up has removed one of them.
        """
        for version in range(after_version + 1, through_version + 1):
            try:
                actions = delta_log.read(self.directory, version)
            except FileNotFoundError:
                raise LogTruncatedError(f"Log entry {version} of {self.definition.name} is gone.") from None
            info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
            yield CommitNote.parse(version, info)


class LogTruncatedError(LakeError):
    """Log clean-up has removed entries that were not read yet: compare with the table's files instead."""


@dataclass(frozen=True, slots=True)
class TouchedHour:
    """Events of one app that a commit added to one UTC hour of `event_time`."""

    app_id: str
    hour: datetime
    events: int


@dataclass(frozen=True, slots=True)
class CommitNote:
    """The writer's note in a commit: touched hours, and the broker's time of the last message in it."""

    version: int
    touched: tuple[TouchedHour, ...]
    complete_through: datetime | None
    # The whole `commitInfo`, for whoever knows what else is in it.
    info: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def parse(cls, version: int, info: dict[str, Any]) -> "CommitNote":
        """Read a `commitInfo`; entries of other writers name no hours."""
        through = info.get("complete_through")
        return cls(
            version=version,
            touched=tuple(
                TouchedHour(entry["app_id"], datetime.fromisoformat(entry["hour"]), int(entry["events"]))
                for entry in info.get("touched", ())
            ),
            complete_through=datetime.fromisoformat(through) if through else None,
            info=info,
        )


def encode_note(touched: Sequence[TouchedHour], complete_through: datetime | None) -> dict[str, Any]:
    """`commitInfo` fields that `CommitNote.parse` reads."""
    return {
        "touched": [
            {"app_id": entry.app_id, "hour": entry.hour.isoformat(), "events": entry.events} for entry in touched
        ],
        "complete_through": complete_through.isoformat() if complete_through else None,
    }


def create_tables(settings: Settings) -> None:
    """Create every table of the lake that is missing."""
    directory = lake_directory(settings)
    for definition in (EVENTS, QUARANTINE, IDENTITY_MAP, *DAY_TABLES):
        LakeTable(directory, definition).create()


def transaction_id(stream_created_at: datetime, partition: int = 0) -> str:
    """Name of the writer's cursor: a recreated stream counts from 1 again, so its creation time is part of it."""
    return f"{stream_created_at.isoformat()}/{partition}"
