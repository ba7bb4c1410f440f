"""Publishes quarantined events again and notes that, some rows at a time."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import psycopg
from nats.js import JetStreamContext

from eventmill.control import replays
from eventmill.control.replays import Replay
from eventmill.quarantine import QuarantinedEvent
from eventmill.quarantine_replay import Judge, JudgedRow, messages
from eventmill.stream import publish_envelope

_ROWS_AT_ONCE = 100
_IN_FLIGHT = 16
_BUDGET_SECONDS = 10.0


@dataclass(slots=True)
class ReplayReport:
    """What a replay did or would do to so many `rows`; `already_replayed` ones were left alone."""

    rows: int = 0
    already_replayed: int = 0
    accepted: int = 0
    published_events: int = 0
    judged: list[JudgedRow] = field(default_factory=list)


class Replayer:
    """Judges rows and, unless it is a dry run, publishes those of which something would be stored."""

    def __init__(
        self, connection: psycopg.Connection[Any], judge: Judge, *, replayed_by: str, again: bool = False
    ) -> None:
        self._connection, self._judge = connection, judge
        self._replayed_by, self._again = replayed_by, again

    def rehearse(self, rows: Iterable[QuarantinedEvent]) -> ReplayReport:
        """What would become of the rows; nothing is published. The report holds no bytes of theirs."""
        report = ReplayReport()
        for judged in self._judged(rows, report):
            report.judged += [_without_bytes(one) for one in judged]
        return report

    async def replay(self, js: JetStreamContext, rows: Iterable[QuarantinedEvent]) -> ReplayReport:
        """Publish what would be stored, and note it once the broker has it.

        Cut off in between, the same call goes on: what the broker has is recognised by its event ids at the latest.
        Raises StreamFullError or PublishError where the broker does not take a message.
        """
        report = ReplayReport()
        slots = asyncio.Semaphore(_IN_FLIGHT)
        for judged in self._judged(rows, report):
            accepted = [one for one in judged if one.accepted]
            done = await asyncio.gather(*(self._publish(js, one, slots) for one in accepted), return_exceptions=True)
            stored = [one for one in done if isinstance(one, Replay)]
            with self._connection.transaction():
                replays.record(self._connection, stored)
            self._connection.commit()
            report.published_events += sum(one.events for one in stored)
            for failure in done:
                if isinstance(failure, BaseException):
                    raise failure
        return report

    def _judged(self, rows: Iterable[QuarantinedEvent], report: ReplayReport) -> Iterator[Sequence[JudgedRow]]:
        remaining = iter(rows)
        while chunk := list(islice(remaining, _ROWS_AT_ONCE)):
            known = {} if self._again else replays.replayed_at(self._connection, [row.id for row in chunk])
            judged = [self._judge.judge(row) for row in chunk if row.id not in known]
            report.rows += len(chunk)
            report.already_replayed += len(known)
            report.accepted += sum(one.accepted > 0 for one in judged)
            yield judged

    async def _publish(self, js: JetStreamContext, judged: JudgedRow, slots: asyncio.Semaphore) -> Replay:
        row = judged.row
        events, message_id, sequence, was_known = 0, "", 0, False
        for message in messages(judged):
            async with slots:
                ack = await publish_envelope(js, row.app_id, message.body, message.headers, _BUDGET_SECONDS)
            events += message.events
            message_id, sequence, was_known = message.message_id, ack.seq, bool(ack.duplicate)
        changed = [change.field for change in self._judge.changes]
        outcome = "known_to_broker" if was_known else "published"
        return Replay(row.app_id, row.id, self._replayed_by, changed, events, message_id, sequence, outcome)


def _without_bytes(judged: JudgedRow) -> JudgedRow:
    # The bytes of a long quarantine would fill the memory, and nobody asks the report for them.
    return JudgedRow(replace(judged.row, raw=b""), [replace(line, line=b"") for line in judged.lines])
