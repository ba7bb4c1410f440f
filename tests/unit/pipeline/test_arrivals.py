"""Commits added up by app and hour of arrival: in any order and any portions the same, and unknown is never zero."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from analytics_pipeline.lib.arrivals import EVER, Arrivals, Gap, Hour, add_up

HOUR = datetime(2026, 5, 12, 14, tzinfo=UTC)
NOW = HOUR + timedelta(hours=3)


@dataclass(frozen=True)
class Note:
    version: int
    info: dict[str, Any]
    complete_through: datetime | None = field(default=None)


def entry(app_id: str = "shop", hour: datetime = HOUR, **counts: Any) -> dict[str, Any]:
    given = {"stored": 0, "window_duplicate": 0, "quarantined": {}, "filtered": {}, "flagged": 0} | counts
    lost = sum(given["quarantined"].values()) + sum(given["filtered"].values())
    received = given["stored"] + given["window_duplicate"] + lost
    last = counts.pop("last", hour)
    given.pop("last", None)
    return {
        "app_id": app_id,
        "hour": hour.isoformat(),
        "received": received,
        "last_received_at": last.isoformat(),
        **given,
    }


def note(version: int, *entries: dict[str, Any]) -> Note:
    return Note(version, {"touched": [], "accounting": list(entries)}, HOUR + timedelta(minutes=version))


counts = st.integers(0, 50)
entries = st.builds(
    entry,
    app_id=st.sampled_from(["shop", "blog"]),
    hour=st.sampled_from([HOUR, HOUR + timedelta(hours=1)]),
    stored=counts,
    window_duplicate=counts,
    quarantined=st.dictionaries(st.sampled_from(["too_old", "wrong_type"]), st.integers(1, 9)),
    filtered=st.dictionaries(st.sampled_from(["host", "path"]), st.integers(1, 9)),
    flagged=counts,
    last=st.sampled_from([HOUR, HOUR + timedelta(minutes=59)]),
)
infos = st.one_of(
    st.lists(entries, max_size=4).map(lambda found: {"touched": [], "accounting": found}),
    st.just({"deleted_app": "blog"}),
    st.just({"operation": "OPTIMIZE"}),
)


class Table:
    """What Postgres does with what was added up."""

    def __init__(self) -> None:
        self.hours: dict[Any, Hour] = {}
        self.version = 0

    def add(self, found: Arrivals, through: int) -> None:
        for app_id, version in found.deleted.items():
            self.hours = {key: hour for key, hour in self.hours.items() if key[0] != app_id or hour.version >= version}
        for key, hour in found.hours.items():
            known = self.hours.setdefault(key, Hour(hour.version, hour.last_received_at, hour.told_until))
            known.counts.update(hour.counts)
            known.reasons.update(hour.reasons)
            known.last_received_at = max(known.last_received_at, hour.last_received_at)
            known.version = max(known.version, hour.version)
            known.told_until = max(known.told_until, hour.told_until)
        self.version = through


@given(st.lists(infos, max_size=8), st.data())
def test_any_portions_in_any_order_read_again_and_again_give_the_same_table(
    found: list[dict[str, Any]], data: st.DataObject
) -> None:
    notes = [Note(version, info, None) for version, info in enumerate(found, start=1)]
    at_once, in_portions = Table(), Table()
    at_once.add(add_up(notes, 0, None, NOW), len(notes))
    while in_portions.version < len(notes):
        through = data.draw(st.integers(in_portions.version + 1, len(notes)))
        # The sensor may read notes again that were added before, and a set has no order.
        first = data.draw(st.integers(0, in_portions.version))
        portion = data.draw(st.permutations(notes[first:through]))
        in_portions.add(add_up(portion, in_portions.version, None, NOW), through)
    assert in_portions.hours == at_once.hours


def test_an_hour_adds_up_what_its_commits_say() -> None:
    found = add_up(
        [
            note(1, entry(stored=3, quarantined={"too_old": 1}, flagged=2)),
            note(
                2, entry(stored=1, window_duplicate=4, quarantined={"too_old": 1, "too_deep": 1}, filtered={"host": 5})
            ),
        ],
        0,
        HOUR,
        NOW,
    )
    hour = found.hours["shop", HOUR]
    assert dict(hour.counts) == {
        "received": 16,
        "stored": 4,
        "window_duplicate": 4,
        "quarantined": 3,
        "filtered": 5,
        "flagged": 2,
    }
    assert hour.reasons == {("quarantined", "too_old"): 2, ("quarantined", "too_deep"): 1, ("filtered", "host"): 5}


def test_a_writers_note_without_accounts_is_unknown_and_not_zero() -> None:
    told_until = HOUR + timedelta(minutes=30)
    found = add_up([Note(1, {"touched": [], "counts": {"apps": {}}}, HOUR + timedelta(hours=1))], 0, told_until, NOW)
    assert found.hours == {}
    assert found.gaps == [Gap(told_until - timedelta(minutes=5), HOUR + timedelta(hours=1), "not_told")]


def test_a_note_that_cannot_be_read_is_unknown_too() -> None:
    found = add_up([note(1, {"app_id": "shop", "hour": "yesterday"})], 0, None, NOW)
    assert found.gaps == [Gap(EVER, HOUR + timedelta(minutes=1), "not_told")]


def test_neighbouring_unknown_notes_are_one_gap() -> None:
    notes = [Note(version, {"touched": []}, HOUR + timedelta(minutes=version)) for version in (1, 2, 3)]
    assert add_up(notes, 0, HOUR, NOW).gaps == [
        Gap(HOUR - timedelta(minutes=5), HOUR + timedelta(minutes=3), "not_told")
    ]


def test_a_repair_that_lost_rows_leaves_the_time_of_their_arrival_uncertain() -> None:
    arrived = [HOUR.isoformat(), (HOUR + timedelta(minutes=9)).isoformat()]
    repaired = Note(1, {"touched": [], "repaired": "part-1.parquet", "lost": 3, "arrived": arrived})
    [gap] = add_up([repaired], 0, HOUR, NOW).gaps
    assert gap.starts_at <= HOUR
    assert HOUR + timedelta(minutes=9) < gap.ends_at < HOUR + timedelta(minutes=10)
    assert gap.cause == "rows_lost"


def test_a_repair_without_loss_and_a_compaction_say_nothing_of_arrivals() -> None:
    notes = [Note(1, {"touched": [], "repaired": "part-1.parquet", "lost": 0}), Note(2, {"operation": "OPTIMIZE"})]
    assert add_up(notes, 0, HOUR, NOW) == Arrivals()


def test_what_arrived_before_an_app_was_deleted_does_not_belong_to_a_later_one_of_its_id() -> None:
    notes = [note(1, entry(stored=3)), Note(2, {"deleted_app": "shop"}), note(3, entry(stored=1))]
    found = add_up(notes, 0, HOUR, NOW)
    assert found.hours["shop", HOUR].counts["stored"] == 1
    assert found.deleted == {"shop": 2}
