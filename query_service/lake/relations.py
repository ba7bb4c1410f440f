"""What a job reads, as temporary views of a worker's connection.

- `lake`: the raw rows of one app and range, without copies;
- `actor_events`: the same with the actor behind each, as `eventmill.analysis.relations` says;
- `stitched_key` (raw_key, actor_key): anonymous ids that belong to one user, as 64-bit keys of both;
- `sessions`, `actor_days`, …: the day tables, each of the files that the job names.

What is worth keeping between jobs is kept: the ids that belong together, until their files change.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from eventmill.analysis import relations
from eventmill.analysis.day_tables import use_day_files
from eventmill.contracts.schema import EVENTS_SCHEMA
from eventmill.lake import DAY_TABLES
from query_service.lake.jobs import EventFiles, Job

# Kinds of ids get keys of their own: a user may be named like a visitor.
MACROS = """
create or replace temp macro raw_key_of(user_id, anonymous_id, session_id) as case
    when user_id is not null then hash(user_id, 1)
    when anonymous_id is not null then hash(anonymous_id, 2)
    else hash(session_id, 3)
end;
create or replace temp macro text_key_of(actor) as
    hash(actor[2:], case actor[1] when 'u' then 1 when 'a' then 2 else 3 end);
create or replace temp macro storable(value) as left(replace(value, chr(0), '\N{REPLACEMENT CHARACTER}'), 500);
"""
# Those that the folder of a file says are read where they are asked for alone: every folder would be looked at.
_HOME = ("event_date", "event_hour")
_HOURS = "hive_partitioning = true, hive_types = {'event_date': date, 'event_hour': integer}"
_NO_FOLDERS = "hive_partitioning = false"
_OWN_COLUMNS = ", ".join(name for name in EVENTS_SCHEMA.names if name not in _HOME)
_COLUMNS = ", ".join([*_HOME, _OWN_COLUMNS])
_DAYS = {definition.name: definition for definition in DAY_TABLES}
EXCLUDED = "excluded_rows"
SEEN_IDS = "seen_ids"
_KEPT = frozenset({"stitched", "stitched_keys", SEEN_IDS})


class Session:
    """A connection with its macros, and what it keeps warm. `forget` drops what a job has made."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, lake: str) -> None:
        self.connection = connection
        self._lake = Path(lake).resolve()
        self._pairs: tuple[str, ...] | None = None
        # Files of the one hour whose ids are in the table SEEN_IDS.
        self.seen: frozenset[str] | None = None
        # Files of an older layout lack columns, and are read by their names.
        self._by_name = False
        connection.execute(MACROS)

    def table(self, sql: str, values: Sequence[object] = ()) -> pa.Table:
        """The rows of a statement, few of them. A relation would be bound twice, which takes long with many files."""
        with warnings.catch_warnings():
            # A copy of what is only an answer.
            warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)
            return self.connection.execute(sql, list(values)).to_arrow_table()

    def use(self, job: Job, tables: Sequence[pa.Table]) -> None:
        """Make the views of a job."""
        for name, table in zip(job.tables, tables, strict=True):
            self.connection.register(name, table)
        if job.events is not None:
            self._use_events(job.events, job.tables)
        for name, paths in job.days.items():
            use_day_files(self.connection, self._located(paths), _DAYS[name])

    def read_by_name(self) -> None:
        """From now on expect data files that lack columns."""
        self._by_name = True

    @property
    def reads_by_name(self) -> bool:
        """Whether `read_by_name` was called."""
        return self._by_name

    def forget(self) -> None:
        """Drop every temporary relation but the kept ones."""
        found = self.connection.execute(
            "select view_name, 'view' from duckdb_views() where temporary and not internal"
            " union all select table_name, 'table' from duckdb_tables() where temporary"
        ).fetchall()
        for name, kind in found:
            if name not in _KEPT:
                self.connection.execute(f'drop {kind} if exists temp."{name}"')

    def use_files(self, name: str, paths: Sequence[str]) -> None:
        """Make `name` a view of data files of `events`."""
        rows = self._rows(name, paths, _COLUMNS, _HOURS)
        self.connection.execute(f"create or replace temp view {name} as {rows}")

    def use_actors(self) -> None:
        """Make `actor_events` of `lake`; whoever counts by keys does without."""
        self.connection.execute("create or replace temp view unique_events as from lake")
        self.connection.execute(relations.statement("actor_events"))

    def _rows(self, name: str, paths: Sequence[str], columns: str = _OWN_COLUMNS, folders: str = _NO_FOLDERS) -> str:
        """Query of all rows of data files of `events`; `name` is one of their own."""
        located = self._located(paths)
        if self._by_name or not located:
            relations.use_lake(self.connection, located, name="lake_files")
            return "from lake_files"
        # Thousands of paths in the statement itself would be parsed each time that a view of it is used.
        self.connection.execute(f"set variable paths_of_{name} = ?", [located])
        return f"select {columns} from read_parquet(getvariable('paths_of_{name}'), {folders})"

    def _use_events(self, files: EventFiles, tables: Sequence[str]) -> None:
        """Make `lake` and `stitched_key`.

        A view cannot hold a parameter; an app's id has no character that could end the text.
        """
        wanted = [f"app_id = '{files.app_id}'"]
        if files.event_types:
            types = ", ".join("'" + one.replace("'", "''") + "'" for one in files.event_types)
            wanted.append(f"event_type in ({types})")
        start, end = int(files.start_us), int(files.end_us)
        inside = [f"event_time >= make_timestamptz({start})", f"event_time < make_timestamptz({end})"]
        parts = [("inner", files.paths, wanted), ("edges", files.edges, [*wanted, *inside])]
        # Files that are read by name are read through one view.
        if self._by_name or not files.paths or not files.edges:
            conditions = [*wanted, *(inside if files.edges or self._by_name else [])]
            parts = [("inner", (*files.paths, *files.edges), conditions)]
        copies = f" anti join {EXCLUDED} on place_of(stream_seq, row_no) = {EXCLUDED}.place"
        united = " union all ".join(
            f"(select {_OWN_COLUMNS} from ({self._rows(name, paths)}){copies if EXCLUDED in tables else ''}"
            f" where {' and '.join(conditions)})"
            for name, paths, conditions in parts
        )
        self.connection.execute(f"create or replace temp view lake as {united}")
        self._use_pairs(files)
        self.connection.execute(
            "create or replace temp view stitched_key as select raw_key, actor_key from stitched_keys"
            f" where app_id = '{files.app_id}'"
        )

    def _use_pairs(self, files: EventFiles) -> None:
        if files.identity_paths == self._pairs:
            return
        self._pairs = None
        relations.use_identities(self.connection, self._located(files.identity_paths))
        self.connection.execute(
            "create or replace temp table stitched_keys as select app_id, hash(anonymous_id, 2) as raw_key,"
            " hash(user_id, 1) as actor_key from stitched"
        )
        self._pairs = files.identity_paths

    def _located(self, paths: Sequence[str]) -> list[str]:
        return [f"{self._lake}/{path}" for path in paths]
