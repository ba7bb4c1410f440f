"""The first half of the fifty questions, and how each transport says them: by periods, and totals."""

from tests.integration.conformance.words import V2, Field, Get, Question, Sql

FROM, TO = "2026-10-24", "2026-11-04"
SPAN = [FROM, TO]
IN_SPAN = f"date >= '{FROM}' and date < '{TO}'"
GET_SPAN = {"start": FROM, "end": TO}
GQL_SPAN = f'from: "{FROM}", to: "{TO}"'
# Days on which clocks go back: of hours that occur twice.
YORK_DAY = {"start": "2026-11-01", "end": "2026-11-02"}
BERLIN_DAY = {"start": "2026-10-25", "end": "2026-10-26"}
NOV_1, OCT_25, OCT_28 = list(YORK_DAY.values()), list(BERLIN_DAY.values()), ["2026-10-28", "2026-10-29"]
ON_NOV_1, ON_OCT_28 = "date = '2026-11-01'", "date = '2026-10-28'"
GQL_NOV_1 = 'from: "2026-11-01", to: "2026-11-02"'
PAGE = ("page_url", "view_count", "unique_visitors", "bounce_rate", "avg_session_duration")
GQL_PAGE = ("pageUrl", "viewCount", "uniqueVisitors", "bounceRate", "avgSessionDuration")
OF_PAGE = ["page_views", "unique_visitors", "bounce_rate", "avg_session_duration"]

NO_SUMS_OF_PEOPLE = "people of several days are not added up, and the marts know single periods alone"
NO_SUCH_CUT = "the marts know one cut at a time, and no properties"
NO_BOTS = "of people and views the marts have those without bots alone"
OF_DEFINITIONS = "saved definitions are no metric of a question: they have endpoints and a mart"
LIVE_ONLY = "what goes on now is no mart"
NO_SQL = {"flight": NO_SUCH_CUT, "marts": NO_SUCH_CUT}
NO_RANGE = {"flight": NO_SUMS_OF_PEOPLE, "marts": NO_SUMS_OF_PEOPLE}
NO_MART_OF_BOTS = {"flight": NO_BOTS, "marts": NO_BOTS}


def asked(*metrics: str, over: object = SPAN, by: str | None = None, **more: object) -> V2:
    """A question of version 2."""
    return V2({"metrics": [*metrics], "date_range": over, **({"granularity": by} if by else {}), **more})


def metric(name: str, by: str = "day", cut: str = "total", more: str = "", columns: str = "date, {value}") -> Sql:
    """Rows of the mart `metrics`; over all events without the value of a dimension."""
    columns = "date" if cut == "total" else columns
    return Sql(
        f"select {columns}, value from {{metrics}} where metric_type = '{name}' and granularity = '{by}'"
        f" and dimension_name = '{cut}' and date < '{TO}' {more}"
    )


def series(metric: str, by: str, more: str = GQL_SPAN) -> Field:
    """GraphQL's `timeseries`."""
    return Field(f'timeseries(metric: "{metric}", granularity: "{by}", {more})', ("timestamp", "value"))


def rows_of(name: str, by: str = "day", start: str = FROM) -> Field:
    """GraphQL's `metrics`, over all events."""
    call = f'metrics(metricType: "{name}", granularity: "{by}", dateRange: {{from: "{start}", to: "{TO}"}})'
    return Field(call, ("date", "value"))


def sessions(columns: str, cut: str = "total", days: str = IN_SPAN) -> Sql:
    """Rows of the mart `session_stats`."""
    value = "" if cut == "total" else "{value}, "
    return Sql(f"select date, {value}{columns} from {{session_stats}} where dimension_name = '{cut}' and {days}")


NOW = (
    Question(
        "the last five minutes",
        (
            asked("events", "unique_visitors", over="5m"),
            Get("/api/live", ("events_5m", "active_users_5m"), {"window": "5m"}),
            Field("counters", ("events5m", "activeUsers5m")),
        ),
        {"flight": LIVE_ONLY, "marts": LIVE_ONLY},
    ),
)

BY_DAY = (
    Question(
        "events by day",
        (
            asked("events", by="day"),
            Get("/api/metrics/timeseries", ("timestamp", "value"), {**GET_SPAN, "granularity": "day"}),
            series("events", "day"),
            rows_of("events"),
            metric("events"),
            Sql(f"select date, sum(event_count) from {{daily_stats}} where {IN_SPAN} group by date"),
        ),
    ),
    Question(
        "page views by day",
        (asked("page_views", by="day"), series("page_views", "day"), rows_of("pageviews"), metric("pageviews")),
        app_id="berlin",
    ),
    Question(
        "visitors by day",
        (
            asked("unique_visitors", by="day"),
            series("unique_visitors", "day"),
            rows_of("unique_visitors"),
            metric("unique_visitors"),
        ),
    ),
    Question(
        "users by day",
        (
            asked("unique_users", by="day"),
            series("unique_users", "day"),
            rows_of("unique_users"),
            metric("unique_users"),
        ),
        app_id="berlin",
    ),
    Question(
        "sessions with an event by day",
        (asked("unique_sessions", by="day"), rows_of("sessions"), metric("sessions")),
    ),
    Question(
        "active visitors by day",
        (asked("dau", by="day"), Sql(f"select date, dau from {{active_users}} where {IN_SPAN}")),
    ),
    Question(
        "sessions, bounces and bounce rate by day",
        (
            asked("sessions_started", "bounces", "bounce_rate", by="day"),
            sessions("sessions_started, bounces, bounce_rate"),
        ),
    ),
    Question(
        "duration and depth of sessions by day",
        (
            asked("avg_session_duration", "views_per_session", by="day"),
            sessions("avg_session_duration, views_per_session"),
        ),
        app_id="berlin",
    ),
)

OTHER_PERIODS = (
    Question(
        "events by hour where New York's clocks go back",
        (
            asked("events", over=NOV_1, by="hour"),
            Get("/api/metrics/timeseries", ("timestamp", "value"), {**YORK_DAY, "granularity": "hour"}),
            series("events", "hour", GQL_NOV_1),
            Sql(
                f"select date, hour, utc_offset_minutes, sum(event_count) from {{hourly_stats}} where {ON_NOV_1}"
                " group by date, hour, utc_offset_minutes",
                is_by_hour=True,
            ),
        ),
        shows=("2026-11-01 01h -240", "2026-11-01 01h -300"),
    ),
    Question(
        "page views by hour where Berlin's clocks go back",
        (
            asked("events", over=OCT_25, by="hour", filters=[["is", "event_type", ["page_view"]]]),
            Get(
                "/api/metrics/timeseries",
                ("timestamp", "value"),
                {**BERLIN_DAY, "granularity": "hour", "event_type": "page_view"},
            ),
            series("events", "hour", 'eventType: "page_view", from: "2026-10-25", to: "2026-10-26"'),
            Sql(
                "select date, hour, utc_offset_minutes, event_count from {hourly_stats}"
                " where date = '2026-10-25' and event_type = 'page_view'",
                is_by_hour=True,
            ),
        ),
        app_id="berlin",
        shows=("2026-10-25 02h +120", "2026-10-25 02h +60"),
    ),
    Question(
        "visitors of a type of event by hour",
        (
            asked("unique_visitors", over=NOV_1, by="hour", filters=[["is", "event_type", ["click"]]]),
            series("unique_visitors", "hour", f'eventType: "click", {GQL_NOV_1}'),
            Sql(
                "select date, hour, utc_offset_minutes, unique_visitors from {hourly_stats}"
                f" where {ON_NOV_1} and event_type = 'click'",
                is_by_hour=True,
            ),
        ),
    ),
    Question(
        "visitors by week",
        (
            asked("unique_visitors", over=["2026-10-19", "2026-11-02"], by="week"),
            series("unique_visitors", "week", 'from: "2026-10-19", to: "2026-11-02"'),
            metric("unique_visitors", "week", more="and date < '2026-11-02'"),
        ),
    ),
    Question(
        "active visitors by week",
        (
            asked("wau", over=["2026-10-19", "2026-11-02"], by="week"),
            Sql("select distinct week_start_date, wau from {active_users} where week_start_date < '2026-11-02'"),
        ),
        app_id="berlin",
    ),
    Question(
        "events by month",
        (
            asked("events", over=["2026-10-01", "2026-12-01"], by="month"),
            Get(
                "/api/metrics/timeseries",
                ("timestamp", "value"),
                {"start": "2026-10-01", "end": "2026-12-01", "granularity": "month"},
            ),
            series("events", "month", 'from: "2026-10-01", to: "2026-12-01"'),
            rows_of("events", "month", "2026-10-01"),
            Sql("select date, sum(event_count) from {monthly_stats} group by date"),
        ),
        app_id="berlin",
    ),
    Question(
        "active visitors by month",
        (
            asked("mau", over=["2026-10-01", "2026-12-01"], by="month"),
            Sql("select distinct month_start_date, mau from {active_users}"),
        ),
    ),
)

TOTALS = (
    Question(
        "events and views of a range",
        (
            asked("events", "page_views"),
            Sql(
                f"select sum(event_count), sum(page_views) from {{daily_metrics}} where is_all_sources and"
                f" is_all_event_names and {IN_SPAN}"
            ),
        ),
    ),
    Question(
        "people of a calendar week",
        (
            asked("unique_users", "unique_visitors", "unique_sessions", over=["2026-10-26", "2026-11-02"]),
            Field(
                'uniqueUsers(from: "2026-10-26", to: "2026-11-02")', ("uniqueUsers", "uniqueVisitors", "uniqueSessions")
            ),
            Sql(
                "select sum(value) filter (where metric_type = 'unique_users'),"
                " sum(value) filter (where metric_type = 'unique_visitors'),"
                " sum(value) filter (where metric_type = 'sessions') from {metrics}"
                " where granularity = 'week' and date = '2026-10-26' and dimension_name = 'total'"
            ),
        ),
    ),
    Question(
        "people of any range",
        (
            asked("unique_users", "unique_visitors", "unique_sessions"),
            Field(f"uniqueUsers({GQL_SPAN})", ("uniqueUsers", "uniqueVisitors", "uniqueSessions")),
        ),
        NO_RANGE,
    ),
    Question(
        "bounce rate of a range",
        (
            asked("bounce_rate"),
            Sql(
                f"select 100.0 * sum(bounces) / sum(sessions_with_views) from {{session_stats}} where {IN_SPAN}"
                " and dimension_name = 'total'"
            ),
        ),
    ),
    Question(
        "revenue by day",
        (
            asked("revenue", by="day"),
            rows_of("revenue"),
            Sql(f"select date, revenue from {{revenue}} where dimension_name = 'total' and {IN_SPAN}"),
        ),
    ),
    Question(
        "revenue of a range by channel",
        (
            asked("revenue", dimensions=["channel"]),
            Sql(
                f"select {{value}}, sum(revenue) from {{revenue}} where dimension_name = 'channel' and {IN_SPAN}"
                " group by 1"
            ),
        ),
        app_id="berlin",
    ),
    Question(
        "sessions with a goal by day",
        (
            asked("converted_sessions", "conversion_rate", by="day", goal="bought"),
            Get("/api/goals/bought", ("date", "sessions_with_goal", "conversion_rate"), GET_SPAN),
            Sql(
                "select date, converted_sessions, conversion_rate from {goal_conversions}"
                f" where goal_name = 'bought' and dimension_name = 'total' and {IN_SPAN}"
            ),
        ),
    ),
    Question(
        "a goal's conversion by country on one day",
        (
            asked("converted_sessions", over=NOV_1, goal="bought", dimensions=["country"]),
            Sql(
                "select {value}, converted_sessions from {goal_conversions}"
                f" where goal_name = 'bought' and dimension_name = 'country' and {ON_NOV_1}"
            ),
        ),
    ),
)
