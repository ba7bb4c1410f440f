"""Counts what became of the events of a batch, per app and hour of arrival."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from eventmill.envelopes.decoding import DecodedEnvelope

_FLAG = "plan_violation"


@dataclass(slots=True)
class Account:
    """`received = stored + window_duplicate + quarantined + filtered`: the events of one app that arrived in one hour.

    `flagged` of the stored ones break the tracking plan. `quarantined` is by reason, `filtered` by kind.
    """

    app_id: str
    hour: datetime
    last_received_at: datetime
    received: int = 0
    stored: int = 0
    window_duplicate: int = 0
    flagged: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    filtered: Counter[str] = field(default_factory=Counter)

    def encode(self) -> dict[str, Any]:
        """The account as the commit's note has it."""
        return {
            "app_id": self.app_id,
            "hour": self.hour.isoformat(),
            "received": self.received,
            "stored": self.stored,
            "window_duplicate": self.window_duplicate,
            "quarantined": dict(self.quarantined),
            "filtered": dict(self.filtered),
            "flagged": self.flagged,
            "last_received_at": self.last_received_at.isoformat(),
        }

    @property
    def excess(self) -> int:
        """Events that have a fate and were not received; 0 unless the account is wrong."""
        fates = self.stored + self.window_duplicate + self.quarantined.total() + self.filtered.total()
        return fates - self.received


def accounts_of(
    envelopes: Sequence[DecodedEnvelope], stored: pa.Table, copies: pa.Table, quarantined: pa.Table
) -> list[Account]:
    """Accounts of a batch, by app and hour.

    `stored` and `copies` are rows of `events`, `quarantined` of `quarantine`: all those of the batch, also where an
    earlier attempt has committed them.
    """
    found: dict[tuple[str, datetime], Account] = {}
    for envelope in envelopes:
        _receive(found, envelope)
    for app_id, hour, count in _by_hour(stored):
        _account(found, app_id, hour).stored += count
    for app_id, hour, count in _by_hour(copies):
        _account(found, app_id, hour).window_duplicate += count
    if _FLAG in stored.column_names and stored[_FLAG].null_count < stored.num_rows:
        for app_id, hour, count in _by_hour(stored.filter(pc.is_valid(stored[_FLAG]))):
            _account(found, app_id, hour).flagged += count
    for app_id, hour, reason, count in _by_hour(quarantined, "reason"):
        _account(found, app_id, hour).quarantined[reason] += count
    for account in found.values():
        _balance(account)
    return sorted(found.values(), key=lambda account: (account.app_id, account.hour))


def _receive(found: dict[tuple[str, datetime], Account], envelope: DecodedEnvelope) -> None:
    if envelope.sequences is not None and (hour := _only_hour(envelope)) is not None:
        # One by one, messages of one event each cost a microsecond.
        account = _account(found, envelope.app_id, hour)
        account.received += sum(section.received for section in envelope.sections)
        latest = max(section.context.received_at for section in envelope.sections)
        account.last_received_at = max(account.last_received_at, latest)
        return
    for section in envelope.sections:
        context = section.context
        account = _account(found, context.app_id, context.received_at)
        account.received += section.received
        account.filtered.update(section.filtered)
        account.last_received_at = max(account.last_received_at, context.received_at)


def _only_hour(envelope: DecodedEnvelope) -> datetime | None:
    """The hour in which all messages of an envelope that has no filtered events arrived; None where there are more."""
    instants = [section.context.received_at for section in envelope.sections]
    first, last = _hour(min(instants)), _hour(max(instants))
    return first if first == last else None


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _account(found: dict[tuple[str, datetime], Account], app_id: str, instant: datetime) -> Account:
    hour = _hour(instant)
    account = found.get((app_id, hour))
    if account is None:
        account = found[app_id, hour] = Account(app_id, hour, last_received_at=instant)
    return account


def _by_hour(rows: pa.Table, *more: str) -> Iterator[tuple[Any, ...]]:
    """App, UTC hour of arrival, values of the columns `more`, and the number of rows that have them."""
    if not rows.num_rows:
        return
    hours = pc.floor_temporal(rows["received_at"], unit="hour")
    keys = pa.table({"app_id": rows["app_id"], "hour": hours, **{name: rows[name] for name in more}})
    for row in keys.group_by(keys.column_names).aggregate([([], "count_all")]).to_pylist():
        yield tuple(row.values())


def _balance(account: Account) -> None:
    """Take from `filtered` what a crash between the two commits had quarantined, and a filter made since covers."""
    while account.excess > 0 and account.filtered:
        kind, count = account.filtered.most_common(1)[0]
        account.filtered[kind] -= min(count, account.excess)
        account.filtered += Counter()  # leaves out kinds that are at zero
