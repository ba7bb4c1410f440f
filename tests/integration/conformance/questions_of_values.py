"""The second half of the questions: by values, filtered, compared, in pages, of people over time, and of nothing."""

from tests.integration.conformance.questions import (
    FROM,
    GQL_NOV_1,
    GQL_PAGE,
    IN_SPAN,
    NO_MART_OF_BOTS,
    NO_RANGE,
    NO_SQL,
    NOV_1,
    OCT_28,
    OF_DEFINITIONS,
    OF_PAGE,
    ON_NOV_1,
    ON_OCT_28,
    PAGE,
    TO,
    YORK_DAY,
    asked,
    metric,
    sessions,
)
from tests.integration.conformance.site import COHORT, FUNNEL
from tests.integration.conformance.words import Field, Get, Post, Question, Sql

RETENTION = ("cohort_date", "period_offset", "cohort_size", "returning_users", "retention_rate")
GQL_RETENTION = ("date", "periodOffset", "cohortSize", "returningUsers", "rate")
STEP = ("step", "users", "conversion_from_start", "dropoff_percent", "median_seconds")
GQL_STEP = ("step", "users", "conversionFromStart", "dropoffPercent", "medianSeconds")
SQL_STEP = "step, users, conversion_from_start, dropoff_percent, median_seconds"
GQL_FUNNEL = (
    'funnel(steps: ["page_view", "click", "purchase"], window: "2d", from: "2026-10-24T00:00:00Z",'
    ' to: "2026-11-04T00:00:00Z"'
)
DAILY = "/api/metrics/daily"
COUNTS = ("events", "users", "visitors")
SQL_COUNTS = "event_count, unique_users, unique_visitors"

BY_VALUE = (
    Question(
        "events by name on one day",
        (
            asked("events", "unique_users", "unique_visitors", over=NOV_1, dimensions=["event_name"]),
            Get(DAILY, ("event_name", *COUNTS), {**YORK_DAY, "event_name": "*"}),
            Field(f"topEvents({GQL_NOV_1})", ("eventName", "events", "uniqueUsers", "uniqueVisitors")),
            Sql(
                f"select event_name, {SQL_COUNTS} from {{daily_metrics}}"
                f" where is_all_sources and not is_all_event_names and {ON_NOV_1}"
            ),
        ),
    ),
    Question(
        "events by source and day",
        (
            asked("events", "unique_users", "unique_visitors", by="day", dimensions=["source"]),
            Get(DAILY, ("date", "source", *COUNTS), {"start": FROM, "end": TO, "source": "*"}),
            Sql(
                f"select date, source, {SQL_COUNTS} from {{daily_metrics}}"
                f" where not is_all_sources and is_all_event_names and {IN_SPAN}"
            ),
        ),
    ),
    Question(
        "events by source and name on one day",
        (
            asked("events", "unique_users", "unique_visitors", over=NOV_1, dimensions=["source", "event_name"]),
            Get(DAILY, ("source", "event_name", *COUNTS), {**YORK_DAY, "source": "*", "event_name": "*"}),
            Sql(
                f"select source, event_name, {SQL_COUNTS} from {{daily_metrics}}"
                f" where not is_all_sources and not is_all_event_names and {ON_NOV_1}"
            ),
        ),
    ),
    Question(
        "page views by country and day, with those that have none",
        (
            asked("page_views", by="day", dimensions=["country"]),
            metric("pageviews", cut="country"),
        ),
        shows=("(not_set)",),
    ),
    Question(
        "visitors by system and week, with those that have none",
        (
            asked("unique_visitors", over=["2026-10-19", "2026-11-02"], by="week", dimensions=["os"]),
            metric("unique_visitors", "week", "os", "and date < '2026-11-02'"),
        ),
        shows=("(not_set)",),
    ),
    Question(
        "pages of a day with more of them than are kept",
        (
            asked("page_views", over=OCT_28, dimensions=["page_url"], limit=2_000),
            metric("pageviews", cut="page_url", more=f"and {ON_OCT_28}", columns="{value}"),
        ),
        app_id="berlin",
        shows=("(other)",),
    ),
    Question(
        "the most viewed pages of a day",
        (
            asked(*OF_PAGE, over=NOV_1, dimensions=["page_url"], limit=4),
            Get("/api/pages/top", PAGE, {**YORK_DAY, "limit": "4"}),
            Field(f"topPages(limit: 4, {GQL_NOV_1})", GQL_PAGE),
            Sql(
                "select page_url, view_count, unique_visitors, bounce_rate, avg_session_duration from {page_daily}"
                f" where {ON_NOV_1} and view_count > 0 order by view_count desc, page_url limit 4"
            ),
            Sql(
                "select page_url, view_count, unique_visitors, bounce_rate, avg_session_duration"
                f" from {{pageview_aggregate}} where {ON_NOV_1} and view_count > 0"
                " order by view_count desc, page_url limit 4",
                transports=("flight",),
            ),
        ),
        in_order=True,
    ),
    Question(
        "one page by day",
        (
            asked(*OF_PAGE[:2], by="day", filters=[["is", "page_url", ["/a"]]]),
            Get("/api/pages", ("date", *PAGE[1:3]), {"start": FROM, "end": TO, "page_url": "/a"}),
            Sql(f"select date, view_count, unique_visitors from {{page_daily}} where page_url = '/a' and {IN_SPAN}"),
        ),
        app_id="berlin",
    ),
    Question(
        "one page on one day",
        (
            asked(*OF_PAGE, over=NOV_1, filters=[["is", "page_url", ["/b"]]]),
            Get("/api/pages", PAGE[1:], {**YORK_DAY, "page_url": "/b"}),
            Field('pageAnalytics(pageUrl: "/b", date: "2026-11-01")', GQL_PAGE[1:]),
            Sql(
                "select view_count, unique_visitors, bounce_rate, avg_session_duration from {page_daily}"
                f" where page_url = '/b' and {ON_NOV_1}"
            ),
        ),
    ),
    Question(
        "visitors of a range by country",
        (asked("unique_visitors", dimensions=["country"]),),
        NO_RANGE,
    ),
    Question(
        "sessions by the page of their entry",
        (
            asked("sessions_started", "bounce_rate", by="day", dimensions=["entry_page"]),
            sessions("sessions_started, bounce_rate", "entry_page"),
        ),
    ),
    Question(
        "sessions of a range by channel",
        (
            asked("sessions_started", "bounces", dimensions=["channel"]),
            Sql(
                "select {value}, sum(sessions), sum(bounces) from {acquisition}"
                f" where dimension_name = 'channel' and {IN_SPAN} group by 1"
            ),
        ),
        app_id="berlin",
    ),
)

FILTERED = (
    Question(
        "all pages of a long answer",
        (
            asked("events", "unique_visitors", by="day", dimensions=["event_name"], limit=7),
            Get(
                DAILY,
                ("date", "event_name", "events", "visitors"),
                {"start": FROM, "end": TO, "event_name": "*", "limit": "7"},
            ),
            Sql(
                "select date, event_name, event_count, unique_visitors from {daily_metrics}"
                f" where is_all_sources and not is_all_event_names and {IN_SPAN}"
            ),
        ),
        in_pages=True,
    ),
    Question(
        "one country by day",
        (
            asked("events", "page_views", by="day", filters=[["is", "country", ["US"]]]),
            Sql(
                "select date, sum(value) filter (where metric_type = 'events'),"
                " sum(value) filter (where metric_type = 'pageviews') from {metrics} where granularity = 'day'"
                f" and dimension_name = 'country' and dimension = 'US' and {IN_SPAN} group by date"
            ),
        ),
    ),
    Question(
        "events without a country by day",
        (
            asked("events", by="day", filters=[["is_not_set", "country"]]),
            metric("events", cut="country", more="and dimension_kind = 'not_set'", columns="date"),
        ),
        app_id="berlin",
    ),
    Question(
        "purchases on one system by day",
        (
            asked("events", by="day", filters=[["is", "event_type", ["purchase"]], ["is", "os", ["iOS"]]]),
            metric("purchase_count", cut="os", more="and dimension = 'iOS'", columns="date"),
        ),
    ),
    Question(
        "clicks on a button, by a property",
        (asked("events", "unique_visitors", by="day", filters=[["is", "properties.button", ["top"]]]),),
        NO_SQL,
    ),
    Question(
        "a day beside the day before it",
        (
            asked("events", "page_views", over=NOV_1, compare="previous_period"),
            Sql(
                "select sum(event_count) filter (where date = '2026-11-01'),"
                " sum(page_views) filter (where date = '2026-11-01'),"
                " sum(event_count) filter (where date = '2026-10-31'),"
                " sum(page_views) filter (where date = '2026-10-31')"
                " from {daily_metrics} where is_all_sources and is_all_event_names"
            ),
        ),
    ),
    Question(
        "days beside those of the week before",
        (
            asked("unique_visitors", over=["2026-10-31", "2026-11-03"], by="day", compare=["2026-10-24", "2026-10-27"]),
            Sql(
                "with days as (select date, unique_visitors from {daily_metrics}"
                " where is_all_sources and is_all_event_names)"
                " select later.date, later.unique_visitors, earlier.unique_visitors"
                " from days as later join days as earlier on later.date = earlier.date + 7"
                " where later.date >= '2026-10-31' and later.date < '2026-11-03'"
            ),
        ),
    ),
    Question(
        "days on which nothing happened",
        (
            asked("events", over=["2026-02-01", "2026-02-10"], by="day"),
            Get(
                "/api/metrics/timeseries",
                ("timestamp", "value"),
                {"start": "2026-02-01", "end": "2026-02-10", "granularity": "day"},
            ),
            Field(
                'timeseries(metric: "events", granularity: "day", from: "2026-02-01", to: "2026-02-10")',
                ("timestamp", "value"),
            ),
            Sql("select date, sum(event_count) from {daily_stats} where date < '2026-02-10' group by date"),
        ),
        is_empty=True,
    ),
    Question(
        "views with bots and without",
        (asked("page_views", "unique_visitors", by="day", include_bots=True),),
        NO_MART_OF_BOTS,
    ),
)

OVER_TIME = (
    Question(
        "the size of a cohort and how many come back",
        (
            Get("/api/cohorts", ("identifier", "user_count", "retention_rate")),
            Field("cohorts", ("identifier", "userCount", "retentionRate")),
            Sql("select identifier, user_count, retention_rate from {cohorts}"),
        ),
        {"websocket": OF_DEFINITIONS},
    ),
    *(
        Question(
            f"who comes back by {interval}",
            (
                Get("/api/cohorts/viewers/retention", RETENTION, {"interval": interval}),
                Post("/api/retention/query", RETENTION, {**COHORT, "interval": interval}),
                Field(f'cohortRetention(cohortId: "viewers", interval: "{interval}")', GQL_RETENTION),
                Sql(
                    f"select {', '.join(RETENTION)} from {{cohort_retention}} where interval_kind = '{interval}'"
                    " and mode = 'on' and recurrence = 'first_time'"
                ),
            ),
            {"websocket": OF_DEFINITIONS},
            app_id=app_id,
        )
        for interval, app_id in (("day", "berlin"), ("week", "york"))
    ),
    Question(
        "a funnel",
        (
            Get("/api/funnels/buy", STEP),
            Post("/api/funnels/query", STEP, FUNNEL),
            Field(GQL_FUNNEL + ")", GQL_STEP),
            Sql(f"select {SQL_STEP} from {{funnel_steps}} where funnel_name = 'buy'"),
        ),
        {"websocket": OF_DEFINITIONS},
    ),
    Question(
        "a funnel by system",
        (
            Get("/api/funnels/buy-by-system", ("breakdown_kind", "breakdown_value?", *STEP)),
            Post("/api/funnels/query", ("breakdown_kind", "breakdown_value?", *STEP), {**FUNNEL, "breakdown": "os"}),
            Field(GQL_FUNNEL + ', breakdown: "os")', ("breakdownKind", "breakdownValue?", *GQL_STEP)),
            Sql(
                "select breakdown_kind, case when breakdown_kind = 'value' then breakdown else '' end,"
                f" {SQL_STEP} from {{funnel_steps}} where funnel_name = 'buy by system'"
            ),
        ),
        {"websocket": OF_DEFINITIONS},
        app_id="berlin",
    ),
)
