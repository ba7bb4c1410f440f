"""Counts events one by one: each event raises the counter of each of its cuts by an upsert of its own.

`python -m tests.benchmarks.baselines.row_upserts DATABASE SECONDS` prints `{"updates": …, "seconds": …}`. It has what a
careful author gives it: 16 connections in four processes, uvloop, prepared statements, autocommit, and PostgreSQL with
eventmill's own settings. Cuts and their values are those of the benchmark's events. It counts events only: uniques
would cost it more.
"""

import asyncio
import json
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import psycopg
import uvloop

PROCESSES, CONNECTIONS = 4, 4
TABLE = """
create table if not exists upserted (
    app_id text, period_start timestamptz, dimension text, value text,
    events bigint not null, page_views bigint not null,
    primary key (app_id, period_start, dimension, value)
) with (fillfactor = 80)
"""
UPSERT = """
insert into upserted as old values ('shop', '2026-05-12 10:00+00', %s, %s, 1, %s)
on conflict (app_id, period_start, dimension, value) do update set
    events = old.events + 1, page_views = old.page_views + excluded.page_views
"""


def cuts(dice: random.Random) -> list[tuple[str, str, int]]:
    """What one event counts in."""
    kind = dice.choices(["page_view", "click", "scroll", "purchase"], [60, 25, 10, 5])[0]
    name = f"click {dice.randrange(20)}" if kind == "click" else kind
    source = dice.choice(["web", "web", "web", "web", "mobile"])
    is_view = int(kind == "page_view")
    found = [
        ("total", ""),
        ("event_type", kind),
        ("event_name", name),
        ("source", source),
        ("source_event_name", f"{source} {name}"),
        ("country", dice.choice(["DE", "US", "FR", "GB", "NP", "JP", "BR", "IN"])),
        ("device_type", dice.choice(["desktop", "mobile", "tablet"])),
        ("os", dice.choice(["Windows", "macOS", "Android", "iOS", "Linux"])),
    ]
    if is_view:
        found.append(("page_url", f"/products/{int(dice.random() ** 4 * 20_000)}"))
    return [(dimension, value, is_view) for dimension, value in found]


async def _upsert(address: str, until: float, seed: int) -> int:
    dice, updates = random.Random(seed), 0
    async with await psycopg.AsyncConnection.connect(address, autocommit=True, prepare_threshold=0) as connection:
        while time.time() < until:
            for cut in cuts(dice):
                await connection.execute(UPSERT, cut)
                updates += 1
    return updates


async def _all(address: str, until: float, process: int) -> int:
    return sum(await asyncio.gather(*(_upsert(address, until, process * 100 + one) for one in range(CONNECTIONS))))


def _process(address: str, until: float, process: int) -> int:
    return uvloop.run(_all(address, until, process))


def main() -> None:
    """Run for the seconds given and print what was done."""
    address, duration = sys.argv[1], float(sys.argv[2])
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(TABLE)
    with ProcessPoolExecutor(PROCESSES) as pool:
        list(pool.map(_process, [address] * PROCESSES, [0.0] * PROCESSES, range(PROCESSES)))  # imports done
        began = time.time()
        done = pool.map(_process, [address] * PROCESSES, [began + duration] * PROCESSES, range(PROCESSES))
        updates = sum(done)
    print(json.dumps({"updates": updates, "seconds": time.time() - began}))


if __name__ == "__main__":
    main()
