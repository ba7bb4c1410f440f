"""A Flight server in this process, over the three days of a shop, and certificates for it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pyarrow as pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pyarrow import flight

from eventmill.settings import Settings
from query_service.flight.identity import Identity
from query_service.flight.limits import Limits
from query_service.flight.queries import FlightQueries
from query_service.flight.server import FlightServer, FlightTls

LOOPBACK = "127.0.0.1"


PAGES = (
    "SELECT page_url, date, view_count, unique_visitors, bounce_rate, avg_session_duration"
    " FROM va_pageview_aggregate WHERE date >= '2026-03-07' ORDER BY date, view_count DESC"
)
DAY = "select app_id, sum(event_count) as events from va_daily_stats group by app_id order by app_id"
NO_TICKET = "There is no such ticket"


@dataclass(frozen=True)
class FlightService:
    """A running server and keys for it, by name."""

    url: str
    keys: dict[str, str]
    queries: FlightQueries

    def options(self, key: str | None = "read", seconds: float = 60) -> flight.FlightCallOptions:
        """The call options of a key, by name or itself, with the client's own time limit."""
        headers = [] if key is None else [(b"authorization", f"Bearer {self.keys.get(key, key)}".encode())]
        return flight.FlightCallOptions(headers=headers, timeout=seconds)

    @contextmanager
    def client(self, **secured: Any) -> Iterator[flight.FlightClient]:
        """A client of pyarrow."""
        with flight.connect(self.url, **secured) as client:
            yield client

    def info(self, sql: str, key: str | None = "read") -> flight.FlightInfo:
        """Schema and ticket."""
        with self.client() as client:
            return client.get_flight_info(flight.FlightDescriptor.for_command(sql), self.options(key))

    def redeem(self, ticket: bytes, key: str | None = "read") -> pa.Table:
        """The rows of a ticket."""
        with self.client() as client:
            return client.do_get(flight.Ticket(ticket), self.options(key)).read_all()

    def ask(self, sql: str, key: str | None = "read") -> pa.Table:
        """The rows of a statement."""
        return self.redeem(self.info(sql, key).endpoints[0].ticket.ticket, key)

    def rows(self, sql: str, key: str | None = "read") -> list[tuple[Any, ...]]:
        """The rows of a statement, as tuples."""
        return [tuple(row.values()) for row in self.ask(sql, key).to_pylist()]


@contextmanager
def serving(
    settings: Settings, keys: dict[str, str], limits: Limits | None = None, tls: FlightTls | None = None
) -> Iterator[FlightService]:
    """A server on a free port."""
    limits = limits or Limits()
    identity, queries = Identity(settings), FlightQueries(settings, limits)
    server = FlightServer(LOOPBACK, 0, queries, identity, limits, tls)
    scheme = "grpc" if tls is None else "grpc+tls"
    try:
        yield FlightService(f"{scheme}://{LOOPBACK}:{server.port}", keys, queries)
    finally:
        queries.stop()
        server.shutdown()
        identity.stop()


@dataclass(frozen=True)
class Certified:
    """PEM texts of a certificate and its key."""

    certificate: bytes
    key: bytes


class Authority:
    """Signs certificates of servers and clients."""

    def __init__(self, name: str) -> None:
        self._name, self._key = name, ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(name, self._key, is_authority=True)

    def issue(self, name: str) -> Certified:
        """A certificate for 127.0.0.1 of that name."""
        key = ec.generate_private_key(ec.SECP256R1())
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, form, plain)
        return Certified(self._sign(name, key, is_authority=False), pem)

    def _sign(self, name: str, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> bytes:
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def refusal(call: Callable[[], Any], kind: type[Exception] = flight.FlightServerError) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    return str(caught.value)


def assert_nothing_runs(rollups: Any) -> None:
    query = "select count(*) from pg_stat_activity where usename like 'eventmill_flight%' and state = 'active'"
    for _ in range(100):
        if rollups.tuples(query) == [(0,)]:
            return
        time.sleep(0.05)
    raise AssertionError(f"still running: {rollups.tuples(query)}")
