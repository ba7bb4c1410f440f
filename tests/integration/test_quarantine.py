"""`eventmill quarantine`: found, corrected and replayed through a real broker, writer and lake, and counted once."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from click.testing import CliRunner, Result

from analytics_pipeline import commits
from analytics_pipeline.engines.connection import connect as connect_engine
from analytics_pipeline.refresh import Refresher
from eventmill import warehouse
from eventmill.cli import main
from eventmill.contracts.decode import EnvelopeContext
from eventmill.contracts.derive import hour_of
from eventmill.contracts.envelope import encode_headers
from eventmill.contracts.headers import Section
from eventmill.contracts.subjects import HEADER_RECEIVED_AT
from eventmill.control.apps import update_app
from eventmill.lake import QUARANTINE
from eventmill.settings import Settings
from eventmill.stream import identify_stream
from tests.writer_bench import Bench, running

pytestmark = pytest.mark.integration

RECEIVED = datetime.now(UTC).replace(microsecond=123_456) - timedelta(days=3)
NOBODY = b'{"event_id":"e1","event_type":"click"}'


@pytest.fixture
async def bench(settings: Settings) -> AsyncIterator[Bench]:
    async with Bench.of(settings) as bench:
        bench.create_app("blog")
        yield bench


def headers_of(app: str, received_at: datetime, events: int, **defaults: str) -> dict[str, str]:
    section = Section(EnvelopeContext(app, received_at, defaults=defaults), events)
    return encode_headers([section], f"{app}-{received_at.isoformat()}")


async def quarantined(
    bench: Bench, lines: Sequence[bytes], received_at: datetime = RECEIVED, app: str = "shop"
) -> None:
    """Let the writer reject these events."""
    headers = headers_of(app, received_at, len(lines), browser="Firefox")
    sequence = await bench.publish(list(lines), app, headers)
    async with running(bench):
        await bench.wait_until_committed(sequence)


async def drained(bench: Bench) -> None:
    """Let the writer store whatever the stream holds."""
    sequence = (await identify_stream(bench.client.jetstream())).last_seq
    async with running(bench):
        await bench.wait_until_committed(sequence)


async def run(bench: Bench, *arguments: str, answer: str = "") -> Result:
    settings = bench.settings
    variables = {
        "EVENTMILL_HOME": str(settings.home),
        "EVENTMILL_DATABASE_URL": settings.database_address,
        "EVENTMILL_NATS_URL": settings.nats_address,
    }
    return await asyncio.to_thread(
        lambda: CliRunner().invoke(main, ("quarantine", *arguments), env=variables, input=answer)
    )


async def as_json(bench: Bench, *arguments: str) -> Any:
    answer = await run(bench, *arguments, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output)


async def ids(bench: Bench, *arguments: str) -> list[str]:
    return [one["id"] for one in (await as_json(bench, "list", *arguments))["events"]]


async def test_rows_are_counted_by_reason_and_listed_newest_first(bench: Bench) -> None:
    await quarantined(bench, [NOBODY, b"{", b"[]"], RECEIVED)
    await quarantined(bench, [NOBODY], RECEIVED + timedelta(days=1))
    await quarantined(bench, [NOBODY], RECEIVED, app="blog")
    found = await as_json(bench, "list", "--app", "shop", "--limit", "2")
    assert found["counts"] == {"missing_identity": 2, "malformed_json": 1, "not_an_object": 1}
    assert found["total"] == 4
    assert [one["received_at"] for one in found["events"]] == [
        (RECEIVED + timedelta(days=1)).isoformat(),
        RECEIVED.isoformat(),
    ]


async def test_rows_are_chosen_by_app_reason_and_time(bench: Bench) -> None:
    await quarantined(bench, [NOBODY, b"{"], RECEIVED)
    await quarantined(bench, [NOBODY], RECEIVED + timedelta(days=1))
    await quarantined(bench, [NOBODY], RECEIVED, app="blog")
    later = (RECEIVED + timedelta(microseconds=1)).isoformat()
    assert len(await ids(bench)) == 4
    assert len(await ids(bench, "--app", "shop")) == 3
    assert len(await ids(bench, "--app", "shop", "--reason", "malformed_json")) == 1
    assert len(await ids(bench, "--app", "shop", "--since", later)) == 1
    assert len(await ids(bench, "--app", "shop", "--until", later)) == 2
    assert len(await ids(bench, "--since", "1h")) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "--since", "yesterday"), "'yesterday' is none of"),
        (("list", "--since", "1d", "--until", "2d"), "--since must be before --until"),
        (("list", "--reason", "ugly"), "'ugly' is not one of"),
        (("show", "99-0"), "There is no quarantined event '99-0'"),
        (("show", "x"), "is no id"),
        (("replay",), "Name ids, or an app"),
        (("replay", "--app", "shop", "--set", "user_id", "--yes"), "--set 'user_id': expected field=value"),
        (("replay", "--app", "shop", "--json"), "add --dry-run or --yes"),
    ],
)
async def test_an_error_names_option_and_rule(bench: Bench, arguments: tuple[str, ...], message: str) -> None:
    answer = await run(bench, *arguments)
    assert answer.exit_code != 0
    assert message in answer.output
    assert "Traceback" not in answer.output


async def test_one_is_shown_whole_with_its_rule(bench: Bench) -> None:
    await quarantined(bench, [NOBODY, b'{"a":"\xff"}'])
    binary, text = [await as_json(bench, "show", name) for name in sorted(await ids(bench), reverse=True)]
    assert text["raw"].encode() == NOBODY
    assert (text["reason"], text["path"], text["context"]) == ("missing_identity", "$", {"browser": "Firefox"})
    assert text["rule"].startswith("At least one of")
    assert base64.b64decode(binary["raw_base64"]) == b'{"a":"\xff"}'


async def test_a_dry_run_says_what_would_happen_and_does_nothing(bench: Bench) -> None:
    await quarantined(bench, [NOBODY, b"{"])
    before = await identify_stream(bench.client.jetstream())
    rehearsed = await as_json(bench, "replay", "--app", "shop", "--set", "user_id=u", "--dry-run")
    assert {(one["was"], one["outcome"], one["reason"]) for one in rehearsed["results"]} == {
        ("missing_identity", "accepted", ""),
        ("malformed_json", "quarantined", "not_an_object"),
    }
    assert await identify_stream(bench.client.jetstream()) == before


async def test_without_yes_it_shows_that_first_and_asks(bench: Bench) -> None:
    await quarantined(bench, [NOBODY])
    before = await identify_stream(bench.client.jetstream())
    answer = await run(bench, "replay", "--app", "shop", "--set", "user_id=u", answer="n\n")
    assert answer.exit_code == 1
    assert "accepted" in answer.output
    assert await identify_stream(bench.client.jetstream()) == before


async def test_a_replayed_event_keeps_its_id_its_arrival_and_its_context_and_counts_once(bench: Bench) -> None:
    happened = RECEIVED - timedelta(hours=5)
    raw = json.dumps({"event_id": "e1", "event_type": "click", "timestamp": happened.isoformat()}).encode()
    await quarantined(bench, [raw])
    for _ in range(3):
        report = await as_json(bench, "replay", "--app", "shop", "--set", "user_id=u", "--yes", "--again")
        assert (report["accepted"], report["published_events"]) == (1, 1)
    await drained(bench)
    (stored,) = bench.rows().to_pylist()
    assert (stored["event_id"], stored["user_id"], stored["browser"]) == ("e1", "u", "Firefox")
    assert (stored["event_time"], stored["received_at"]) == (happened, RECEIVED)
    assert counted(bench.settings) == [(hour_of(happened), 1)]


def counted(settings: Settings) -> list[tuple[datetime, int]]:
    """What the rollups say after a refresh: hours and their events."""
    refresher = Refresher(settings, partial(connect_engine, settings), partial(connect_engine, settings))
    with warehouse.connect(settings, autocommit=True) as connection:
        commits.notice(settings, connection, 0, datetime.now(UTC))
        first = hour_of(RECEIVED) - timedelta(hours=12)
        refresher.refresh(refresher.hours(first, first + timedelta(hours=24)))
        return connection.execute(
            "select period_start, events from rollups.metric where grain = 'hour' and dimension = 'total'"
            " and traffic = 'all' and events > 0 order by 1"
        ).fetchall()


async def test_a_second_replay_of_a_row_does_nothing_unless_told(bench: Bench) -> None:
    await quarantined(bench, [NOBODY])
    replay = ("replay", "--app", "shop", "--set", "user_id=u", "--yes")
    await as_json(bench, *replay)
    before = await identify_stream(bench.client.jetstream())
    report = await as_json(bench, *replay)
    assert (report["already_replayed"], report["published_events"]) == (1, 0)
    assert await identify_stream(bench.client.jetstream()) == before
    (listed,) = (await as_json(bench, "list"))["events"]
    assert listed["replayed_at"] is not None
    (done,) = (await as_json(bench, "show", listed["id"]))["replays"]
    assert (done["changed"], done["events"], done["outcome"]) == (["user_id"], 1, "published")


async def test_a_repeated_replay_of_the_same_bytes_is_one_message_for_the_broker(bench: Bench) -> None:
    await quarantined(bench, [NOBODY])
    replay = ("replay", "--app", "shop", "--set", "user_id=u", "--yes", "--again")
    await as_json(bench, *replay)
    before = await identify_stream(bench.client.jetstream())
    await as_json(bench, *replay)
    assert await identify_stream(bench.client.jetstream()) == before
    (name,) = await ids(bench)
    done = (await as_json(bench, "show", name))["replays"]
    assert [one["outcome"] for one in done] == ["published", "known_to_broker"]


async def test_an_event_without_an_id_is_the_same_event_at_each_replay(bench: Bench) -> None:
    await quarantined(bench, [b'{"event_type":"click"}'])
    for user in ("u", "v"):
        await as_json(bench, "replay", "--app", "shop", "--set", f"user_id={user}", "--yes", "--again")
    await drained(bench)
    assert len(set(bench.rows()["event_id"].to_pylist())) == 1
    assert counted(bench.settings) == [(hour_of(RECEIVED), 1)]


async def test_only_the_rows_that_are_named_are_replayed(bench: Bench) -> None:
    await quarantined(bench, [NOBODY, NOBODY.replace(b"e1", b"e2")])
    first = next(name for name in await ids(bench) if "-0-" in name)
    report = await as_json(bench, "replay", first, "--set", "user_id=u", "--yes")
    await drained(bench)
    assert report["rows"] == 1
    assert bench.event_ids() == ["e1"]


async def test_rules_that_changed_since_make_an_event_acceptable(bench: Bench) -> None:
    with warehouse.connect(bench.settings) as connection:
        update_app(connection, "shop", retention_days=1)
    old = (RECEIVED - timedelta(days=9)).isoformat()
    await quarantined(
        bench, [json.dumps({"event_id": "e1", "user_id": "u", "event_type": "a", "timestamp": old}).encode()]
    )
    assert (await as_json(bench, "replay", "--app", "shop", "--dry-run"))["outcomes"] == {"quarantined too_old": 1}
    with warehouse.connect(bench.settings) as connection:
        update_app(connection, "shop", retention_days=30)
    await as_json(bench, "replay", "--app", "shop", "--reason", "too_old", "--yes")
    await drained(bench)
    assert bench.event_ids() == ["e1"]


async def test_a_poison_envelope_is_split_and_its_bad_events_get_rows_of_their_own(bench: Bench) -> None:
    good = b'{"event_id":"e1","event_type":"click","user_id":"u"}'
    sequence = await bench.publish([good, b'{"event_id":"e2"}'], headers={HEADER_RECEIVED_AT: "yesterday"})
    async with running(bench):
        await bench.wait_until_committed(sequence)
    report = await as_json(bench, "replay", "--app", "shop", "--reason", "poison_envelope", "--yes")
    assert report["published_events"] == 2
    await drained(bench)
    assert bench.event_ids() == ["e1"]
    assert (await as_json(bench, "list"))["counts"] == {"poison_envelope": 1, "missing_identity": 1}


async def test_a_broker_that_is_away_is_an_error_and_the_row_can_be_replayed_later(bench: Bench) -> None:
    await quarantined(bench, [NOBODY])
    replay = ("replay", "--app", "shop", "--set", "user_id=u", "--yes")
    away = Bench(
        Settings(home=bench.settings.home, database_url=bench.settings.database_url, nats_url="nats://127.0.0.1:1"),
        bench.client,
    )
    answer = await run(away, *replay)
    assert answer.exit_code == 1
    assert "NATS does not answer" in answer.output
    assert (await as_json(bench, *replay))["published_events"] == 1


async def test_of_many_files_only_those_are_read_that_can_hold_the_rows(bench: Bench) -> None:
    for days in range(4):
        await quarantined(bench, [NOBODY], RECEIVED - timedelta(days=days))
    (wanted,) = await ids(bench, "--since", (RECEIVED - timedelta(hours=1)).isoformat())
    files = bench.table(QUARANTINE).snapshot()
    kept = f"received_date={RECEIVED.date()}"
    for path in files.files["path"].to_pylist():
        if kept not in path:
            (files.directory / path).unlink()
    assert (await as_json(bench, "show", wanted))["event_id"] == "e1"
    assert await ids(bench, "--since", RECEIVED.isoformat()) == [wanted]
