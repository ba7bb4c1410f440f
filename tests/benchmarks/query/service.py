"""The services that are measured, started as `eventmill up` starts them, and how questions reach them over HTTP."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import msgspec
import psutil

from eventmill.embedded.ports import is_free
from tests.benchmarks.ingest.room import VoidRunError
from tests.benchmarks.query.load_client import Asked, Told
from tests.benchmarks.query.site import QuerySite

QUESTION = "/api/v2/query"
WARM_UP_SECONDS = 0.3
_CACHE = re.compile(r'^eventmill_query_cache_total\{outcome="(\w+)"\} (\S+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Service:
    """A running query service and Flight server of a site."""

    at: QuerySite
    process: psutil.Process

    @property
    def port(self) -> int:
        """Of HTTP."""
        return self.at.settings.http_port

    @property
    def url(self) -> str:
        """Of HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def flight(self) -> str:
        """Of Flight."""
        return f"grpc://127.0.0.1:{self.at.settings.flight_port}"

    def request(self, app_id: str, path: str, asked: Mapping[str, Any] | None = None) -> str:
        """A whole HTTP request: a question where `asked` is one, else a GET."""
        head = f"Host: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.at.keys[app_id]}\r\n"
        if asked is None:
            return f"GET {path} HTTP/1.1\r\n{head}\r\n"
        body = json.dumps({"app_id": app_id, **asked}, separators=(",", ":"))
        return (
            f"POST {path} HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )

    def read(self, app_id: str, path: str, asked: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], bytes]:
        """One answer, decoded and as it came."""
        headers = {"Authorization": f"Bearer {self.at.keys[app_id]}", "Content-Type": "application/json"}
        body = None if asked is None else json.dumps({"app_id": app_id, **asked}).encode()
        request = urllib.request.Request(self.url + path, body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            content = answer.read()
        return json.loads(content), content

    def cache_outcomes(self) -> dict[str, int]:
        """How questions have been answered so far: hit, joined, miss."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=60) as answer:
            return {name: int(float(value)) for name, value in _CACHE.findall(answer.read().decode())}

    def load(
        self,
        requests: Sequence[str],
        clients: int,
        seconds: float,
        *,
        pause: float = 0,
        starts_with: str = "",
        port: int | None = None,
    ) -> "Answers":
        """What clients of a process of their own see, here or at `port`; every answer is a 200 and begins as told.

        Raises VoidRunError for one that is not.
        """
        asked = Asked(port or self.port, clients, WARM_UP_SECONDS, seconds, pause, list(requests), starts_with)
        command = [sys.executable, "-m", "tests.benchmarks.query.load_client"]
        run = subprocess.run(command, input=msgspec.json.encode(asked), capture_output=True, check=False)
        if run.returncode != 0:
            raise VoidRunError(f"the load failed: {run.stderr.decode()[-2000:]}")
        told = msgspec.json.decode(run.stdout, type=Told)
        if told.wrong or len(told.milliseconds) < 2:
            raise VoidRunError(f"{len(told.milliseconds)} answers; wrong ones: {told.wrong}")
        return Answers(told)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a load saw."""

    told: Told

    @property
    def p50(self) -> float:
        """Milliseconds."""
        return median(self.told.milliseconds)

    @property
    def p99(self) -> float:
        """Milliseconds."""
        return quantiles(self.told.milliseconds, n=100, method="inclusive")[98]

    @property
    def sent(self) -> int:
        """Requests, those of the warm-up too."""
        return self.told.sent

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.told.sent / self.told.seconds

    @property
    def own_percent(self) -> float:
        """What the load itself took of a core, in percent."""
        return 100 * self.told.cpu_seconds / self.told.seconds


@contextmanager
def serving(at: QuerySite) -> Iterator[Service]:
    """Both services, ready."""
    ready, port = f"http://127.0.0.1:{at.settings.http_port}/health/ready", at.settings.flight_port
    query = at.site.process("query", (sys.executable, "-m", "query_service"), lambda: _answers(ready))
    flight = at.site.process(
        "flight", (sys.executable, "-m", "query_service.flight"), lambda: not is_free("127.0.0.1", port)
    )
    try:
        query.start(180)
        flight.start(60)
        assert query.process is not None
        yield Service(at, psutil.Process(query.process.pid))
    finally:
        flight.stop()
        query.stop()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
