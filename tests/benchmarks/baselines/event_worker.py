"""The plain worker: fetch 500 messages of one event each, and for each event decode, INSERT, commit and acknowledge.

`python -m tests.benchmarks.baselines.event_worker NATS STREAM SUBJECT DATABASE MESSAGES WARM_UP` prints
`{"events": …, "seconds": …}` of the messages after the warm-up. It has what a careful author gives it: uvloop, msgspec,
one connection of a pool, a prepared statement, one round trip an event (autocommit), acknowledgements that wait for
nothing, and PostgreSQL with eventmill's own settings. `synchronous_commit` is on: an event counts once it is durable.
"""

import json
import sys
import time
from datetime import datetime

import msgspec
import nats
import uvloop
from nats.js import api
from psycopg_pool import AsyncConnectionPool

TABLE = """
create table if not exists event (
    app_id text not null,
    event_id text not null,
    event_type text not null,
    "timestamp" timestamptz,
    received_at timestamptz not null default now(),
    user_id text,
    anonymous_id text,
    session_id text,
    page_url text,
    page_title text,
    referrer text,
    device_type text,
    os text,
    browser text,
    country text,
    properties jsonb,
    primary key (app_id, event_id)
)
"""
INSERT = """
insert into event (app_id, event_id, event_type, "timestamp", user_id, anonymous_id, session_id, page_url, page_title,
    referrer, device_type, os, browser, country, properties)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb)
on conflict do nothing
"""
APP = "shop"
BATCH = 500


class Event(msgspec.Struct):
    """The fields that the table has."""

    event_id: str
    event_type: str
    timestamp: datetime | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    session_id: str | None = None
    page_url: str | None = None
    page_title: str | None = None
    referrer: str | None = None
    device_type: str | None = None
    os: str | None = None
    browser: str | None = None
    country: str | None = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")

    def row(self) -> tuple[object, ...]:
        """Parameters of the INSERT."""
        *values, properties = msgspec.structs.astuple(self)
        return (APP, *values, bytes(properties).decode())


async def work(address: str, stream: str, subject: str, database: str, messages: int, warm_up: int) -> float:
    """Seconds for the messages after the warm-up."""
    decode = msgspec.json.Decoder(Event).decode
    client = await nats.connect(address)
    config = api.ConsumerConfig(ack_policy=api.AckPolicy.EXPLICIT, max_ack_pending=2 * BATCH)
    subscription = await client.jetstream().pull_subscribe(subject, durable="worker", stream=stream, config=config)
    options = {"autocommit": True, "prepare_threshold": 0}
    async with AsyncConnectionPool(database, min_size=1, max_size=1, open=False, kwargs=options) as pool:
        async with pool.connection() as connection:
            await connection.execute(TABLE)
        done, started_at = 0, 0.0
        while done < messages:
            fetched = await subscription.fetch(BATCH, timeout=20)
            async with pool.connection() as connection:
                for message in fetched:
                    await connection.execute(INSERT, decode(message.data).row())
                    await message.ack()
                    done += 1
                    if done == warm_up:
                        started_at = time.perf_counter()
    seconds = time.perf_counter() - started_at
    await client.close()
    return seconds


def main() -> None:
    """Work and print."""
    address, stream, subject, database, messages, warm_up = sys.argv[1:]
    seconds = uvloop.run(work(address, stream, subject, database, int(messages), int(warm_up)))
    print(json.dumps({"events": int(messages) - int(warm_up), "seconds": seconds}))


if __name__ == "__main__":
    main()
