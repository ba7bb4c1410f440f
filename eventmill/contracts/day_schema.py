"""Arrow schemas of the lake tables that are computed per local day from the events, in column order."""

import pyarrow as pa

from eventmill.contracts.schema import INSTANT

DAY_PARTITION_COLUMNS = ["local_date", "app_id"]


def _column(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


_DAY = [_column("app_id", pa.string()), _column("local_date", pa.date32())]
_CUT = [
    _column("dimension", pa.string()),
    _column("value_kind", pa.string()),
    _column("value", pa.string()),
]

# A session of the day on which it began. `traffic`: `both` where bots play no part in it; a session with bots in it is
# a row `all` and, without their events, a row `human`.
SESSIONS_SCHEMA = pa.schema(
    [
        *_DAY,
        _column("session_key", pa.string()),
        pa.field("session_id", pa.string()),
        _column("actor", pa.string()),
        _column("is_user", pa.bool_()),
        _column("traffic", pa.string()),
        _column("started_at", INSTANT),
        _column("ended_at", INSTANT),
        _column("duration_seconds", pa.float64()),
        _column("events", pa.int64()),
        _column("views", pa.int64()),
        _column("other_interactive_events", pa.int64()),
        pa.field("is_bounce", pa.bool_()),
        *(
            pa.field(name, pa.string())
            for name in (
                *("entry_page", "exit_page", "referrer_host", "channel", "utm_source", "utm_medium", "utm_campaign"),
                *("country", "device_type", "os", "browser", "source", "app_version"),
            )
        ),
    ]
)

# What an actor did on a day, once for each value of each dimension.
ACTOR_DAYS_SCHEMA = pa.schema(
    [
        *_DAY,
        *_CUT,
        _column("actor", pa.string()),
        _column("is_user", pa.bool_()),
        _column("events", pa.int64()),
        _column("human_events", pa.int64()),
        _column("page_views", pa.int64()),
        _column("human_page_views", pa.int64()),
    ]
)

# Sessions with an event of the day, once for each value of each dimension. `traffic` as in `sessions`.
SESSION_DAYS_SCHEMA = pa.schema([*_DAY, *_CUT, _column("session_key", pa.string()), _column("traffic", pa.string())])

# An actor's first event of a type that the day knows of, of people and of bots apart: the least `first_at` of all days
# is the first ever.
ACTOR_FIRST_SCHEMA = pa.schema(
    [
        *_DAY,
        _column("actor", pa.string()),
        _column("event_type", pa.string()),
        _column("is_human", pa.bool_()),
        _column("first_at", INSTANT),
    ]
)
