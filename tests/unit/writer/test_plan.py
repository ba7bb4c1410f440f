"""Which files a compaction merges."""

from datetime import UTC, datetime, timedelta

from ingest_service.writer.compaction import MergeLimits, SmallFile, plan

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = MergeLimits(fan_in=4, tier_factor=8, smallest_tier_bytes=100, full_rows=1_000, full_bytes=100_000)


def file(name: str, size: int = 50, rows: int = 10, folder: str = "h=1", age: timedelta = timedelta()) -> SmallFile:
    modified_ms = int((NOW - age).timestamp() * 1000)
    return SmallFile(f"{folder}/{name}", size, rows, modified_ms, {"h": folder[2:]}, folder, name.partition("-")[0])


def merged(files: list[SmallFile], limits: MergeLimits = LIMITS) -> list[list[str]]:
    return [sorted(file.path for file in group) for group in plan(files, NOW, limits)]


def test_files_are_merged_with_their_like_only() -> None:
    small = [file(f"part-{number}") for number in range(4)]
    large = [file(f"part-l{number}", size=5_000) for number in range(3)]
    shifted = [file(f"shifted-{number}") for number in range(3)]
    elsewhere = [file(f"part-{number}", folder="h=2") for number in range(3)]
    assert merged(small + large + shifted + elsewhere) == [[f"h=1/part-{number}" for number in range(4)]]


def test_full_files_are_left_alone() -> None:
    assert merged([file(f"part-{number}", rows=1_000) for number in range(9)]) == []


def test_no_merged_file_grows_beyond_full() -> None:
    groups = plan([file(f"part-{number}", rows=300) for number in range(8)], NOW, LIMITS)
    assert [sum(item.rows for item in group) for group in groups] == [900, 900, 600]


def test_a_quiet_hour_is_finished_where_it_is_worth_it() -> None:
    old = timedelta(hours=2)
    even = [file("part-a", size=90, age=old), file("part-b", size=60, age=old)]
    assert merged(even) == [["h=1/part-a", "h=1/part-b"]]
    dust = [file("part-a", size=50_000, age=old), file("part-b", size=60, age=old)]
    assert merged(dust) == []


def test_one_run_takes_the_most_crowded_hours_first() -> None:
    limits = MergeLimits(fan_in=2, merges_per_run=1)
    few = [file(f"part-{number}", folder="h=2") for number in range(2)]
    many = [file(f"part-{number}", folder="h=3") for number in range(5)]
    assert merged(few + many, limits) == [[f"h=3/part-{number}" for number in range(5)]]
