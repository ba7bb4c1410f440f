"""Hostile input on its way through the real gateway and the real writer: nothing is lost, nothing is interpreted."""

import asyncio
import contextlib
import gzip
import json
from typing import Any

import httpx
import pytest
import zstandard

from eventmill.control.apps import IssuedKeys
from eventmill.lake import QUARANTINE
from eventmill.settings import Settings
from tests.bad_input import BAD_EVENTS, HOSTILE_BODIES, ODD_EVENTS, TEXTS, event
from tests.gateway_calls import bearer, last_seq
from tests.writer_bench import Bench, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
LINES = {name: raw for name, (raw, _) in BAD_EVENTS.items() if b"\n" not in raw}


async def post(gateway: httpx.AsyncClient, keys: IssuedKeys, body: bytes, **headers: str) -> httpx.Response:
    # As a server's, so that an event without an id gets none.
    return await gateway.post("/v1/events", content=body, headers=bearer(keys.write_key) | headers)


async def test_bad_events_reach_quarantine_whole_and_their_neighbours_the_lake(
    gateway: httpx.AsyncClient, keys: IssuedKeys, bench_with_shop: Bench
) -> None:
    good = [event(event_id=f"good {number}", event_name=text) for number, text in enumerate(TEXTS.values())]
    odd = [raw for raw, _, _ in ODD_EVENTS.values()]
    answer = await post(gateway, keys, b"\n".join([*good, *LINES.values(), *odd]))
    assert answer.status_code == 200, answer.text
    reasons = [item["reason"] for item in answer.json()["events"]]
    assert reasons == [None] * len(good) + [str(BAD_EVENTS[name][1]) for name in LINES] + [None] * len(odd)
    async with running(bench_with_shop):
        await bench_with_shop.wait_until_committed(await last_seq(bench_with_shop.client.jetstream()))
    rejected = bench_with_shop.rows(QUARANTINE)
    assert sorted(rejected["raw"].to_pylist()) == sorted(LINES.values())
    stored = [row for row in bench_with_shop.rows().to_pylist() if row["event_id"].startswith("good")]
    assert {row["event_name"] for row in stored} == set(TEXTS.values())


@pytest.mark.parametrize("name", HOSTILE_BODIES)
async def test_a_hostile_body_is_answered_and_the_gateway_lives(
    gateway: httpx.AsyncClient, keys: IssuedKeys, name: str
) -> None:
    answer = await post(gateway, keys, HOSTILE_BODIES[name])
    # 413 for more than 2,500 pieces.
    assert answer.status_code in {200, 413}, answer.text
    assert answer.status_code == 413 or {item["status"] for item in answer.json()["events"]} == {"quarantined"}
    assert (await post(gateway, keys, event())).json()["accepted"] == 1


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"[" + b" " * 300_000_000 + b"]")),
        ("zstd", zstandard.compress(b"[" + b" " * 300_000_000 + b"]", 19)),
    ],
    ids=["gzip", "zstd"],
)
async def test_a_bomb_is_refused_before_it_unfolds(
    gateway: httpx.AsyncClient, keys: IssuedKeys, encoding: str, body: bytes
) -> None:
    answer = await post(gateway, keys, body, **{"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["field"]) == (413, "body")


async def test_a_million_keys_are_refused(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    body = json.dumps({"event_type": "click", "user_id": "u", "properties": {f"{n:x}": 1 for n in range(10**6)}})
    answer = await post(gateway, keys, gzip.compress(body.encode()), **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["field"]) == (413, "body")


async def test_a_body_in_chunks_without_a_length_is_taken(gateway: httpx.AsyncClient, keys: IssuedKeys) -> None:
    async def chunks() -> Any:
        for byte in event():
            yield bytes([byte])

    answer = await gateway.post("/v1/events", content=chunks(), headers=bearer(keys.write_key))
    assert answer.json()["accepted"] == 1


@pytest.mark.parametrize(("is_known", "status"), [(True, b"413"), (False, b"401")], ids=["write key", "made-up key"])
async def test_chunks_without_an_end_are_cut_off(
    gateway: httpx.AsyncClient, keys: IssuedKeys, settings: Settings, is_known: bool, status: bytes
) -> None:
    key = keys.write_key if is_known else "made-up"
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.ingest_port)
    head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer = asyncio.create_task(reader.read(12))
    sent = 0
    while not answer.done() and sent < 2000:
        writer.write(chunk)
        sent += 1
        try:
            await writer.drain()
        except ConnectionError:
            break
        await asyncio.sleep(0)
    assert sent < 2000
    # Where the end of the connection has overtaken the answer, it is cut off all the same.
    with contextlib.suppress(ConnectionError):
        assert (await answer) in {b"HTTP/1.1 " + status, b""}
    writer.close()


@pytest.mark.parametrize("app_id", ["*", ">", "events.*", "a.b", "shop.>", "", " ", "../shop", "%2e", "a" * 64, "é"])
async def test_a_subject_in_disguise_is_no_app(gateway: httpx.AsyncClient, keys: IssuedKeys, app_id: str) -> None:
    answer = await gateway.post(
        "/v1/events", content=event(), params={"app_id": app_id}, headers=bearer(keys.write_key)
    )
    assert (answer.status_code, answer.json()["field"]) == (403, "app_id")
