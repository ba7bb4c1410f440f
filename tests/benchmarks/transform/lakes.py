"""Lakes for the benchmarks: visits of a shop, made by DuckDB, written as the writer writes them."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

from eventmill.contracts.schema import EVENTS_SCHEMA
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, Transaction
from eventmill.lake import EVENTS, LakeTable

ROWS_PER_FILE = 250_000
# A visitor has a dozen events; one in five has signed in; 2 % are bots; pages follow a steep curve over 20,000.
_EVENTS = """
with numbers as (
    select i, (hash((i + $salt) * 7 + 1) % $people)::bigint as person, hash((i + $salt) * 13 + 5) as dice,
        hash((i + $salt) * 17 + 3) as more,
        $start::timestamptz + to_microseconds((i::hugeint * $span // $events)::bigint) as instant
    from range($first, $first + $rows) as t (i)
)
select
    'shop' as app_id, 'event-' || (i + $salt) as event_id,
    case when dice % 100 < 60 then 'page_view' when dice % 100 < 85 then 'click'
        when dice % 100 < 95 then 'scroll' else 'purchase' end as event_type,
    case when dice % 100 < 60 then 'page_view' when dice % 100 < 85 then 'click ' || (more % 20)
        when dice % 100 < 95 then 'scroll' else 'purchase' end as event_name,
    instant as event_time, instant as "timestamp", instant as received_at,
    case when person % 5 = 0 then 'user-' || person end as user_id,
    'visitor-' || md5(person::varchar) as anonymous_id, 'session-' || md5((person + 1)::varchar) as session_id,
    case when person % 10 < 8 then 'web' else 'mobile' end as source,
    case when dice % 100 < 60
        then '/products/' || (power((more % 1000003) / 1000003.0, 4) * 20000)::int end as page_url,
    ['DE', 'US', 'FR', 'GB', 'NP', 'JP', 'BR', 'IN'][1 + person % 8] as country,
    ['desktop', 'mobile', 'tablet'][1 + person % 3] as device_type,
    ['Windows', 'macOS', 'Android', 'iOS', 'Linux'][1 + person % 5] as os,
    ['Chrome', 'Firefox', 'Safari'][1 + person % 3] as browser,
    case when dice % 100 < 8 then 'search.example' end as referrer_host,
    case when dice % 100 < 8 then 'organic_search' else 'direct' end as channel,
    more % 50 = 0 as is_bot, '{}' as properties, '1.0.0' as schema_version, false as shifted,
    ($seq + (i - $first) // 500)::bigint as stream_seq, ((i - $first) % 500)::integer as row_no,
from numbers
"""


def fill(table: LakeTable, start: datetime, span: timedelta, events: int, salt: int = 0, people: int = 0) -> None:
    """Append `events` spread evenly over `[start, start + span)`, which begins at a full hour or lies in one.

    `salt` tells the ids of several calls apart; there are `people` of them, or one for a dozen events.
    """
    # Asked for each time, the version would take longer than the commit: the table is read from its beginning.
    version = table.version()
    for number, (rows, hour) in enumerate(_hours(start, span, events, salt, people, _last(table))):
        hours = {"event_date": str(hour.date()), "event_hour": str(hour.hour)}
        file = write_data_file(table.directory, rows, hours, EVENTS.statistics)
        commit = Commit(adds=[file], transaction=Transaction("bench/0", number), metadata={"touched": []})
        table.append(commit, version + number)


def _last(table: LakeTable) -> int:
    files = table.snapshot().files
    return max(files["max.stream_seq"].to_pylist(), default=0) if files.num_rows else 0


def _hours(
    start: datetime, span: timedelta, events: int, salt: int, people: int, last_seq: int
) -> Iterator[tuple[pa.Table, datetime]]:
    """Files' rows, each of one hour, with the hour."""
    hours = max(span // timedelta(hours=1), 1)
    per_hour = events // hours
    seq = last_seq + 1
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for hour in range(hours):
            for first in range(hour * per_hour, (hour + 1) * per_hour, ROWS_PER_FILE):
                count = min(ROWS_PER_FILE, (hour + 1) * per_hour - first)
                values = {
                    "events": per_hour * hours,
                    "people": people or max(per_hour * hours // 12, 1),
                    "start": start,
                    "span": span // timedelta(microseconds=1),
                    "first": first,
                    "rows": count,
                    "salt": salt,
                    "seq": seq,
                }
                rows = connection.sql(_EVENTS, params=values).to_arrow_table()
                seq += count // 500 + 1
                yield _whole(rows), start + timedelta(hours=hour)


def _whole(rows: pa.Table) -> pa.Table:
    """With all columns of a data file, in their order."""
    columns = EVENTS.file_columns
    missing = [name for name in columns.names if name not in rows.column_names]
    for name in missing:
        rows = rows.append_column(name, pa.nulls(rows.num_rows, EVENTS_SCHEMA.field(name).type))
    return rows.select(columns.names).cast(columns)
