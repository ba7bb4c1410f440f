"""Keeps the numbers and keys of the open periods, so that a refresh costs what is new and not what is there.

The state is a DuckDB file beside the lake. It says up to which stream sequence the lake's rows are in it; whatever
looks wrong (another definition, rows removed from the lake) makes it start anew from the lake. Uniques are counted from
64-bit numbers for ids: when a period closes it is computed from the lake, where no two ids share one, and replaces what
this file produced.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from analytics_pipeline.engines import duckdb_sql, files, identities, open_counts, open_tail
from analytics_pipeline.engines.arrivals import Arrivals
from analytics_pipeline.engines.open_tail import Copies
from analytics_pipeline.lib.calendar import Period
from eventmill.analysis import relations
from eventmill.lake import Snapshot

_OF_PERIODS = (
    "kept_key",
    "kept_opening",
    "kept_loose",
    "kept_value",
    "kept_other_unique",
    "cut",
    "open_arrival",
    "open_period",
)
_OF_HOMES = ("seen", "covered_home", "left_out")
_TABLES = (*_OF_PERIODS, *_OF_HOMES, "progress", "combo", "cut_name", "pair", "mapping")
PeriodKey = tuple[str, str, datetime]


@dataclass(frozen=True, slots=True)
class OpenRefresh:
    """What a refresh of open periods found.

    `rows` are rows of `rollups.metric`: all of those of the periods in `whole`, and the changed ones of the others, of
    which `gone` has the keys of rows to delete. `arrivals` likewise. `new_rows` is how many rows of the lake were read.
    """

    rows: pa.Table
    gone: pa.Table
    arrivals: Arrivals
    whole: Sequence[Period]
    new_rows: int


@dataclass(frozen=True, slots=True)
class _Progress:
    """Stream sequences up to which the state holds events and pairs of ids; how many rows are newer."""

    stream_seq: int
    identity_seq: int
    new_rows: int = 0


def key_of(period: Period) -> PeriodKey:
    """Identity of a period."""
    return period.app_id, period.grain, period.start


class OpenState:
    """The kept state, on a connection to its file. Call `refresh` inside a transaction of that connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._db = connection
        duckdb_sql.prepare(connection)
        connection.execute(duckdb_sql.statement("open_schema"))

    def refresh(
        self, snapshot: Snapshot, periods: Sequence[Period], written: dict[PeriodKey, int | None]
    ) -> OpenRefresh:
        """Bring `periods`, all of them open, up to `snapshot`.

        `written` maps a period to the lake version that Postgres holds for it: where that is not the version which
        this state wrote last, the period is handed out whole.
        """
        self._db.execute("create or replace temp table changed (period_id bigint, cut_id ubigint)")
        self._db.execute("create or replace temp table changed_arrival (period_id bigint)")
        pairs = identities.update(self._db, snapshot)
        since = self._valid_progress(snapshot, pairs)
        known = self._known_periods()
        self._forget({key_of(period) for period in periods}, known)
        old = [period for period in periods if key_of(period) in known]
        new = [period for period in periods if key_of(period) not in known]
        # Also where no period is old: the ids of the tail must be known to later copies.
        self._add_tail(snapshot, old, since)
        copies = [self._add_whole(snapshot, new)] if new else []
        whole = new + [period for period in old if written.get(key_of(period)) != known[key_of(period)][1]]
        handed = self._rows(periods, whole)
        copies.append(open_tail.kept_copies(self._db, all_homes=bool(whole)))
        self._note(snapshot, pairs)
        found = pa.concat_tables(part.rows for part in copies)
        homes = [home for part in copies for home in part.homes]
        arrivals = Arrivals(handed.counted, found, homes)
        return OpenRefresh(handed.rows, handed.gone, arrivals, whole, since.new_rows)

    def _valid_progress(self, snapshot: Snapshot, pairs: Snapshot) -> _Progress:
        """Up to where the state holds the lake; starts anew where that is not certain."""
        rows = self._db.execute("select stream_seq, rows_in_lake, identity_seq, definition_version from progress")
        for stream_seq, rows_in_lake, identity_seq, definition in rows.fetchall():
            if definition != duckdb_sql.definition_version() or stream_seq > (files.last_stream_seq(snapshot) or 0):
                continue
            new_rows = open_tail.read(self._db, snapshot, stream_seq)
            open_counts.read_pairs(self._db, pairs, identity_seq)
            if rows_in_lake + new_rows == files.row_count(snapshot) and self._has_all_pairs(pairs):
                return _Progress(stream_seq, identity_seq, new_rows)
        for table in _TABLES:
            self._db.execute(f"delete from {table}")
        through = files.last_stream_seq(snapshot) or 0
        open_tail.read(self._db, snapshot, through)
        open_counts.read_pairs(self._db, pairs, -1)
        return _Progress(through, -1)

    def _has_all_pairs(self, pairs: Snapshot) -> bool:
        ((kept,),) = self._db.execute("select (select count(*) from pair) + count(*) from fresh_pair").fetchall()
        return int(kept) == files.row_count(pairs)

    def _known_periods(self) -> dict[PeriodKey, tuple[int, int]]:
        rows = self._db.execute("select app_id, grain, period_start, period_id, lake_version from open_period")
        return {
            (app_id, grain, start.astimezone(UTC)): (period_id, version)
            for app_id, grain, start, period_id, version in rows.fetchall()
        }

    def _forget(self, wanted: set[PeriodKey], known: dict[PeriodKey, tuple[int, int]]) -> None:
        """Drop the periods that have closed, and ids of home hours and names of values that only they needed."""
        closed = {key: known[key][0] for key in known if key not in wanted}
        if not closed:
            return
        for table in _OF_PERIODS:
            self._db.execute(f"delete from {table} where list_contains($1, period_id)", [list(closed.values())])
        oldest = min((start for _, _, start in wanted), default=datetime.now(UTC)) - timedelta(hours=1)
        for table in _OF_HOMES:
            self._db.execute(f"delete from {table} where home < $1", [oldest.replace(tzinfo=None)])
        if any(grain == "day" for _, grain, _ in closed):
            self._db.execute("delete from cut_name where cut_id not in (select cut_id from cut)")
            self._db.execute("delete from combo where cut_id not in (select cut_id from cut)")

    def _add_tail(self, snapshot: Snapshot, periods: Sequence[Period], since: _Progress) -> None:
        self._want(periods)
        open_tail.leave_out_copies(self._db, snapshot, since.stream_seq)
        open_counts.add_tail(self._db)

    def _add_whole(self, snapshot: Snapshot, periods: Sequence[Period]) -> Copies:
        """Compute periods that the state does not know yet from all of their files.

        Returns the copies of their home hours, but for covered ones, which the state keeps.
        """
        for period in periods:
            self._db.execute(
                "insert into open_period (app_id, grain, period_start) values ($1, $2, $3)", [*key_of(period)]
            )
        self._want(periods)
        start, end = min(period.start for period in periods), max(period.end for period in periods)
        relations.use_lake(self._db, files.files_meeting(snapshot, start, end))
        for name in ("copies", "unique_events"):
            self._db.execute(relations.statement(name))
        open_counts.add_whole(self._db)
        return open_tail.copies_of_uncovered(self._db, snapshot, start, end)

    def _rows(self, periods: Sequence[Period], whole: Sequence[Period]) -> open_counts.Handed:
        known = self._known_periods()
        self._want(periods)
        return open_counts.rows(self._db, [known[key_of(period)][0] for period in whole])

    def _want(self, periods: Sequence[Period]) -> None:
        known = self._known_periods()
        duckdb_sql.want(self._db, [(known[key_of(period)][0], period) for period in periods])

    def _note(self, snapshot: Snapshot, pairs: Snapshot) -> None:
        self._db.execute("delete from progress")
        through = files.last_stream_seq(snapshot) or 0
        self._db.execute(
            "insert into progress values ($1, $2, $3, $4)",
            [through, files.row_count(snapshot), identities.cursor(pairs), duckdb_sql.definition_version()],
        )
        self._db.execute("update open_period set lake_version = $1", [snapshot.version])
