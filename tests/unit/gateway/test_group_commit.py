"""Concurrent requests of an app share envelopes; each still gets its own outcome."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from eventmill.contracts.decode import EnvelopeContext
from eventmill.contracts.envelope import decode_sections, split_body
from eventmill.errors import EventmillError, NotReadyError
from eventmill.stream import MAX_MESSAGE_BYTES, PublishError
from ingest_service.gateway.group_commit import GroupCommit, Message
from ingest_service.gateway.intake import Envelope

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class FakeBroker:
    """Confirms an envelope when the test says so."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, dict[str, str]]] = []
        self.outcomes: list[asyncio.Future[None]] = []
        self.batches: list[list[str]] = []

    async def publish(self, message: Message) -> None:
        self.published.append(message[:3])
        self.outcomes.append(asyncio.get_running_loop().create_future())
        await self.outcomes[-1]

    async def publish_together(self, messages: Sequence[Message]) -> list[EventmillError | None]:
        self.batches.append([message.app_id for message in messages])
        results = await asyncio.gather(*map(self.publish, messages), return_exceptions=True)
        return [result if isinstance(result, EventmillError) else None for result in results]

    def lines(self, number: int) -> list[bytes]:
        return split_body(self.published[number][1])

    def section_counts(self, number: int) -> list[int | None]:
        app_id, _, headers = self.published[number]
        return [section.events for section in decode_sections(f"events.{app_id}", headers, datetime.now(UTC))]


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def group(broker: FakeBroker) -> GroupCommit:
    return GroupCommit(broker, CollectorRegistry(), pace_seconds=0)


def envelope(*lines: bytes, app_id: str = "shop", filtered: int = 0) -> Envelope:
    made = Envelope(EnvelopeContext(app_id, NOON, False, {"source": "web"}), list(lines))
    if filtered:
        made.filtered["path"] = filtered
    return made


def commit(group: GroupCommit, one: Envelope, seconds: float = 30) -> asyncio.Task[None]:
    return asyncio.create_task(group.commit(one, time.monotonic() + seconds))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_while_an_envelope_is_under_way_shares_the_next(
    group: GroupCommit, broker: FakeBroker
) -> None:
    first = commit(group, envelope(b"1"))
    await settle()
    others = [commit(group, envelope(b"2")), commit(group, envelope(b"3", b"4"))]
    await settle()
    assert len(broker.published) == 1
    broker.outcomes[0].set_result(None)
    await first
    await settle()
    assert broker.lines(1) == [b"2", b"3", b"4"]
    assert broker.section_counts(1) == [1, 2]
    assert not any(other.done() for other in others)
    broker.outcomes[1].set_result(None)
    await asyncio.gather(*others)


async def test_what_arrives_in_one_turn_of_the_loop_goes_together(group: GroupCommit, broker: FakeBroker) -> None:
    tasks = [commit(group, envelope(b"%d" % number)) for number in range(3)]
    await settle()
    assert [broker.lines(number) for number in range(len(broker.published))] == [[b"0", b"1", b"2"]]
    broker.outcomes[0].set_result(None)
    await asyncio.gather(*tasks)


async def test_after_a_shared_envelope_the_next_waits_for_company(broker: FakeBroker) -> None:
    group = GroupCommit(broker, CollectorRegistry(), pace_seconds=0.1)
    tasks = [commit(group, envelope(b"1")), commit(group, envelope(b"2"))]
    await settle()
    broker.outcomes[0].set_result(None)
    await asyncio.gather(*tasks)
    later = [commit(group, envelope(b"3"))]
    await settle()
    later.append(commit(group, envelope(b"4")))
    await settle()
    assert len(broker.published) == 1
    async with asyncio.timeout(10):
        while len(broker.published) < 2:  # noqa: ASYNC110 - the clock decides, and nothing tells
            await asyncio.sleep(0.01)
    assert broker.lines(1) == [b"3", b"4"]
    broker.outcomes[1].set_result(None)
    await asyncio.gather(*later)


async def test_who_sends_one_after_the_other_never_waits(broker: FakeBroker) -> None:
    group = GroupCommit(broker, CollectorRegistry(), pace_seconds=1_000)
    for number in range(3):
        task = commit(group, envelope(b"1"))
        await settle()
        broker.outcomes[number].set_result(None)
        await task


async def test_a_request_larger_than_an_envelope_is_split_and_confirmed_as_a_whole(
    group: GroupCommit, broker: FakeBroker
) -> None:
    lines = [b"%d" % number + b"x" * 29_999 for number in range(90)]
    task = commit(group, envelope(*lines, filtered=3))
    await settle()
    broker.outcomes[0].set_result(None)
    await settle()
    assert not task.done()
    for outcome in broker.outcomes[1:]:
        outcome.set_result(None)
    await task
    assert [line for number in range(len(broker.published)) for line in broker.lines(number)] == lines
    assert max(len(body) for _, body, _ in broker.published) < MAX_MESSAGE_BYTES - 64_000
    headers = [headers for _, _, headers in broker.published]
    sections = [one for given in headers for one in decode_sections("events.shop", given, datetime.now(UTC))]
    assert sum(sum(section.filtered.values()) for section in sections) == 3


async def test_envelopes_of_several_apps_that_wait_depart_together(group: GroupCommit, broker: FakeBroker) -> None:
    first = commit(group, envelope(b"1"))
    await settle()
    others = [commit(group, envelope(b"2", app_id=app_id)) for app_id in ("shop", "blog", "blog")]
    await settle()
    assert len(broker.published) == 1
    broker.outcomes[0].set_result(None)
    await first
    await settle()
    assert broker.batches == [["shop", "blog"]]
    assert [(app_id, body) for app_id, body, _ in broker.published[1:]] == [("shop", b"2"), ("blog", b"2\n2")]
    for outcome in broker.outcomes[1:]:
        outcome.set_result(None)
    await asyncio.gather(*others)


async def test_of_envelopes_that_depart_together_each_has_its_own_outcome(
    group: GroupCommit, broker: FakeBroker
) -> None:
    tasks = [commit(group, envelope(b"1", app_id=app_id)) for app_id in ("shop", "blog")]
    await settle()
    broker.outcomes[0].set_exception(PublishError("not confirmed"))
    broker.outcomes[1].set_result(None)
    assert [type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)] == [PublishError, type(None)]


async def test_no_more_departs_together_than_the_broker_likes_and_no_app_is_left_behind(
    group: GroupCommit, broker: FakeBroker
) -> None:
    tasks = [commit(group, envelope(b"x" * 490_000, app_id=f"app{number % 7}")) for number in range(14)]
    for _ in range(6):
        await settle()
        for outcome in broker.outcomes:
            if not outcome.done():
                outcome.set_result(None)
    await asyncio.gather(*tasks)
    assert len({app_id for app_id, _, _ in broker.published}) == 7
    assert max(map(len, broker.batches)) < 7


async def test_a_failure_reaches_exactly_the_requests_of_its_envelope(group: GroupCommit, broker: FakeBroker) -> None:
    failing = [commit(group, envelope(b"1")), commit(group, envelope(b"2"))]
    await settle()
    later = commit(group, envelope(b"3"))
    await settle()
    broker.outcomes[0].set_exception(PublishError("not confirmed"))
    await settle()
    broker.outcomes[1].set_result(None)
    assert [type(one) for one in await asyncio.gather(*failing, return_exceptions=True)] == [PublishError] * 2
    await later


async def test_a_request_that_waits_is_refused_at_its_own_deadline_and_its_events_stay_behind(
    group: GroupCommit, broker: FakeBroker
) -> None:
    first = commit(group, envelope(b"1"))
    await settle()
    hasty, patient = commit(group, envelope(b"2"), 0.01), commit(group, envelope(b"3"))
    with pytest.raises(PublishError):
        await hasty
    broker.outcomes[0].set_result(None)
    await first
    await settle()
    assert broker.lines(1) == [b"3"]
    broker.outcomes[1].set_result(None)
    await patient


async def test_a_client_that_goes_away_takes_nobody_along(group: GroupCommit, broker: FakeBroker) -> None:
    gone, stays = commit(group, envelope(b"1")), commit(group, envelope(b"2"))
    await settle()
    gone.cancel()
    await settle()
    broker.outcomes[0].set_result(None)
    await stays
    assert gone.cancelled()


async def test_an_envelope_holds_no_more_than_2500_events_and_full_ones_do_not_wait(
    group: GroupCommit, broker: FakeBroker
) -> None:
    first = commit(group, envelope(b"1"))
    await settle()
    others = [commit(group, envelope(*[b"1"] * 1_000)) for _ in range(3)]
    await settle()
    assert [sum(count or 0 for count in broker.section_counts(number)) for number in range(2)] == [1, 2_000]
    for outcome in list(broker.outcomes):
        outcome.set_result(None)
    await settle()
    broker.outcomes[2].set_result(None)
    await asyncio.gather(first, *others)


async def test_an_envelope_stays_below_the_brokers_limit(group: GroupCommit, broker: FakeBroker) -> None:
    tasks = [commit(group, envelope(b"x" * 490_000)) for _ in range(6)]
    for _ in range(3):
        await settle()
        for outcome in broker.outcomes:
            if not outcome.done():
                outcome.set_result(None)
    await asyncio.gather(*tasks)
    assert max(len(body) for _, body, _ in broker.published) < MAX_MESSAGE_BYTES - 64_000
    assert len(broker.published) == 2


async def test_filtered_events_travel_as_a_count_without_a_line(group: GroupCommit, broker: FakeBroker) -> None:
    tasks = [commit(group, envelope(filtered=2)), commit(group, envelope(b"1")), commit(group, envelope(filtered=1))]
    await settle()
    broker.outcomes[0].set_result(None)
    await asyncio.gather(*tasks)
    app_id, body, headers = broker.published[0]
    assert body == b"1"
    sections = decode_sections(f"events.{app_id}", headers, datetime.now(UTC))
    assert [(section.events, dict(section.filtered)) for section in sections] == [
        (0, {"path": 2}),
        (1, {}),
        (0, {"path": 1}),
    ]


async def test_a_broker_that_is_away_is_named(group: GroupCommit, broker: FakeBroker) -> None:
    task = commit(group, envelope(b"1"))
    await settle()
    broker.outcomes[0].set_exception(NotReadyError("The broker is not connected."))
    with pytest.raises(NotReadyError, match="not connected"):
        await task


async def test_a_kill_point_lies_before_the_publish_and_after_the_confirmation(broker: FakeBroker) -> None:
    reached: list[str] = []
    group = GroupCommit(broker, CollectorRegistry(), reached.append)
    task = commit(group, envelope(b"1"))
    await settle()
    assert reached == ["before_publish"]
    broker.outcomes[0].set_result(None)
    await settle()
    assert reached == ["before_publish", "after_publish"]
    await task
