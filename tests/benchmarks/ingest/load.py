"""Load on a gateway: wrk where it is installed, our own client where it is not."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.ingest.events import tails
from tests.benchmarks.ingest.room import Site, VoidRunError

CONNECTIONS = 64
TAILS = 2_000
LUA = Path(__file__).with_name("load.lua")
ADVICE = "wrk is not installed: our own, slower client makes the load (Debian, Ubuntu: apt install wrk)"


@dataclass(frozen=True, slots=True)
class Load:
    """Answered requests of one run: how many, in how many seconds, their latency, and the numbers of the requests.

    `cpu_seconds` is the gateway's processor time, which other programs on the machine change least.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    numbers: list[int]
    cpu_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def tool() -> str:
    """Version of what makes the load."""
    if shutil.which("wrk") is None:
        return "own client (uvloop)"
    output = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    return " ".join(output.split()[:2])


def put_load(site: Site, run: str, events_per_request: int, seconds: float, connections: int = CONNECTIONS) -> Load:
    """Send requests on keep-alive connections for so many seconds, each with event ids of its own.

    The ids are `<run>-<number of the request>-<number in it>`, as `request_ids` says. Raises VoidRunError where any
    answer is not a 200 that accepts every event, or a connection breaks.
    """
    home, port = site.settings.home, site.settings.ingest_port
    tails_file, head_file, ledger = home / "tails", home / "head", home / f"ledger-{run}"
    if not tails_file.exists():
        tails_file.write_bytes(b"\n".join(tails(datetime.now(UTC), TAILS)))
        head_file.write_text(_head(site.write_key, port, events_per_request), newline="")
    inputs = [run, str(events_per_request), str(tails_file), str(ledger), str(head_file)]
    if shutil.which("wrk"):
        options = ["-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(LUA)]
        command = ["wrk", *options, f"http://127.0.0.1:{port}/v1/events", "--", *inputs]
    else:
        client = [sys.executable, "-m", "tests.benchmarks.ingest.load_client"]
        command = [*client, str(port), str(connections), str(seconds), *inputs]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
    return _load(result, ledger)


def _load(result: subprocess.CompletedProcess[str], ledger: Path) -> Load:
    if result.returncode != 0:
        raise VoidRunError(f"the load failed:\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    answer = json.loads(result.stdout.strip().splitlines()[-1])
    numbers = [int(line, 16) for line in ledger.read_text(encoding="ascii").split()]
    if answer["bad"] or answer["broken"] or len(numbers) != answer["good"] or not numbers:
        raise VoidRunError(f"not every request was answered with 200: {answer}, {len(numbers)} in the ledger")
    return Load(answer["good"], answer["seconds"], answer["p50_ms"], answer["p99_ms"], numbers)


def request_ids(run: str, number: int, events_per_request: int) -> list[str]:
    """Event ids of one request."""
    return [f"{run}-{number:08x}-{index:04x}" for index in range(events_per_request)]


def _head(write_key: str, port: int, events_per_request: int) -> str:
    media_type = "application/json" if events_per_request == 1 else "application/x-ndjson"
    lines = [
        "POST /v1/events HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Authorization: Bearer {write_key}",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        f"Content-Type: {media_type}",
        "",
    ]
    return "\r\n".join(lines)
