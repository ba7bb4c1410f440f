"""SQL over Arrow Flight: schemas, tickets, tenants, hostile statements, limits, and what is kept."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from pyarrow import flight

from eventmill.control import flight_access
from eventmill.settings import Settings
from query_service.flight.limits import Limits
from query_service.flight.tickets import TicketOffice
from query_service.reader import Reader
from tests.flight_service import DAY, NO_TICKET, PAGES, FlightService, assert_nothing_runs, refusal, serving
from tests.hostile_sql import ENDLESS, REFUSED

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def strict(shop: tuple[Any, dict[str, str]], settings_of_shop: Settings) -> Iterator[FlightService]:
    """A server with limits that a test can reach."""
    with serving(settings_of_shop, shop[1], Limits(seconds=0.3, rows=3, bytes=200)) as running:
        yield running


def test_rows_come_with_the_schema_that_was_told_before(service: FlightService) -> None:
    info = service.info(PAGES)
    assert info.schema == pa.schema(
        [
            ("page_url", pa.string()),
            ("date", pa.date32()),
            ("view_count", pa.int64()),
            ("unique_visitors", pa.int64()),
            ("bounce_rate", pa.float64()),
            ("avg_session_duration", pa.float64()),
        ]
    )
    table = service.redeem(info.endpoints[0].ticket.ticket)
    assert table.schema == info.schema
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert rows == [
        ("/", date(2026, 3, 7), 3, 2, 33.33, 15.0),
        ("/cart", date(2026, 3, 7), 2, 2, None, None),
        ("/", date(2026, 3, 8), 3, 2, 33.33, 15.0),
        ("/cart", date(2026, 3, 8), 2, 2, None, None),
    ]


def test_numbers_are_those_of_the_marts(service: FlightService, shop: tuple[Any, dict[str, str]]) -> None:
    marts = shop[0].tuples("select relname from pg_class where relnamespace = 'marts'::regnamespace and relkind = 'v'")
    assert set(service.queries.views()) == {f"va_{name}" for (name,) in marts} | {"va_pageview_aggregate"}
    for (name,) in marts:
        columns = [field.name for field in service.info(f"select * from va_{name}").schema]
        expected = shop[0].tuples(
            f"select attname from pg_attribute where attrelid = 'marts.{name}'::regclass and attnum > 0"
        )
        assert columns == [column for (column,) in expected]
    asked = "select event_type, event_count, computed_at from {} where app_id = 'shop' order by 1, date"
    assert service.rows(asked.format("va_daily_stats")) == shop[0].tuples(asked.format("marts.daily_stats"))


def test_a_credential_sees_the_rows_of_its_apps_alone(service: FlightService) -> None:
    assert service.rows(DAY) == [("shop", 13.0)]
    assert service.rows(DAY, "rival") == [("rival", 1000.0)]
    assert service.rows(DAY, "both") == [("shop", 13.0)]
    assert service.rows(DAY, "blog") == []
    assert service.rows("select count(*) from va_daily_stats where app_id = 'rival' or true") == [(4,)]
    assert service.rows("select distinct app_id from va_daily_stats where event_type::text <> 'x'") == [("shop",)]


def test_a_function_that_fails_on_other_tenants_rows_never_meets_them(service: FlightService) -> None:
    probe = "select count(*) from va_daily_stats where 1 / (1000 - event_count) < 9"
    assert service.rows(probe) == [(4,)]
    assert "division by zero" in refusal(lambda: service.ask(probe, "rival"))


@pytest.mark.parametrize("key", [None, "em_r_aaaaaaaa_" + "x" * 43, "expired", "", "write-"])
def test_nobody_gets_in_without_a_good_key(service: FlightService, key: str | None) -> None:
    text = refusal(lambda: service.info(PAGES, key), flight.FlightUnauthenticatedError)
    assert "key" in text
    refusal(lambda: service.redeem(b"em1:", key), flight.FlightUnauthenticatedError)


def test_a_write_key_cannot_read(service: FlightService) -> None:
    assert "write key" in refusal(lambda: service.info(PAGES, "write"), flight.FlightUnauthorizedError)


def test_a_key_may_come_as_the_password_of_any_user(service: FlightService) -> None:
    with service.client() as client:
        header = client.authenticate_basic_token("anyone", service.keys["read"])
        options = flight.FlightCallOptions(headers=[header])
        info = client.get_flight_info(flight.FlightDescriptor.for_command(DAY), options)
        assert client.do_get(info.endpoints[0].ticket, options).read_all().num_rows == 1
        with pytest.raises(flight.FlightUnauthenticatedError):
            client.authenticate_basic_token("anyone", "wrong")


def test_tickets_of_others_and_bad_tickets_are_all_missing(
    service: FlightService, shop: tuple[Any, dict[str, str]]
) -> None:
    ticket = service.info(PAGES).endpoints[0].ticket.ticket
    with psycopg.connect(shop[0].address) as connection:
        office = TicketOffice(flight_access.read(connection).key("tickets"))
    reader = Reader(("shop",), "read", may_see_people=False, subject=f"key:{service.keys['read'].split('_')[2]}")
    assert service.redeem(office.issue("ticket", PAGES, reader, 60)).num_rows == 4
    expired = office.issue("ticket", PAGES, reader, -1)
    tampered = ticket[:-3] + bytes([ticket[-3] ^ 1]) + ticket[-2:]
    answers = {
        refusal(lambda: service.redeem(ticket, "rival")),
        refusal(lambda: service.redeem(ticket, "both")),
        refusal(lambda: service.redeem(expired)),
        refusal(lambda: service.redeem(tampered)),
        refusal(lambda: service.redeem(b"select 1")),
        refusal(lambda: service.redeem(b"")),
    }
    [answer] = {re.sub(r" gRPC client debug.*", "", text) for text in answers}
    assert answer.startswith(NO_TICKET)


def test_hostile_sql_is_refused_with_its_rule_and_nothing_about_us(service: FlightService) -> None:
    for sql, rule in REFUSED:
        text = refusal(lambda sql=sql: service.info(sql))
        assert re.search(rule, text), (sql, text)
        assert "Traceback" not in text
        assert "query_service" not in text


def test_what_postgresql_refuses_is_said_in_its_words(service: FlightService) -> None:
    assert "operator does not exist" in refusal(lambda: service.info("select date + page_url from va_page_daily"))
    assert "division by zero" in refusal(lambda: service.ask("select view_count / 0 from va_page_daily"))
    assert "cast it to text" in refusal(lambda: service.info("select v from va_page_daily as v"))


def test_every_type_arrives_as_its_own(service: FlightService, shop: tuple[Any, dict[str, str]]) -> None:
    day = {"grain": "day", "period_start": datetime(2026, 3, 7, 5, tzinfo=UTC), "local_date": date(2026, 3, 7)}
    cut = {"traffic": "human", "dimension": "total", "value_kind": "total", "value": "", "utc_offset_minutes": -300}
    earned = {"currency": "EUR", "events": 2, "revenue": Decimal("12345678901234567890.123456")}
    shop[0].insert("rollups.revenue", {"app_id": "shop", "computed_at": day["period_start"]} | day | cut | earned)
    asked = (
        "select revenue, revenue::double precision as rough, date, computed_at, true as yes, null as nothing,"
        " interval '1 day' as span, time '12:30' as noon, 1::smallint as small, 'ü' as text,"
        " avg(events) over () as mean from va_revenue where date = '2026-03-07'"
    )
    table = service.ask(asked)
    assert [str(field.type) for field in table.schema] == [
        *("decimal128(38, 6)", "double", "date32[day]", "timestamp[us, tz=UTC]", "bool", "string"),
        *("month_day_nano_interval", "time64[us]", "int16", "string", "double"),
    ]
    row = table.to_pylist()[0]
    assert row["revenue"] == Decimal("12345678901234567890.123456")
    assert (row["yes"], row["nothing"], row["small"], row["text"], row["mean"]) == (True, None, 1, "ü", 2.0)


@pytest.mark.parametrize("sql", ENDLESS)
def test_an_endless_query_is_cut_off_and_gone(
    strict: FlightService, shop: tuple[Any, dict[str, str]], sql: str
) -> None:
    assert "may take 0.3 s" in refusal(lambda: strict.ask(sql), flight.FlightTimedOutError)
    assert_nothing_runs(shop[0])


def test_a_result_that_is_too_large_is_cut_off_and_never_passed_off_as_whole(strict: FlightService) -> None:
    rows = "select date from va_daily_stats union all select date from va_page_daily"
    assert "at most 3 rows" in refusal(lambda: strict.ask(rows), flight.FlightTimedOutError)
    wide = f"select '{'x' * 300}' as wide from va_daily_stats limit 1"
    assert "at most 200 bytes" in refusal(lambda: strict.ask(wide), flight.FlightTimedOutError)


def test_a_query_ends_when_its_client_leaves(service: FlightService, shop: tuple[Any, dict[str, str]]) -> None:
    endless = service.info(ENDLESS[0]).endpoints[0].ticket
    impatient = service.options(seconds=0.3)
    with service.client() as client:
        refusal(lambda: client.do_get(endless, impatient).read_all(), flight.FlightTimedOutError)
    assert_nothing_runs(shop[0])


def test_a_kept_result_is_gone_with_the_commit_that_changes_it(
    service: FlightService, shop: tuple[Any, dict[str, str]]
) -> None:
    asked = "select event_type, event_count from va_daily_stats where date = '2026-11-01'"
    reader = Reader(("shop",), "read", may_see_people=False, subject="key:x")

    def is_kept() -> bool:
        return isinstance(service.queries.run(service.queries.describe(asked), reader, lambda: False), pa.Table)

    assert service.rows(asked) == []
    assert is_kept()
    shop[0].metric("all", "event_type", "click", events=5)
    assert not is_kept()
    assert service.rows(asked) == [("click", 5)]
    shop[0].execute("update rollups.metric set events = 6 where value = 'click'")
    assert service.rows(asked) == [("click", 6)]
    shop[0].execute("insert into control.org (org_id) values ('new')")
    assert is_kept()
    shop[0].execute("delete from rollups.metric where value = 'click'")
    assert service.rows(asked) == []


def test_preparing_again_changes_nothing_and_every_table_below_the_views_tells_its_changes(
    shop: tuple[Any, dict[str, str]],
) -> None:
    with psycopg.connect(shop[0].address) as owner:
        before = flight_access.read(owner)
        flight_access.prepare(owner)
        assert flight_access.read(owner) == before
        told = flight_access.sources(owner)
    assert all(is_told for _, _, is_told in told)
    assert {("va_daily_stats", "rollups.metric"), ("va_cohorts", "control.cohort")} <= {row[:2] for row in told}


def test_the_role_reads_the_views_of_proven_apps_and_nothing_else(shop: tuple[Any, dict[str, str]]) -> None:
    with psycopg.connect(shop[0].address) as owner:
        access = flight_access.read(owner)
    with psycopg.connect(shop[0].address, user=access.role, password=access.password, autocommit=True) as role:
        count = "select count(*) from flight.va_daily_stats"
        assert role.execute(count).fetchone() == (0,)
        for forged in ("rival", "rival:", "rival:" + "0" * 64, "rival:" + access.setting(["shop"]).partition(":")[2]):
            role.execute("select set_config('eventmill.apps', %s, false)", [forged])
            assert role.execute(count).fetchone() == (0,)
        role.execute("select set_config('eventmill.apps', %s, false)", [access.setting(["shop"])])
        assert role.execute(count).fetchone() == (4,)
        tables = role.execute(
            "select quote_ident(nspname) || '.' || quote_ident(relname) from pg_class inner join pg_namespace as schema"
            " on relnamespace = schema.oid where relkind in ('r', 'v', 'm', 'p')"
            " and nspname not in ('flight', 'pg_catalog', 'information_schema', 'pg_toast')"
        ).fetchall()
        assert len(tables) > 40
        statements = [f"select from {name}" for (name,) in tables]
        statements += ["set role bi_reader", "set session authorization eventmill", "create schema mine"]
        statements += ["create table flight.mine ()", "create table public.mine ()", "select control.visible_apps()"]
        statements += ["select control.flight_apps()", "select pg_read_file('/etc/passwd')"]
        statements += ["copy (select 1) to program 'id'", "alter role current_user superuser"]
        assert [statement for statement in statements if not _is_denied(role, statement)] == []


def _is_denied(role: psycopg.Connection, statement: str) -> bool:
    try:
        role.execute(statement)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedObject):
        return True
    return False
