"""`python -m tests.benchmarks.baselines.asyncpg_client`: one statement through asyncpg, as fast as it goes.

Reads JSON from standard input: address, text and values (psycopg's names), clients, seconds. Every client has a
connection and a prepared statement of its own, planned once as the query service has it, and uvloop; nothing is made of
the rows. Prints the median in milliseconds.
"""

import asyncio
import json
import re
import statistics
import sys
import time
from datetime import datetime
from typing import Any

import asyncpg
import uvloop

WARM_UP_SECONDS = 0.3
_NAME = re.compile(r"%\((\w+)\)s")
# The service binds an array of instants as a text; asyncpg takes the instants.
_INSTANTS = re.compile(r"%\((\w+)\)s::timestamptz\[\]")


async def main() -> None:
    """Run and print."""
    asked = json.load(sys.stdin)
    text, values = positional(asked["text"], asked["values"])
    connections = [
        await asyncpg.connect(asked["address"], server_settings={"plan_cache_mode": "force_generic_plan"})
        for _ in range(asked["clients"])
    ]
    counts_from = time.perf_counter() + WARM_UP_SECONDS
    clients = (_client(one, text, values, counts_from, asked["seconds"]) for one in connections)
    found = [one for each in await asyncio.gather(*clients) for one in each]
    print(json.dumps({"p50": statistics.median(found), "count": len(found)}))
    for connection in connections:
        await connection.close()


def positional(text: str, values: dict[str, Any]) -> tuple[str, list[Any]]:
    """The statement with numbers for names, and its values in their order."""
    names: list[str] = []
    instants = set(_INSTANTS.findall(text))

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    replaced = _NAME.sub(number, text).replace("%%", "%")
    return replaced, [_value(values[name], is_instants=name in instants) for name in names]


def _value(value: Any, *, is_instants: bool) -> Any:
    if is_instants:
        return [datetime.fromisoformat(one) for one in value.strip("{}").split(",")]
    return datetime.fromisoformat(value["at"]) if isinstance(value, dict) else value


async def _client(
    connection: asyncpg.Connection, text: str, values: list[Any], counts_from: float, seconds: float
) -> list[float]:
    statement = await connection.prepare(text)
    milliseconds = []
    while (began := time.perf_counter()) < counts_from + seconds:
        if not await statement.fetch(*values):
            raise RuntimeError("no rows")
        if began >= counts_from:
            milliseconds.append(1000 * (time.perf_counter() - began))
    return milliseconds


if __name__ == "__main__":
    uvloop.run(main())
