"""A question over HTTP, vs the same statement through asyncpg: what the way through the service costs."""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from query_service.query import rollup_sql, spec
from query_service.query.planner import choose
from tests.benchmarks.ingest.results import Figure, Outcome, Side, compare
from tests.benchmarks.ingest.room import VoidRunError
from tests.benchmarks.query.over_http import FRESH_LIMITS, chart
from tests.benchmarks.query.scale import Scale
from tests.benchmarks.query.service import QUESTION, Service

_QUESTION = chart("30d", "day")


def measure(service: Service, scale: Scale) -> list[Outcome]:
    """The medians of both, in turns: with all clients, and with one."""
    app_id = service.at.tenant.app_id
    requests = [service.request(app_id, QUESTION, {**_QUESTION, "limit": limit}) for limit in FRESH_LIMITS]
    numbers = (scale.clients, 1)
    share = len(requests) // (scale.turns * len(numbers))
    ours: dict[int, list[float]] = {clients: [] for clients in numbers}
    theirs: dict[int, list[float]] = {clients: [] for clients in numbers}
    # Questions of other figures may be kept still: these are about other metrics.
    requests = [request.replace('"page_views"', '"unique_users"') for request in requests]
    requests = [_with_length(request) for request in requests]
    for turn in range(scale.turns):
        for place, clients in enumerate(numbers):
            first = (turn * len(numbers) + place) * share
            answers = service.load(requests[first : first + share], clients, scale.seconds)
            if answers.sent > share:
                raise VoidRunError(f"{answers.sent} answers to {share} questions")
            ours[clients].append(answers.p50)
            theirs[clients].append(_through_asyncpg(service, clients, scale.seconds))
    return [_outcome(clients, ours[clients], theirs[clients]) for clients in numbers]


def _outcome(clients: int, ours: list[float], theirs: list[float]) -> Outcome:
    how = f"{clients} clients" if clients > 1 else "1 client"
    figure = Figure(f"REST, 30 days by day, p50 vs the same SQL through asyncpg, {how}", 2, 1.5, is_cost=True)
    return compare(figure, Side("REST", "ms", ours), Side("asyncpg", "ms", theirs))


def _with_length(request: str) -> str:
    head, _, body = request.partition("\r\n\r\n")
    before, _, _ = head.rpartition("Content-Length: ")
    return f"{before}Content-Length: {len(body)}\r\n\r\n{body}"


def _through_asyncpg(service: Service, clients: int, seconds: float) -> float:
    asked = _statement(service)
    values = {
        "address": str(service.at.settings.database_url),
        "text": asked.text,
        "values": {name: _plain(value) for name, value in asked.values.items()},
        "clients": clients,
        "seconds": seconds,
    }
    command = [sys.executable, "-m", "tests.benchmarks.baselines.asyncpg_client"]
    run = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise VoidRunError(f"asyncpg: {run.stderr[-2000:]}")
    return float(json.loads(run.stdout)["p50"])


def _statement(service: Service) -> rollup_sql.Asked:
    """What the service runs for the question."""
    asked: Mapping[str, Any] = {**_QUESTION, "metrics": ["events", "unique_users", "unique_visitors"]}
    found = spec.parse(asked, service.at.tenant, datetime.now(UTC))
    choice = choose(found)
    if choice.source != "rollup":
        raise VoidRunError(f"the question goes to the {choice.source}")
    return rollup_sql.statement(found, choice.parts)


def _plain(value: object) -> object:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value
