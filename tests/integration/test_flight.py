"""Arrow Flight and Flight SQL as their users meet them: tickets, tenants, limits, drivers, certificates."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi
import adbc_driver_manager
import psycopg
import pyarrow as pa
import pytest
from adbc_driver_flightsql import DatabaseOptions
from pyarrow import flight

from eventmill.control import flight_access
from eventmill.control.credentials import issue_key
from eventmill.settings import Settings
from query_service.flight.limits import Limits
from query_service.flight.messages import pack, unpack
from query_service.flight.server import FlightTls
from query_service.flight.tickets import TicketOffice
from query_service.reader import Reader
from tests.flight_service import Authority, Certified, FlightService, serving
from tests.hostile_sql import ENDLESS, REFUSED
from tests.shop_service import fill, make_apps
from tests.workers import free_ports

pytestmark = pytest.mark.integration

PAGES = (
    "SELECT page_url, date, view_count, unique_visitors, bounce_rate, avg_session_duration"
    " FROM va_pageview_aggregate WHERE date >= '2026-03-07' ORDER BY date, view_count DESC"
)
DAY = "select app_id, sum(event_count) as events from va_daily_stats group by app_id order by app_id"
NO_TICKET = "There is no such ticket"


@pytest.fixture(scope="module")
def shop(module_rollups: Any) -> tuple[Any, dict[str, str]]:
    """A database with the shop's numbers, and keys."""
    keys = make_apps(module_rollups.address)
    fill(module_rollups)
    module_rollups.metric("all", "event_type", "secret", app_id="rival", events=1000, local_date=date(2026, 3, 7))
    with psycopg.connect(module_rollups.address) as connection:
        flight_access.prepare(connection)
        past = datetime(2026, 1, 1, tzinfo=UTC)
        keys["expired"] = issue_key(connection, "default", "read", ["shop"], expires_at=past)
    return module_rollups, keys


@pytest.fixture(scope="module")
def settings_of_shop(shop: tuple[Any, dict[str, str]], new_directory: Callable[[], Path]) -> Settings:
    return Settings(home=new_directory(), database_url=shop[0].address)


@pytest.fixture(scope="module")
def service(shop: tuple[Any, dict[str, str]], settings_of_shop: Settings) -> Iterator[FlightService]:
    with serving(settings_of_shop, shop[1]) as running:
        yield running


@pytest.fixture(scope="module")
def strict(shop: tuple[Any, dict[str, str]], settings_of_shop: Settings) -> Iterator[FlightService]:
    """A server with limits that a test can reach."""
    with serving(settings_of_shop, shop[1], Limits(seconds=0.3, rows=3, bytes=200)) as running:
        yield running


@pytest.fixture
def adbc(service: FlightService) -> Iterator[Any]:
    options = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {service.keys['read']}"}
    with adbc_driver_flightsql.dbapi.connect(service.url, db_kwargs=options, autocommit=True) as connection:
        yield connection


def refusal(call: Callable[[], Any], kind: type[Exception] = flight.FlightServerError) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    return str(caught.value)


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
    probe = "select count(*) from va_daily_stats where case when event_type = 'secret' then 1 / 0 = 1 else true end"
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
    shop[0].execute(
        "insert into rollups.revenue (app_id, period_start, local_date, utc_offset_minutes, dimension, value_kind,"
        " value, currency, events, revenue, computed_at) values ('shop', '2026-03-07 05:00+00', '2026-03-07', -300,"
        " 'total', 'total', '', 'EUR', 2, 12345678901234567890.123456, now())"
    )
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


def assert_nothing_runs(rollups: Any) -> None:
    query = "select count(*) from pg_stat_activity where usename like 'eventmill_flight%' and state = 'active'"
    for _ in range(100):
        if rollups.tuples(query) == [(0,)]:
            return
        time.sleep(0.05)
    raise AssertionError(f"still running: {rollups.tuples(query)}")


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


def test_adbc_executes_and_tells_what_there_is(adbc: Any) -> None:
    with adbc.cursor() as cursor:
        cursor.execute(DAY)
        assert cursor.fetchall() == [("shop", 13.0)]
        assert cursor.fetch_arrow_table is not None
        cursor.execute(PAGES)
        assert cursor.fetch_arrow_table().num_rows == 4
        schema = cursor.adbc_execute_schema(DAY)
    assert schema == pa.schema([("app_id", pa.string()), ("events", pa.float64())])
    assert adbc.adbc_get_table_types() == ["VIEW"]
    assert adbc.adbc_get_info()["vendor_name"] == "eventmill"
    assert "view_count" in adbc.adbc_get_table_schema("va_pageview_aggregate").names
    [catalog] = adbc.adbc_get_objects(depth="columns", table_name_filter="va_page%").read_all().to_pylist()
    [schema] = catalog["catalog_db_schemas"]
    assert (catalog["catalog_name"], schema["db_schema_name"]) == ("eventmill", "flight")
    found = {table["table_name"]: table for table in schema["db_schema_tables"]}
    assert set(found) == {"va_page_daily", "va_pageview_aggregate"}
    columns = [column["column_name"] for column in found["va_pageview_aggregate"]["table_columns"]]
    assert columns[:3] == ["page_url", "date", "view_count"]
    assert adbc.adbc_get_objects(depth="tables", catalog_filter="other").read_all().num_rows == 0


def test_adbc_prepares_statements_and_binds_values(adbc: Any) -> None:
    asked = "select page_url, view_count from va_pageview_aggregate where page_url = ? and date = ? and view_count > ?"
    with adbc.cursor() as cursor:
        schema = cursor.adbc_prepare(asked)
        assert [field.type for field in schema] == [pa.string(), pa.date32(), pa.int64()]
        cursor.execute(asked, ("/cart", date(2026, 3, 8), 1))
        assert cursor.fetchall() == [("/cart", 2)]
        cursor.execute(asked, ("' or true --", date(2026, 3, 8), 1))
        assert cursor.fetchall() == []


def test_adbc_says_why_a_statement_is_refused(adbc: Any) -> None:
    with adbc.cursor() as cursor:
        for statement in ("select pg_sleep(1)", "delete from va_daily_stats"):
            with pytest.raises(adbc_driver_manager.Error, match=r"not allowed|Only SELECT"):
                cursor.execute(statement)
        with pytest.raises(adbc_driver_manager.Error, match="read only"):
            cursor.adbc_ingest("va_daily_stats", pa.table({"a": [1]}), mode="append")


def test_adbc_prepares_for_itself_alone(service: FlightService, adbc: Any) -> None:
    with service.client() as client:
        request = pack("ActionCreatePreparedStatementRequest", query=DAY)
        [result] = client.do_action(flight.Action("CreatePreparedStatement", request), service.options("rival"))
        _, made = unpack(result.body.to_pybytes())
        command = pack("CommandPreparedStatementQuery", prepared_statement_handle=made.prepared_statement_handle)
        descriptor = flight.FlightDescriptor.for_command(command)
        assert client.get_flight_info(descriptor, service.options("rival")).schema.names == ["app_id", "events"]
        assert NO_TICKET in refusal(lambda: client.get_flight_info(descriptor, service.options("read")))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("ours")


@pytest.fixture(scope="module")
def mutual(
    shop: tuple[Any, dict[str, str]], settings_of_shop: Settings, authority: Authority
) -> Iterator[FlightService]:
    """A server that asks its clients for a certificate."""
    server = authority.issue("server")
    with serving(
        settings_of_shop, shop[1], tls=FlightTls(server.certificate, server.key, authority.certificate)
    ) as one:
        yield one


def identified(certified: Certified) -> dict[str, bytes]:
    return {"cert_chain": certified.certificate, "private_key": certified.key}


def test_a_certificate_of_the_named_authority_lets_a_client_in(mutual: FlightService, authority: Authority) -> None:
    trusted = {"tls_root_certs": authority.certificate}
    descriptor = flight.FlightDescriptor.for_command(DAY)
    with mutual.client(**trusted, **identified(authority.issue("client"))) as client:
        assert client.get_flight_info(descriptor, mutual.options()).schema.names == ["app_id", "events"]
        # A certificate opens the connection; who reads is still the key's to say.
        refusal(lambda: client.get_flight_info(descriptor, mutual.options(None)), flight.FlightUnauthenticatedError)
    foreign = identified(Authority("ours").issue("client"))
    for certificate in ({}, foreign):
        with mutual.client(**trusted, **certificate) as client:
            refusal(
                lambda client=client: client.get_flight_info(descriptor, mutual.options()),
                flight.FlightUnavailableError,
            )


def test_a_client_does_not_trust_a_server_that_is_not_ours(mutual: FlightService, authority: Authority) -> None:
    with mutual.client(
        tls_root_certs=Authority("other").certificate, **identified(authority.issue("client"))
    ) as client:
        descriptor = flight.FlightDescriptor.for_command(DAY)
        refusal(lambda: client.get_flight_info(descriptor, mutual.options()), flight.FlightUnavailableError)


def test_the_process_serves_tls_by_its_settings_and_ends_when_told(
    shop: tuple[Any, dict[str, str]], new_directory: Callable[[], Path], authority: Authority
) -> None:
    home, server = new_directory(), authority.issue("server")
    (port,) = free_ports(1)
    for name, content in {"cert": server.certificate, "key": server.key, "ca": authority.certificate}.items():
        (home / f"{name}.pem").write_bytes(content)
    variables = {"HOME": home, "DATABASE_URL": shop[0].address, "FLIGHT_PORT": port}
    variables |= {"TLS_CERT": home / "cert.pem", "TLS_KEY": home / "key.pem", "TLS_CLIENT_CA": home / "ca.pem"}
    environment = os.environ | {f"EVENTMILL_{name}": str(value) for name, value in variables.items()}
    process = subprocess.Popen([sys.executable, "-m", "query_service.flight"], env=environment)
    secured = {"tls_root_certs": authority.certificate, **identified(authority.issue("client"))}
    running = FlightService(f"grpc+tls://127.0.0.1:{port}", shop[1], None)
    try:
        with running.client(**secured) as client:
            client.wait_for_available(30)
            info = client.get_flight_info(flight.FlightDescriptor.for_command(ENDLESS[0]), running.options())
            client.do_get(info.endpoints[0].ticket, running.options())
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
    finally:
        process.kill()
    assert_nothing_runs(shop[0])


ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "flight.md").read_text(encoding="utf-8")
README = (
    (ROOT / "README.md").read_text(encoding="utf-8").partition("### Read the numbers as Arrow")[2].partition("\n## ")[0]
)
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE + README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("program", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_python_example_prints_numbers(service: FlightService, program: str) -> None:
    """Those of docs/flight.md and of the README, as they stand but for the address."""
    keys = {"EVENTMILL_KEY": service.keys["read"], "READ_KEY": service.keys["read"]}
    code = program.replace("grpc://localhost:8815", service.url)
    result = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | keys, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r"\b[36]\b", result.stdout)
