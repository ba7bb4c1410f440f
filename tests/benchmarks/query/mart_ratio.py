"""A question over HTTP, vs the same statement through asyncpg: what the way through the service costs."""

import json
import subprocess
import sys
from datetime import UTC, datetime

from query_service.query import rollup_sql, spec
from query_service.query.planner import choose
from tests.benchmarks.ingest.results import Figure, Outcome, Side, compare
from tests.benchmarks.ingest.room import VoidRunError
from tests.benchmarks.query.over_http import FRESH_LIMITS, chart
from tests.benchmarks.query.scale import Scale
from tests.benchmarks.query.service import QUESTION, Service

# No other figure asks it: none of its answers is kept yet.
_QUESTION = {**chart("30d", "day"), "metrics": ["events", "unique_users", "unique_visitors"]}


def measure(service: Service, scale: Scale) -> list[Outcome]:
    """The medians of both, in turns: with all clients, and with one."""
    app_id = service.at.tenant.app_id
    requests = [service.request(app_id, QUESTION, {**_QUESTION, "limit": limit}) for limit in FRESH_LIMITS]
    numbers = (scale.clients, 1)
    ours: dict[int, list[float]] = {clients: [] for clients in numbers}
    theirs: dict[int, list[float]] = {clients: [] for clients in numbers}
    before = service.cache_outcomes()
    for _ in range(scale.turns):
        for clients in numbers:
            answers = service.load(requests, clients, scale.seconds)
            asked = answers.sent % len(requests)
            requests = [*requests[asked:], *requests[:asked]]
            ours[clients].append(answers.p50)
            theirs[clients].append(_through_asyncpg(service, clients, scale.seconds))
    after = service.cache_outcomes()
    if any(after.get(name, 0) != before.get(name, 0) for name in ("hit", "joined")):
        raise VoidRunError(f"some answers were kept ones: {before}, then {after}")
    return [_outcome(clients, ours[clients], theirs[clients]) for clients in numbers]


def _outcome(clients: int, ours: list[float], theirs: list[float]) -> Outcome:
    how = f"{clients} clients" if clients > 1 else "1 client"
    figure = Figure(f"REST, 30 days by day, p50 vs the same SQL through asyncpg, {how}", 2, 1.5, is_cost=True)
    return compare(figure, Side("REST", "ms", ours), Side("asyncpg", "ms", theirs))


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
    found = spec.parse(_QUESTION, service.at.tenant, datetime.now(UTC))
    choice = choose(found)
    if choice.source != "rollup":
        raise VoidRunError(f"the question goes to the {choice.source}")
    return rollup_sql.statement(found, choice.parts)


def _plain(value: object) -> object:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value
