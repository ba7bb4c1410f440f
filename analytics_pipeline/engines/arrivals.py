"""What a computation of hours learns about when their events arrived, and which copies it left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
import pyarrow as pa

from analytics_pipeline.engines import duckdb_sql


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Rows of `rollups.counted_arrival`, and the copies (app_id, home_hour, received_hour, events) of `homes`.

    `counted` has all rows of the hours that the computation hands out whole. `homes` are home hours that were read
    whole: a copy that is not in `copies` does not exist there.
    """

    counted: pa.Table
    copies: pa.Table
    homes: Sequence[datetime] = field(default_factory=list)


def copies_of(connection: duckdb.DuckDBPyConnection, relation: str) -> pa.Table:
    """The copies in `relation` (app_id, home, received_hour, events), added up, with instants."""
    return connection.sql(
        "select app_id, home::timestamptz as home_hour, instant_of(received_hour) as received_hour,"
        f" sum(events)::bigint as events from ({relation}) group by all"
    ).to_arrow_table()


def read_exactly(connection: duckdb.DuckDBPyConnection, homes: Sequence[datetime]) -> Arrivals:
    """Of the hours in `wanted`, once `counted` and `copies` are there."""
    duckdb_sql.run(connection, "arrived")
    counted = connection.sql(duckdb_sql.statement("arrival_rows")).to_arrow_table()
    return Arrivals(counted, copies_of(connection, duckdb_sql.statement("later_copies")), homes)
