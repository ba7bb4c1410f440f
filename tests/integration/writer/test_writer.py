"""The writer on a real broker and a real lake: every event once, whatever dies."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import pytest

from eventmill import stream
from eventmill.contracts.subjects import COMMITTED_SUBJECT, HEADER_RECEIVED_AT, STREAM
from eventmill.envelopes.source import OrderedSource
from eventmill.lake import QUARANTINE
from tests.writer_bench import Bench, event, running

pytestmark = pytest.mark.integration

StartWriter = Callable[..., subprocess.Popen[bytes]]


def ids(count: int) -> list[str]:
    return [f"e{number}" for number in range(count)]


async def test_everything_published_is_stored_once_and_a_stop_loses_nothing(
    bench: Bench, writer_process: StartWriter
) -> None:
    last = await bench.publish_numbered(0, count=20)
    process = writer_process()
    await bench.wait_until_committed(last)
    await bench.publish_numbered(200, count=20)
    process.terminate()
    assert process.wait(30) == 0
    async with running(bench):
        await bench.wait_until_committed(last + 20)
    assert bench.event_ids() == ids(400)


async def test_a_writer_killed_again_and_again_stores_every_event_once(
    bench: Bench, writer_process: StartWriter
) -> None:
    publishing = asyncio.create_task(slowly_publish(bench, envelopes=250))
    for _ in range(3):
        process = writer_process()
        before = await bench.committed()
        while await bench.committed() == before and not publishing.done():  # noqa: ASYNC110 - another process commits
            await asyncio.sleep(0.05)
        process.kill()
        process.wait()
    writer_process()
    await bench.wait_until_committed(await publishing)
    assert bench.event_ids() == ids(2500)


async def slowly_publish(bench: Bench, envelopes: int) -> int:
    sequence = 0
    for number in range(envelopes):
        sequence = await bench.publish_numbered(number * 10, count=1)
        await asyncio.sleep(0.02)
    return sequence


async def test_rejected_events_are_quarantined_whole_and_their_neighbours_stored(bench: Bench) -> None:
    broken = b'{"event_id": "bad", "user_id": 7, "event_type": "click"}'
    last = await bench.publish([event(0), broken, event(1), b'{"half": '])
    async with running(bench):
        await bench.wait_until_committed(last)
    assert bench.event_ids() == ids(2)
    assert bench.rows()["row_no"].to_pylist() == [0, 2]
    rejected = bench.rows(QUARANTINE).sort_by("row_no").to_pylist()
    assert [(row["raw"], row["reason"], row["path"], row["row_no"]) for row in rejected] == [
        (broken, "wrong_type", "$.user_id", 1),
        (b'{"half":', "malformed_json", "$", 3),
    ]


async def test_a_commit_says_which_hours_it_touched_and_what_became_of_the_events(bench: Bench) -> None:
    notices = await bench.client.subscribe(COMMITTED_SUBJECT)
    await bench.client.flush()
    received_at = "2026-03-01T10:20:00+00:00"
    lines = [event(0), event(1, timestamp="2026-03-01T09:59:59.5Z"), b"nonsense"]
    last = await bench.publish(lines, headers={HEADER_RECEIVED_AT: received_at})
    async with running(bench):
        await bench.wait_until_committed(last)
        notice = json.loads((await notices.next_msg(timeout=30)).data)
    (commit,) = bench.table().commits(0, bench.table().version())
    touched = {(entry.app_id, entry.hour.isoformat(), entry.events) for entry in commit.touched}
    assert touched == {("shop", "2026-03-01T09:00:00+00:00", 1), ("shop", "2026-03-01T10:00:00+00:00", 1)}
    assert commit.complete_through is not None
    assert notice["version"] == commit.version
    assert {entry["hour"] for entry in notice["touched"]} == {hour for _, hour, _ in touched}


async def test_the_writer_goes_on_after_the_broker_was_killed(
    own_nats: tuple, settings, database, new_directory
) -> None:
    nats_server, handle = own_nats
    own = settings.model_copy(update={"nats_url": f"nats://127.0.0.1:{nats_server.port}"})
    async with Bench.of(own) as bench:
        last = await bench.publish_numbered(0, count=5)
        async with running(bench):
            await bench.wait_until_committed(last)
            handle.kill()
            handle.start()
            last = await bench.publish_numbered(50, count=5)
            await bench.wait_until_committed(last)
        assert bench.event_ids() == ids(100)


async def test_messages_deleted_from_the_stream_are_counted_and_do_not_stop_the_writer(bench: Bench) -> None:
    await bench.publish_numbered(0, count=5)
    last = await bench.publish_numbered(50, count=5)
    jetstream = bench.client.jetstream()
    for sequence in (1, 4, 5):
        await jetstream.delete_msg(STREAM, sequence)
    async with running(bench) as service:
        await bench.wait_until_committed(last)
        assert service.instruments.missing._value.get() == 3
    assert bench.rows().num_rows == 70


async def test_the_cursor_reaches_the_end_of_a_stream_whose_last_messages_were_deleted(bench: Bench) -> None:
    last = await bench.publish_numbered(0, count=5)
    for sequence in (last - 1, last):
        await bench.client.jetstream().delete_msg(STREAM, sequence)
    async with running(bench):
        await bench.wait_until_committed(last)
        await bench.wait_until_committed(await bench.publish_numbered(50, count=1))
    assert bench.event_ids() == [f"e{number}" for number in (*range(30), *range(50, 60))]


async def test_a_lost_delivery_is_read_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    arrive = OrderedSource._arrive
    arrived: list[int] = []

    def lose_the_third(source: OrderedSource, *message: bytes) -> None:
        arrived.append(len(arrived))
        if len(arrived) != 3:
            arrive(source, *message)

    monkeypatch.setattr(OrderedSource, "_arrive", lose_the_third)
    last = await bench.publish_numbered(0, count=6)
    async with running(bench):
        await bench.wait_until_committed(last)
    assert bench.event_ids() == ids(60)


async def test_two_writers_of_one_stream_store_every_event_once(bench: Bench) -> None:
    last = await bench.publish_numbered(0, count=50)
    async with running(bench), running(bench):
        await bench.wait_until_committed(last)
        last = await bench.publish_numbered(500, count=50)
        await bench.wait_until_committed(last)
    assert bench.event_ids() == ids(1000)


async def test_a_lake_refuses_a_stream_it_does_not_know_until_that_is_accepted(
    bench: Bench, writer_process: StartWriter
) -> None:
    last = await bench.publish_numbered(0, count=3)
    async with running(bench):
        await bench.wait_until_committed(last)
    jetstream = bench.client.jetstream()
    await jetstream.delete_stream(STREAM)
    await stream.ensure_stream(jetstream, bench.settings)
    last = await bench.publish_numbered(30, count=2)
    assert writer_process().wait(60) == 1
    said = (bench.settings.home / "writer.log").read_text()
    assert "another event stream" in said
    assert "--accept-stream" in said
    assert writer_process("--accept-stream").wait(60) == 0
    async with running(bench):
        await bench.wait_until_committed(last)
    assert bench.event_ids() == ids(50)


async def test_shifted_events_lie_in_files_of_their_own(bench: Bench) -> None:
    headers = {HEADER_RECEIVED_AT: "2026-03-01T10:05:00+00:00"}
    ahead = {"timestamp": "2026-03-01T10:30:00Z", "sent_at": "2026-03-01T10:35:00Z"}
    very_late = {"timestamp": "2026-03-01T10:01:00Z", "sent_at": "2026-03-01T10:35:00Z"}
    last = await bench.publish([event(0, **ahead), event(1, **very_late)], headers=headers)
    async with running(bench):
        await bench.wait_until_committed(last)
    names = [path.rpartition("/")[2].partition("-")[0] for path in bench.table().snapshot().files["path"].to_pylist()]
    assert sorted(names) == ["part", "shifted"]


async def test_a_poison_envelope_is_quarantined_whole_in_its_place(bench: Bench) -> None:
    await bench.publish([event(0)])
    await bench.publish([event(9)], headers={HEADER_RECEIVED_AT: "yesterday"})
    last = await bench.publish([event(1)])
    async with running(bench):
        await bench.wait_until_committed(last)
    (row,) = bench.rows(QUARANTINE).to_pylist()
    assert (row["reason"], row["raw"]) == ("poison_envelope", event(9))
    assert bench.event_ids() == ids(2)


async def test_a_flood_of_poison_delays_no_neighbour_by_waiting(bench: Bench) -> None:
    js = bench.client.jetstream(publish_async_max_pending=64)
    for _ in range(1_000):
        await js.publish_async("events.shop", b"{}", headers={HEADER_RECEIVED_AT: "yesterday"}, wait_stall=10)
    await js.publish_async_completed()
    last = await bench.publish([event(0)])
    async with running(bench):
        # With the three tries of an error that may pass it would be seven minutes.
        await bench.wait_until_committed(last, seconds=60)
    assert bench.rows(QUARANTINE).num_rows == 1_000
    assert not (bench.settings.state_dir / "writer-attempts.json").exists()


@pytest.mark.parametrize(
    "message",
    [
        b"PUB events.\xff 2\r\n{}\r\n",
        b"HPUB events.shop 16 18\r\nNATS/1.0 \xff\xff\xff\r\n\r\n{}\r\n",
        b"HPUB events.shop 18 20\r\nNATS/1.0 100 \xff\r\n\r\n{}\r\n",
        b"HPUB events.shop 8 10\r\nNATS/1.0{}\r\n",
    ],
)
async def test_no_bytes_of_a_publisher_stop_the_writer(bench: Bench, message: bytes) -> None:
    address = urlsplit(bench.settings.nats_address)
    reader, raw = await asyncio.open_connection(address.hostname, address.port)
    raw.write(b'CONNECT {"verbose":false,"headers":true}\r\n' + message + b"PING\r\n")
    while await reader.readline() != b"PONG\r\n":
        pass
    raw.close()
    last = await bench.publish([event(0)])
    async with running(bench):
        await bench.wait_until_committed(last)
    assert (last, bench.event_ids(), bench.rows(QUARANTINE).num_rows) == (2, ids(1), 1)


async def test_an_app_created_a_moment_ago_is_known_and_a_missing_one_is_not(bench: Bench) -> None:
    async with running(bench):
        await bench.wait_until_committed(await bench.publish([event(0)]))
        bench.create_app("fresh")
        await bench.publish([event(1)], app_id="fresh")
        await bench.wait_until_committed(await bench.publish([event(2)], app_id="nobody"))
    assert set(bench.rows()["app_id"].to_pylist()) == {"shop", "fresh"}
    (row,) = bench.rows(QUARANTINE).to_pylist()
    assert (row["app_id"], row["reason"]) == ("nobody", "unknown_app")


async def test_the_age_of_what_waits_in_the_broker_is_known(bench: Bench) -> None:
    before = datetime.now(UTC)
    await bench.publish([event(0)])
    await bench.publish([event(1)])
    for after, is_waiting in ((0, True), (1, True), (2, False)):
        source = OrderedSource(bench.client, after, lambda _stream: None)
        waiting_since = await source.oldest_waiting_at()
        assert (waiting_since is not None) == is_waiting
        assert waiting_since is None or before <= waiting_since <= datetime.now(UTC)


async def test_health_and_metrics_are_served(bench: Bench, writer_process: StartWriter) -> None:
    last = await bench.publish([event(0), b"nonsense"])
    writer_process()
    await bench.wait_until_committed(last)
    address = f"http://127.0.0.1:{bench.settings.writer_port}"
    async with httpx.AsyncClient(base_url=address) as client:
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/ready")).json() == {"status": "ready"}
        metrics = (await client.get("/metrics")).text
    assert "eventmill_writer_events_total 1.0" in metrics
    assert 'eventmill_writer_quarantined_events_total{reason="malformed_json"} 1.0' in metrics
