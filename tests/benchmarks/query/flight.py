"""Rows per second of Flight, of our JSON, and of a Flight server that only has to send: interleaved, best of rounds."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
from pyarrow import flight

from tests.workers import free_ports

ROUNDS = 5


@dataclass(frozen=True)
class FlightRates:
    """Rows per second. `first` runs the statement in PostgreSQL, `again` may come from the kept result."""

    rows: int
    bytes_per_row: float
    first: float
    again: float
    memory: float
    json: float

    @property
    def of_json(self) -> float:
        """How many times as fast as JSON; both were asked before."""
        return self.again / self.json

    @property
    def first_of_json(self) -> float:
        """How many times as fast as JSON the first answer is, whose rows PostgreSQL has to make."""
        return self.first / self.json

    @property
    def of_memory(self) -> float:
        """Which part of a server's that only sends a repeated answer reaches."""
        return self.again / self.memory


def measure_flight(
    address: str, key: str, sql: Callable[[int], str], read_json: Callable[[], int], rounds: int = ROUNDS
) -> FlightRates:
    """Measure a running Flight server (`grpc://host:port`).

    `sql` makes the statement of a round; rounds differ in what changes no row, such as a literal, so that the first
    answer of each is not kept yet. `read_json` reads rows of the REST API and says how many.
    """
    options = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {key}".encode())])
    best = dict.fromkeys(("first", "again", "memory", "json"), 0.0)
    with flight.connect(address) as client:
        whole = _read(client, sql(-1), options)
        with _memory_server(whole) as memory:
            for number in range(rounds):
                calls = {
                    "first": lambda number=number: _read(client, sql(number), options).num_rows,
                    "again": lambda number=number: _read(client, sql(number), options).num_rows,
                    "memory": lambda: memory.do_get(flight.Ticket(b"")).read_all().num_rows,
                    "json": read_json,
                }
                for name, call in calls.items():
                    best[name] = max(best[name], _rate(call))
    return FlightRates(whole.num_rows, whole.nbytes / max(1, whole.num_rows), **best)


def json_reader(client: httpx.Client, path: str, parameters: dict[str, Any], pages: int = 5) -> Callable[[], int]:
    """Reads so many pages of an endpoint, one after the other's cursor, and decodes them."""

    def read() -> int:
        rows, cursor = 0, None
        for _ in range(pages):
            asked = parameters if cursor is None else parameters | {"cursor": cursor}
            body = client.get(path, params=asked).raise_for_status().json()
            rows += len(body["data"])
            cursor = body["meta"]["next_cursor"]
            if cursor is None:
                break
        return rows

    return read


def _read(client: flight.FlightClient, sql: str, options: flight.FlightCallOptions) -> pa.Table:
    info = client.get_flight_info(flight.FlightDescriptor.for_command(sql), options)
    return client.do_get(info.endpoints[0].ticket, options).read_all()


def _rate(call: Callable[[], int]) -> float:
    began = time.perf_counter()
    rows = call()
    return rows / (time.perf_counter() - began)


@contextmanager
def _memory_server(table: pa.Table) -> Iterator[flight.FlightClient]:
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "table.arrow"
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.baselines.memory_flight", str(file), str(port)]
        )
        try:
            with flight.connect(f"grpc://127.0.0.1:{port}") as client:
                client.wait_for_available(30)
                yield client
        finally:
            server.kill()
            server.wait()
