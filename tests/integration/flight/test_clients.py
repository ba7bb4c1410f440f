"""Arrow Flight as its users meet it: ADBC's driver, certificates, the process, and the examples of the pages."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi
import adbc_driver_manager
import pyarrow as pa
import pytest
from adbc_driver_flightsql import DatabaseOptions
from pyarrow import flight

from eventmill.embedded import probes
from eventmill.settings import Settings
from query_service.flight.messages import pack, unpack
from query_service.flight.server import FlightTls
from tests.flight_service import (
    DAY,
    NO_TICKET,
    PAGES,
    Authority,
    Certified,
    FlightService,
    assert_nothing_runs,
    refusal,
    serving,
)
from tests.hostile_sql import ENDLESS
from tests.workers import free_ports

pytestmark = pytest.mark.integration


@pytest.fixture
def adbc(service: FlightService) -> Iterator[Any]:
    options = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {service.keys['read']}"}
    with adbc_driver_flightsql.dbapi.connect(service.url, db_kwargs=options, autocommit=True) as connection:
        yield connection


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
        until_it_listens(port)
        with running.client(**secured) as client:
            info = client.get_flight_info(flight.FlightDescriptor.for_command(ENDLESS[0]), running.options())
            client.do_get(info.endpoints[0].ticket, running.options())
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
    finally:
        process.kill()
    assert_nothing_runs(shop[0])


def until_it_listens(port: int) -> None:
    for _ in range(300):
        if probes.tcp("127.0.0.1", port):
            return
        time.sleep(0.1)
    raise AssertionError("it did not listen within 30 s")


ROOT = Path(__file__).resolve().parents[3]
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
    assert re.search(r"\b[2367]\b", result.stdout)
