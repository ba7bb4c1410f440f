"""Adds up what the writer's commits say of the events that arrived, by app and UTC hour of arrival."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

import msgspec

Cause = Literal["log_cleaned_up", "not_told", "rows_lost"]
Key = tuple[str, datetime]
# The beginning of time, where nobody knows since when something is missing.
EVER = datetime(1970, 1, 1, tzinfo=UTC)
# A gateway's clock may be behind the broker's by this much.
_CLOCKS = timedelta(minutes=5)
_MOMENT = timedelta(microseconds=1)
COLUMNS = ("received", "stored", "window_duplicate", "quarantined", "filtered", "flagged")


class Note(Protocol):
    """What is read of a commit: its version, `commitInfo`, and the broker's time of the last message in it."""

    @property
    def version(self) -> int: ...
    @property
    def complete_through(self) -> datetime | None: ...
    @property
    def info(self) -> Mapping[str, Any]: ...


class Entry(msgspec.Struct, frozen=True):
    """One app and hour of arrival in a commit's note."""

    app_id: str
    hour: datetime
    received: int
    stored: int
    window_duplicate: int
    quarantined: dict[str, int]
    filtered: dict[str, int]
    flagged: int
    last_received_at: datetime


@dataclass(slots=True)
class Hour:
    """What became of the events of one app that arrived in one hour; `reasons` by (outcome, reason or kind).

    `told_until` is the broker's time of the last message in a commit that says something of it.
    """

    version: int
    last_received_at: datetime
    told_until: datetime
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, entry: Entry, version: int, told_until: datetime) -> None:
        """Add what the commit `version` says."""
        self.version = max(self.version, version)
        self.told_until = max(self.told_until, told_until)
        self.last_received_at = max(self.last_received_at, entry.last_received_at)
        self.reasons.update({("quarantined", reason): events for reason, events in entry.quarantined.items()})
        self.reasons.update({("filtered", kind): events for kind, events in entry.filtered.items()})
        self.counts.update(
            received=entry.received,
            stored=entry.stored,
            window_duplicate=entry.window_duplicate,
            quarantined=sum(entry.quarantined.values()),
            filtered=sum(entry.filtered.values()),
            flagged=entry.flagged,
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """A time of arrival, `[starts_at, ends_at)`, of which some commits are not known."""

    starts_at: datetime
    ends_at: datetime
    cause: Cause


@dataclass(slots=True)
class Arrivals:
    """Commits added up: what they add to each hour, what is not known, and which apps were deleted at which version."""

    hours: dict[Key, Hour] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    deleted: dict[str, int] = field(default_factory=dict)

    def miss(self, since: datetime | None, until: datetime, cause: Cause) -> None:
        """Note that commits of what arrived between the two instants are not known; touching gaps become one."""
        starts_at = EVER if since is None else since - _CLOCKS
        last = self.gaps[-1] if self.gaps else None
        if last is not None and last.cause == cause and starts_at <= last.ends_at:
            self.gaps[-1] = Gap(min(last.starts_at, starts_at), max(last.ends_at, until), cause)
        else:
            self.gaps.append(Gap(starts_at, until, cause))


def add_up(notes: Iterable[Note], after_version: int, since: datetime | None, now: datetime) -> Arrivals:
    """What the notes after `after_version` say; `since` is the instant up to which earlier ones told everything.

    A note of the writer that does not account for its events makes a gap: its counts are unknown, not zero.
    """
    found = Arrivals()
    for note in sorted(notes, key=lambda note: note.version):
        if note.version <= after_version:
            continue
        if "deleted_app" in note.info:
            _forget(found, str(note.info["deleted_app"]), note.version)
        elif "repaired" in note.info:
            if note.info.get("lost"):
                first, last = map(datetime.fromisoformat, note.info.get("arrived", (EVER.isoformat(), now.isoformat())))
                found.miss(first, last + _MOMENT, "rows_lost")
        elif "touched" in note.info:
            _add(found, note, since, now)
        since = max(filter(None, (since, note.complete_through)), default=None)
    return found


def _add(found: Arrivals, note: Note, since: datetime | None, now: datetime) -> None:
    try:
        entries = msgspec.convert(note.info["accounting"], tuple[Entry, ...])
    except (KeyError, msgspec.ValidationError):
        found.miss(since, note.complete_through or now, "not_told")
        return
    told_until = note.complete_through or now
    for entry in entries:
        key = (entry.app_id, entry.hour.astimezone(UTC))
        hour = found.hours.setdefault(key, Hour(note.version, entry.last_received_at, told_until))
        hour.add(entry, note.version, told_until)


def _forget(found: Arrivals, app_id: str, version: int) -> None:
    """The app's rows have left the lake: what arrived before is counted nowhere. Its id may be taken again."""
    found.deleted[app_id] = version
    for key in [key for key in found.hours if key[0] == app_id]:
        del found.hours[key]
