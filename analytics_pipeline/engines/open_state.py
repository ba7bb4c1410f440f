"""Keeps exact key sets of the open periods, so that a refresh costs what is new and not what is there.

The state is a DuckDB file beside the lake. It says up to which stream sequence the lake's rows are in it; whatever
looks wrong (another definition, rows removed from the lake) makes it start anew from the lake. Uniques are sets of
64-bit hashes: when a period closes it is computed from the lake's own ids and replaces what this file produced.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from analytics_pipeline.engines import arrivals, duckdb_sql, files
from analytics_pipeline.engines.arrivals import Arrivals
from analytics_pipeline.lib.calendar import Period
from eventmill.analysis import relations
from eventmill.lake import Snapshot

_TABLES = ("progress", "open_period", "cut", "cut_key", "seen", "covered_home", "open_arrival", "left_out")
_HOME = "event_date + to_hours(event_hour)"
PeriodKey = tuple[str, str, datetime]


@dataclass(frozen=True, slots=True)
class OpenRefresh:
    """What a refresh of open periods found.

    `rows` are rows of `rollups.metric`: all of those of the periods in `whole`, and the changed ones of the others.
    `arrivals` likewise. `new_rows` is how many rows of the lake were read.
    """

    rows: pa.Table
    arrivals: Arrivals
    whole: Sequence[Period]
    new_rows: int


@dataclass(frozen=True, slots=True)
class Copies:
    """Copies left out (app_id, home_hour, received_hour, events), and the home hours of which these are all."""

    rows: pa.Table
    homes: Sequence[datetime]


def key_of(period: Period) -> PeriodKey:
    """Identity of a period."""
    return period.app_id, period.grain, period.start


class OpenState:
    """The key sets, on a connection to their file. Call `refresh` inside a transaction of that connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._db = connection
        duckdb_sql.prepare(connection, hashed_keys=True)
        connection.execute(duckdb_sql.statement("open_schema"))
        connection.execute("create or replace temp table changed (cut_id ubigint)")
        connection.execute("create or replace temp table changed_arrival (period_id bigint)")

    def refresh(
        self, snapshot: Snapshot, periods: Sequence[Period], written: dict[PeriodKey, int | None]
    ) -> OpenRefresh:
        """Bring `periods`, all of them open, up to `snapshot`.

        `written` maps a period to the lake version that Postgres holds for it: where that is not the version which
        this state wrote last, the period is handed out whole.
        """
        relations.use_identities(self._db, files.identity_files(snapshot))
        through = files.last_stream_seq(snapshot) or 0
        since = self._valid_since(snapshot, through)
        known = self._known_periods()
        self._forget({key_of(period) for period in periods}, known)
        old = [period for period in periods if key_of(period) in known]
        new = [period for period in periods if key_of(period) not in known]
        # Also where no period is old: the ids of the tail must be known to later copies.
        new_rows = self._add_tail(snapshot, old, since, through)
        copies = [self._add_whole(snapshot, new)] if new else []
        whole = new + [period for period in old if written.get(key_of(period)) != known[key_of(period)][1]]
        rows, counted = self._rows(periods, whole)
        copies.append(self._kept_copies(all_homes=bool(whole)))
        self._note(snapshot, through)
        found = pa.concat_tables(part.rows for part in copies)
        return OpenRefresh(
            rows, Arrivals(counted, found, [home for part in copies for home in part.homes]), whole, new_rows
        )

    def _valid_since(self, snapshot: Snapshot, through: int) -> int:
        """Stream sequence up to which the state holds the lake; starts anew where that is not certain."""
        progress = self._db.execute("select stream_seq, rows_in_lake, definition_version from progress").fetchall()
        row = progress[0] if progress else None
        definition = duckdb_sql.definition_version()
        if row is not None and row[2] == definition and row[0] <= through:
            self._read_tail(snapshot, row[0])
            tail_rows = self._scalar("select count(*) from tail")
            if row[1] + tail_rows == files.row_count(snapshot):
                return int(row[0])
        for table in _TABLES:
            self._db.execute(f"delete from {table}")
        return through

    def _known_periods(self) -> dict[PeriodKey, tuple[int, int]]:
        rows = self._db.execute("select app_id, grain, period_start, period_id, lake_version from open_period")
        return {
            (app_id, grain, start.astimezone(UTC)): (period_id, version)
            for app_id, grain, start, period_id, version in rows.fetchall()
        }

    def _forget(self, wanted: set[PeriodKey], known: dict[PeriodKey, tuple[int, int]]) -> None:
        """Drop the periods that have closed and the ids of home hours that only they needed."""
        closed = [known[key][0] for key in known if key not in wanted]
        if not closed:
            return
        for table in ("cut_key", "cut", "open_arrival", "open_period"):
            self._db.execute(f"delete from {table} where list_contains($1, period_id)", [closed])
        oldest = min((start for _, _, start in wanted), default=datetime.now(UTC)) - timedelta(hours=1)
        for table in ("seen", "covered_home", "left_out"):
            self._db.execute(f"delete from {table} where home < $1", [oldest.replace(tzinfo=None)])

    def _read_tail(self, snapshot: Snapshot, since: int) -> None:
        relations.use_lake(self._db, files.files_after(snapshot, since), name="tail_files")
        self._db.execute(
            f"create or replace temp table tail as select {duckdb_sql.COLUMNS}, {_HOME} as home"
            " from tail_files where stream_seq > $1",
            [since],
        )

    def _add_tail(self, snapshot: Snapshot, periods: Sequence[Period], since: int, through: int) -> int:
        if through == since:
            return 0
        known = self._known_periods()
        duckdb_sql.want(self._db, [(known[key_of(period)][0], period) for period in periods])
        homes = self._db.execute(
            "select distinct home from tail semi join wanted on tail.app_id = wanted.app_id"
            " and event_time >= period_start and event_time < period_end"
            " where home not in (from covered_home)"
        ).fetchall()
        for (home,) in homes:
            self._cover(snapshot, home, since)
        duckdb_sql.run(self._db, "open_tail")
        self._db.execute("create or replace temp view unique_events as from tail_first")
        self._merge()
        return self._scalar("select count(*) from tail")

    def _cover(self, snapshot: Snapshot, home: datetime, since: int) -> None:
        """Remember the ids of a home hour's rows that were in the lake before."""
        relations.use_lake(self._db, files.files_of_home(snapshot, (home.date(), home.hour)), name="home_files")
        self._db.execute(
            f"create or replace temp view lake as select * from home_files where stream_seq <= {int(since)}"
        )
        self._db.execute("insert into seen select distinct $1::timestamp, hash(app_id, event_id) from lake", [home])
        self._db.execute(relations.statement("copies"))
        self._db.execute(f"insert into left_out {duckdb_sql.statement('later_copies')}")
        self._db.execute("insert into covered_home values ($1)", [home])

    def _kept_copies(self, *, all_homes: bool) -> Copies:
        """Copies of the covered home hours that have new rows, or of all of them."""
        news = "" if all_homes else " semi join tail using (home)"
        homes = self._db.execute(f"select home from covered_home{news}").fetchall()
        copies = arrivals.copies_of(self._db, f"from left_out semi join (from covered_home{news}) using (home)")
        return Copies(copies, [home.replace(tzinfo=UTC) for (home,) in homes])

    def _add_whole(self, snapshot: Snapshot, periods: Sequence[Period]) -> Copies:
        """Compute periods that the state does not know yet from all of their files.

        Returns the copies of their home hours, but for covered ones, which the state keeps.
        """
        for period in periods:
            self._db.execute(
                "insert into open_period (app_id, grain, period_start) values ($1, $2, $3)", [*key_of(period)]
            )
        known = self._known_periods()
        duckdb_sql.want(self._db, [(known[key_of(period)][0], period) for period in periods])
        start, end = min(period.start for period in periods), max(period.end for period in periods)
        relations.use_lake(self._db, files.files_meeting(snapshot, start, end))
        relations.use_actor_events(self._db)
        self._merge()
        found = f"from ({duckdb_sql.statement('later_copies')}) anti join covered_home using (home)"
        covered = {home for (home,) in self._db.execute("from covered_home").fetchall()}
        homes = [home for home in files.homes_meeting(snapshot, start, end) if home.replace(tzinfo=None) not in covered]
        return Copies(arrivals.copies_of(self._db, found), homes)

    def _merge(self) -> None:
        duckdb_sql.run(self._db, "counted", "cut_counts", "cut_keys", "arrived", "open_merge")

    def _rows(self, periods: Sequence[Period], whole: Sequence[Period]) -> tuple[pa.Table, pa.Table]:
        known = self._known_periods()
        duckdb_sql.want(self._db, [(known[key_of(period)][0], period) for period in periods])
        whole_ids = [known[key_of(period)][0] for period in whole]
        self._db.execute(
            "create or replace temp table result as select * from cut"
            " where list_contains($1, period_id) or cut_id in (from changed)",
            [whole_ids],
        )
        self._db.execute(
            "create or replace temp table arrived as from open_arrival"
            " where list_contains($1, period_id) or period_id in (from changed_arrival)",
            [whole_ids],
        )
        rows = self._db.sql(duckdb_sql.statement("metric_rows")).to_arrow_table()
        return rows, self._db.sql(duckdb_sql.statement("arrival_rows")).to_arrow_table()

    def _note(self, snapshot: Snapshot, through: int) -> None:
        self._db.execute("delete from progress")
        self._db.execute(
            "insert into progress values ($1, $2, $3)",
            [through, files.row_count(snapshot), duckdb_sql.definition_version()],
        )
        self._db.execute("update open_period set lake_version = $1", [snapshot.version])

    def _scalar(self, query: str) -> int:
        ((number,),) = self._db.execute(query).fetchall()
        return int(number)
