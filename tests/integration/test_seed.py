"""`eventmill seed` and its outbox against a real broker: exact counts, also when the broker dies on the way."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from click.testing import CliRunner

from eventmill import stream
from eventmill.cli import main
from eventmill.contracts.event import StoredEvent
from eventmill.control.apps import create_app
from eventmill.embedded.children import Server
from eventmill.embedded.nats import NatsServer
from eventmill.errors import EventmillError
from eventmill.http.serving import build_server
from eventmill.outbox import Envelope, HttpRoute, Outbox
from eventmill.pacing import paced
from eventmill.seeding import Destination, send
from eventmill.settings import Settings
from eventmill.synthetic.flow import Plan, Shares
from ingest_service.gateway import app as gateway
from tests.gateway_calls import stored

pytestmark = pytest.mark.integration


@pytest.fixture
async def js(settings: Settings) -> Any:
    """JetStream of the session's broker, with our stream."""
    client = await stream.connect(settings, "test")
    jetstream = client.jetstream()
    await stream.ensure_stream(jetstream, settings)
    yield jetstream
    await client.close()


async def stored_events(jetstream: Any) -> tuple[list[StoredEvent], int]:
    """What the writer would store of the whole stream, and how many lines it would reject."""
    identity = await stream.identify_stream(jetstream)
    events: list[StoredEvent] = []
    rejected = 0
    for sequence in range(max(identity.first_seq, 1), identity.last_seq + 1):
        _, found = await stored(jetstream, sequence)
        good = [event for event in found if isinstance(event, StoredEvent)]
        events += good
        rejected += len(found) - len(good)
    return events, rejected


def a_plan(count: int | None, **changes: Any) -> Plan:
    return Plan(**{"app_id": "shop", "count": count, "now": datetime.now(UTC), "seed": 7} | changes)


async def test_what_is_reported_is_what_the_stream_holds(settings: Settings, js: Any) -> None:
    plan = a_plan(3_000, shares=Shares(late=0.1, duplicates=0.1, malformed=0.05))
    report = await send(settings, plan, Destination(None, 90))
    events, rejected = await stored_events(js)
    assert report.events == len({event.event_id for event in events}) == 3_000
    assert report.events + report.duplicates == len(events)
    assert report.malformed == rejected > 0
    assert report.late > 0
    assert report.retries == 0


async def test_events_beyond_the_retention_go_as_history(settings: Settings, js: Any) -> None:
    report = await send(settings, a_plan(2_000, days=20, shares=Shares(0, 0, 0)), Destination(None, 10))
    events, rejected = await stored_events(js)
    assert (len(events), rejected) == (2_000, 0)
    assert 800 < report.history < 1_400


async def test_the_ledger_names_each_acknowledged_event_once(
    settings: Settings, js: Any, new_directory: Callable[[], Path]
) -> None:
    ledger = new_directory() / "ledger"
    await send(settings, a_plan(1_200, shares=Shares(0, 0.2, 0.1)), Destination(None, 90), ledger=ledger)
    events, _ = await stored_events(js)
    ids = ledger.read_text(encoding="ascii").split()
    assert len(ids) == 1_200
    assert set(ids) == {event.event_id for event in events}


async def test_a_flow_survives_the_death_of_its_broker(
    own_nats: tuple[NatsServer, Server], new_directory: Callable[[], Path]
) -> None:
    nats_server, server = own_nats
    address = f"nats://127.0.0.1:{nats_server.port}"
    settings = Settings(home=new_directory(), nats_url=address, stream_max_bytes=256 * 1024**2)
    client = await stream.connect(settings, "test")
    await stream.ensure_stream(client.jetstream(), settings)
    half_way = asyncio.Event()
    seen = 0

    def count(number: int) -> None:
        nonlocal seen
        seen += number
        if seen > 1_500:
            half_way.set()

    plan = a_plan(4_000, rate=2_000.0)
    sending = asyncio.create_task(send(settings, plan, Destination(None, 90), on_events=count))
    await half_way.wait()
    server.kill()
    await asyncio.to_thread(server.start)
    report = await sending
    events, rejected = await stored_events(client.jetstream())
    await client.close()
    assert report.events == len({event.event_id for event in events}) == 4_000
    assert report.events + report.duplicates == len(events)
    assert report.malformed == rejected


async def test_a_flow_through_the_gateway_is_as_exact(settings: Settings, js: Any, database: str) -> None:
    with psycopg.connect(database) as connection:
        _, keys = create_app(connection, "Shop", app_id="shop")
    server = build_server(gateway.create_app(settings), settings.bind, settings.ingest_port)
    serving = asyncio.create_task(server.serve())
    plan = a_plan(1_500, shares=Shares(0.1, 0.1, 0.2))
    report = await send(settings, plan, Destination(keys.write_key, 90))
    server.stop()
    await serving
    events, rejected = await stored_events(js)
    assert report.events == len({event.event_id for event in events}) == 1_500
    assert report.events + report.duplicates == len(events)
    assert report.malformed == rejected


def test_the_command_prints_exact_counts_and_repeats_them(settings: Settings, js: Any, database: str) -> None:
    with psycopg.connect(database) as connection:
        create_app(connection, "Shop", app_id="shop")
    arguments = ["seed", "--app", "shop", "--count", "700", "--source", "web", "--seed", "5", "--json"]
    first, second = (run(settings, [*arguments, "--now", "2026-11-20T12:00:00"]) for _ in range(2))
    assert first["events"] == 700
    changing = {"seconds": 0, "retries": 0}
    assert first | changing == second | changing


async def test_a_flow_without_end_stops_at_a_signal_and_reports(settings: Settings, js: Any, database: str) -> None:
    with psycopg.connect(database) as connection:
        create_app(connection, "Shop", app_id="shop")
    arguments = ["-m", "eventmill", "seed", "--app", "shop", "--rate", "400", "--forever", "--json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=os.environ | variables_of(settings), stdout=asyncio.subprocess.PIPE
    )
    while (await stream.identify_stream(js)).last_seq < 3:  # noqa: ASYNC110 - the broker has no event for it
        await asyncio.sleep(0.05)
    process.terminate()
    output, _ = await process.communicate()
    report = json.loads(output)
    events, _ = await stored_events(js)
    assert process.returncode == 0
    assert report["events"] == len({event.event_id for event in events}) > 0


async def test_a_flow_without_end_that_has_fallen_behind_goes_on_in_the_present() -> None:
    began_at = datetime.now(UTC)
    plan = a_plan(None, rate=1_000.0, now=began_at - timedelta(hours=8), shares=Shares(0, 0, 0))
    chunks = paced(plan, 90, asyncio.Event())
    (chunk, _) = await anext(chunks)
    await chunks.aclose()
    assert all(line.happened_at is not None and line.happened_at >= began_at for line in chunk)


def test_an_unknown_app_is_refused(settings: Settings, js: Any) -> None:
    answer = invoke(settings, ["seed", "--app", "nowhere", "--count", "5"])
    assert answer.exit_code == 1
    assert "There is no app 'nowhere'" in answer.output


def test_days_before_the_start_of_history_are_refused(settings: Settings, js: Any, database: str) -> None:
    with psycopg.connect(database) as connection:
        create_app(connection, "Shop", app_id="shop")
    answer = invoke(settings, ["seed", "--app", "shop", "--count", "5", "--days", "401"])
    assert answer.exit_code == 1
    assert "EVENTMILL_HISTORY_START" in answer.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--forever"],
        [],
        ["--forever", "--rate", "5", "--count", "5"],
        ["--count", "5", "--rate", "5", "--days", "3"],
    ],
)
def test_options_that_contradict_each_other_are_refused(settings: Settings, arguments: list[str]) -> None:
    assert invoke(settings, ["seed", "--app", "shop", *arguments]).exit_code == 2


def run(settings: Settings, arguments: list[str]) -> dict[str, Any]:
    answer = invoke(settings, arguments)
    assert answer.exit_code == 0, answer.output
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def invoke(settings: Settings, arguments: list[str]) -> Any:
    """Run the command line with these settings in place of the environment."""
    return CliRunner().invoke(main, arguments, env=variables_of(settings))


def variables_of(settings: Settings) -> dict[str, str]:
    """These settings as a command finds them in its environment."""
    return {
        "EVENTMILL_HOME": str(settings.home),
        "EVENTMILL_NATS_URL": settings.nats_address,
        "EVENTMILL_DATABASE_URL": settings.database_address,
        "EVENTMILL_HISTORY_START": settings.history_start.isoformat(),
    }


async def test_the_gateways_retry_after_is_honoured_and_the_ids_stay() -> None:
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        is_first = len(bodies) == 1
        return httpx.Response(503, headers={"retry-after": "0"}) if is_first else httpx.Response(200)

    acknowledged: list[Envelope] = []
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://gateway") as client:
        outbox = Outbox(HttpRoute(client, "shop"), lambda sent, _: acknowledged.append(sent))
        await outbox.deliver(one(Envelope([b'{"event_id":"1"}', b"{broken"])))
    assert bodies == [b'{"event_id":"1"}\n{broken'] * 2
    assert (len(acknowledged), outbox.retries) == (1, 1)


async def test_a_wrong_key_ends_the_flow_with_the_gateways_words() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(401, text="unknown key"))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        outbox = Outbox(HttpRoute(client, "shop"), lambda *_: None)
        with pytest.raises(EventmillError, match="unknown key"):
            await outbox.deliver(one(Envelope([b"{}"])))


async def one(sent: Envelope) -> Any:
    yield sent
