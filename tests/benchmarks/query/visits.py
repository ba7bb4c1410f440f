"""A lake of visits to three apps, made by DuckDB and written as the writer writes it: a file for each hour."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from eventmill.contracts.schema import EVENTS_SCHEMA
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, DataFile, Transaction
from eventmill.lake import EVENTS, LakeTable, encode_note

APPS = ("shop", "blog", "docs")
DAY, _MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
EVENTS_PER_VISIT = 6
# Eight in ten visits are to the shop; a person comes some five times; a fifth of them has signed in; 2 % of the visits
# are bots'; pages follow a steep curve over 5,000. Visits begin evenly over the day, and their events 40 s apart.
_DAY_OF_VISITS = """
with numbers as (
    select i, i // $per_visit as visit, i % $per_visit as step, hash(i // $per_visit) as dice, hash(i * 17 + 3) as more
    from range($first, $first + $rows) as t (i)
),
visits as (
    select *, (hash(visit * 7 + 1) % $people)::bigint as person,
        $start::timestamptz + to_microseconds(((visit - $first // $per_visit) * $span // $visits)::bigint)
            + to_microseconds(step * 40000000) as instant
    from numbers
)
select
    case when dice % 10 < 8 then 'shop' when dice % 10 = 8 then 'blog' else 'docs' end as app_id,
    'event-' || i as event_id,
    case when step in (0, 1, 3) then 'page_view' when more % 100 < 55 then 'click' when more % 100 < 85 then 'scroll'
        when more % 100 < 95 then 'add_to_cart' else 'purchase' end as event_type,
    case when step in (0, 1, 3) then 'page_view' else 'action ' || (more % 20) end as event_name,
    instant as event_time, instant as "timestamp", instant as received_at,
    case when person % 5 = 0 then 'user-' || person end as user_id,
    'visitor-' || md5(person::varchar) as anonymous_id, 'session-' || md5((visit + 1)::varchar) as session_id,
    case when person % 10 < 8 then 'web' else 'mobile' end as source,
    case when step in (0, 1, 3)
        then '/products/' || (power((more % 1000003) / 1000003.0, 4) * 5000)::int end as page_url,
    ['DE', 'US', 'FR', 'GB', 'NP', 'JP', 'BR', 'IN'][1 + person % 8] as country,
    ['desktop', 'mobile', 'tablet'][1 + person % 3] as device_type,
    ['Windows', 'macOS', 'Android', 'iOS', 'Linux'][1 + person % 5] as os,
    ['Chrome', 'Firefox', 'Safari'][1 + person % 3] as browser,
    case when dice % 100 < 8 then 'search.example' end as referrer_host,
    case when dice % 100 < 8 then 'organic_search' else 'direct' end as channel,
    dice % 50 = 0 as is_bot, '{"plan": "' || (['free', 'pro', 'team'])[1 + person % 3] || '"}' as properties,
    '1.0.0' as schema_version, false as shifted,
    (1 + i // 500)::bigint as stream_seq, (i % 500)::integer as row_no, hour(instant)::integer as hour
from visits
where instant < least($start::timestamptz + interval 1 day, $now::timestamptz)
"""


def fill(table: LakeTable, days: int, events: int, now: datetime) -> int:
    """Append the last `days` days (UTC) up to `now`, about `events` events, a commit a day; returns how many."""
    end = (now + DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    per_day = events // days // EVENTS_PER_VISIT * EVENTS_PER_VISIT
    people = max(events // EVENTS_PER_VISIT // 5, 1)
    stored = 0
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for number in range(days):
            start = end - (days - number) * DAY
            values = {"start": start, "first": number * per_day, "rows": per_day, "people": people, "now": now}
            values |= {
                "per_visit": EVENTS_PER_VISIT,
                "visits": per_day // EVENTS_PER_VISIT,
                "span": DAY // _MICROSECOND,
            }
            rows = connection.sql(_DAY_OF_VISITS, params=values).to_arrow_table()
            files = [_written(table, hour, start) for hour in _hours(rows)]
            note = encode_note((), min(start + DAY, now))
            commit = Commit(adds=files, transaction=Transaction("bench/0", number + 1), metadata=note)
            table.append(commit, table.version())
            stored += rows.num_rows
    return stored


def _hours(rows: pa.Table) -> Iterator[pa.Table]:
    for hour in range(24):
        found = rows.filter(pc.equal(rows["hour"], hour))
        if found.num_rows:
            yield found


def _written(table: LakeTable, rows: pa.Table, start: datetime) -> DataFile:
    hour = rows["hour"][0].as_py()
    values = {"event_date": str(start.date()), "event_hour": str(hour)}
    return write_data_file(table.directory, _whole(rows), values, EVENTS.statistics)


def _whole(rows: pa.Table) -> pa.Table:
    """With all columns of a data file, in their order."""
    columns = EVENTS.file_columns
    for name in [name for name in columns.names if name not in rows.column_names]:
        rows = rows.append_column(name, pa.nulls(rows.num_rows, EVENTS_SCHEMA.field(name).type))
    return rows.select(columns.names).cast(columns)
