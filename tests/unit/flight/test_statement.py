"""Which SQL is let through, how it is written anew, and which rule refuses the rest."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query_service.flight.refusals import Refused
from query_service.flight.rules import Views
from query_service.flight.statement import check
from tests.hostile_sql import ENDLESS, REFUSED

PAGES = ("page_url", "date", "view_count", "unique_visitors", "bounce_rate", "avg_session_duration", "app_id")
VIEWS: Views = {"va_pageview_aggregate": PAGES, "va_daily_stats": ("app_id", "date", "event_type", "event_count")}
VIEW = "va_pageview_aggregate"
READS = 'FROM "flight"."va_pageview_aggregate"'


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("select * from va_pageview_aggregate", f"SELECT * {READS}"),
        ("table va_pageview_aggregate", f"SELECT * {READS}"),
        ("SELECT Page_URL AS p FROM VA_Pageview_Aggregate -- mine", f'SELECT "page_url" AS "p" {READS}'),
        ("select v.date from flight.va_pageview_aggregate v", f'SELECT "v"."date" {READS} AS "v"'),
        ("select 1 as one from eventmill.flight.va_pageview_aggregate;", f'SELECT 1 AS "one" {READS}'),
        ("select page_url from va_pageview_aggregate where date >= current_date - interval '7 days'", None),
        ("select date_trunc('month', date)::date as month, count(*) from va_pageview_aggregate group by 1", None),
        ("select sum(view_count) filter (where view_count > 3) from va_pageview_aggregate having count(*) > 1", None),
        ("select avg(view_count) over (partition by page_url order by date) from va_pageview_aggregate", None),
        ("select avg(view_count) over w from va_pageview_aggregate window w as (order by date)", None),
        ("select sum(view_count) over (order by date rows between 6 preceding and current row) from " + VIEW, None),
        (
            "with p as (select date from va_pageview_aggregate) select p.date from p join va_daily_stats using (date)",
            None,
        ),
        ("select date from va_daily_stats union all select date from va_pageview_aggregate order by 1 limit 3", None),
        ("select date from va_daily_stats except select date from va_pageview_aggregate", None),
        ("select (select max(date) from va_daily_stats) as last, exists (select 1 from va_daily_stats)", None),
        ("select distinct on (date) date, page_url from va_pageview_aggregate order by date, view_count desc", None),
        ("select percentile_cont(0.5) within group (order by view_count) from va_pageview_aggregate", None),
        ("select case when bounce_rate is null then 'none' else 'some' end from va_pageview_aggregate", None),
        ("select round(avg_session_duration::numeric, 1), extract(dow from date) from va_pageview_aggregate", None),
        ("select to_char(date, 'YYYY-MM'), lower(page_url) || '?' from va_pageview_aggregate", None),
        ("select page_url from va_pageview_aggregate where page_url ilike '%cart%' or page_url ~ '^/x'", None),
        ("select date, app_id, sum(event_count) from va_daily_stats group by rollup (date, app_id)", None),
        ("select a.date from va_daily_stats a left join va_daily_stats b on a.date = b.date - 7", None),
    ],
)
def test_ordinary_sql_is_written_anew_for_postgresql(asked: str, written: str | None) -> None:
    statement = check(asked, VIEWS)
    assert written is None or statement.sql == written
    assert check(statement.sql, VIEWS).sql == statement.sql


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("from va_pageview_aggregate", f"SELECT * {READS}"),
        ("select strftime(date, '%Y-%m') as m from va_pageview_aggregate", "TO_CHAR(\"date\", 'YYYY-MM')"),
        ("select median(view_count) from va_pageview_aggregate", "PERCENTILE_CONT(0.5) WITHIN GROUP"),
        (
            "select page_url from va_pageview_aggregate qualify row_number() over (order by view_count desc) <= 3",
            'WHERE "_w" <= 3',
        ),
        ("select date_diff('day', date, current_date) from va_pageview_aggregate", 'CAST("date" AS DATE)'),
    ],
)
def test_duckdbs_words_are_understood_where_postgresql_has_none(asked: str, written: str) -> None:
    assert written in check(asked, VIEWS).sql


@pytest.mark.parametrize(("sql", "rule"), REFUSED)
def test_hostile_sql_is_refused_by_a_rule_that_is_named(sql: str, rule: str) -> None:
    with pytest.raises(Refused) as refused:
        check(sql, VIEWS)
    assert re.search(rule, str(refused.value)), str(refused.value)


@pytest.mark.parametrize("sql", ENDLESS)
def test_an_endless_query_is_for_the_limits_not_for_the_words(sql: str) -> None:
    assert check(sql, VIEWS).relations == {"va_daily_stats"}


@given(st.text(max_size=40))
def test_a_text_stays_a_text(text: str) -> None:
    """Whatever a literal or an alias holds ends up quoted, or the statement is refused."""
    quoted, alias = text.replace("'", "''"), text.replace('"', '""')
    try:
        sql = check(f"select '{quoted}' as \"{alias}\" from va_daily_stats where event_type = $1", VIEWS, [text]).sql
    except Refused:
        return
    assert sql == (f'SELECT \'{quoted}\' AS "{alias}" FROM "flight"."va_daily_stats" WHERE "event_type" = \'{quoted}\'')


def test_values_take_the_places_of_parameters() -> None:
    asked = "select ? as a from va_daily_stats where date >= ? and event_count > ? and event_type = ? or ? or ? is null"
    assert check(asked, VIEWS).parameters == 6
    sql = check(asked, VIEWS, ["it's", date(2026, 3, 7), -4, "?", True, None]).sql
    assert sql.endswith(
        'WHERE "date" >= \'2026-03-07\' AND "event_count" > (-4) AND "event_type" = \'?\' OR TRUE OR NULL IS NULL'
    )
    assert sql.startswith("SELECT 'it''s' AS \"a\"")


@pytest.mark.parametrize("values", [[], [1, 2], [object()], [float("nan")], [b"x"]])
def test_values_that_do_not_fit_are_refused(values: list[object]) -> None:
    with pytest.raises(Refused, match="parameter"):
        check("select event_type from va_daily_stats where event_count = ?", VIEWS, values)


def test_a_statement_tells_whether_its_answer_moves_with_the_clock() -> None:
    assert check("select date from va_daily_stats where date > '2026-01-01'", VIEWS).is_timeless
    for clock in ("now()", "current_date", "current_timestamp", "localtimestamp"):
        assert not check(f"select date from va_daily_stats where date > {clock}", VIEWS).is_timeless
