"""How the benchmark of ingestion judges its runs: what it leaves out, what voids a run, what it writes down."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tests.benchmarks.ingest import report
from tests.benchmarks.ingest.events import Events, event_id
from tests.benchmarks.ingest.load import request_ids
from tests.benchmarks.ingest.load_client import Requests
from tests.benchmarks.ingest.results import Figure, Outcome, Side, compare
from tests.benchmarks.ingest.room import VoidRunError
from tests.benchmarks.ingest.writer_run import WriterCommit, expect_exactly, steady_rate

SPEED = Figure("speed", must=2, aim=4)
COST = Figure("cost", must=10, aim=3, unit="%", is_cost=True)


def outcome(title: str, value: float) -> Outcome:
    return Outcome(Figure(title, must=2, aim=4), [value], [Side("ours", "events/s", [value])])


def test_a_comparison_divides_repeat_by_repeat() -> None:
    compared = compare(SPEED, Side("ours", "events/s", [10, 30, 60]), Side("theirs", "events/s", [10, 10, 10]))
    assert list(compared.values) == [1, 3, 6]
    assert compared.median == 3


@pytest.mark.parametrize(
    ("figure", "value", "grade"),
    [(SPEED, 4, "aim"), (SPEED, 2, "must"), (SPEED, 1.9, "missed"), (COST, 3, "aim"), (COST, 11, "missed")],
)
def test_a_cost_must_stay_below_its_bounds_and_anything_else_reach_them(
    figure: Figure, value: float, grade: str
) -> None:
    assert figure.grade(value) == grade


def test_the_warm_up_and_the_last_commit_are_left_out_of_a_rate() -> None:
    commits = [WriterCommit(at, 0, 100, cpu_seconds=at / 2) for at in (0.0, 50.0, 51.0, 52.0, 60.0)]
    # A tenth of these 410 events is reached with the second commit.
    slow_start = [WriterCommit(0.0, 0, 10), *commits[1:]]
    assert steady_rate(commits).events_per_second == 300 / 52
    assert steady_rate(slow_start).events_per_second == 200 / 2
    assert steady_rate(slow_start).cpu_us == 1 / 200 * 1e6


def test_a_rate_of_a_handful_of_commits_is_refused() -> None:
    with pytest.raises(VoidRunError, match="too few"):
        steady_rate([WriterCommit(float(number), number, 100) for number in range(3)])


@pytest.mark.parametrize(
    ("found", "says"),
    [(["a"], "1 of 2 events are missing"), (["a", "b", "b"], "1 are there twice"), (["a", "b", "c"], "1 were never")],
)
def test_a_lost_doubled_or_strange_event_voids_a_run(found: list[str], says: str) -> None:
    with pytest.raises(VoidRunError, match=says):
        expect_exactly(found, ["a", "b"], "lake")


def test_every_event_has_an_id_of_its_own() -> None:
    events = Events(datetime(2026, 11, 1, tzinfo=UTC))
    lines = events.envelope(9_000, 2_000).split(b"\n")
    assert [msgspec.json.decode(line)["event_id"] for line in lines] == [event_id(n) for n in range(9_000, 11_000)]
    assert len({event_id(number) for number in range(20_000)}) == 20_000


def test_our_own_load_numbers_its_events_as_the_check_expects() -> None:
    requests = Requests("run", 2, [b',"a":1}', b',"a":2}'], b"")
    bodies = [requests.next().partition(b"\r\n\r\n")[2] for _ in range(2)]
    assert [msgspec.json.decode(line)["event_id"] for line in bodies[1].split(b"\n")] == request_ids("run", 1, 2)


def test_an_answer_that_does_not_accept_every_event_is_no_good_answer() -> None:
    requests = Requests("run", 1, [b"}"], b"")
    content = b'{"accepted":%d,"events":[{"event_id":"run-00000007-0000"}]}'
    requests.note(b"HTTP/1.1 200 OK", content % 1, 0.1)
    requests.note(b"HTTP/1.1 200 OK", content % 0, 0.1)
    requests.note(b"HTTP/1.1 503 Service Unavailable", content % 1, 0.1)
    assert (requests.answered, requests.bad) == ([b"00000007"], 2)


def test_a_page_keeps_the_figures_that_were_not_measured_again(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n{report.BEGIN}\n{report.END}\nAfter\n", encoding="utf-8")
    report.write([outcome("first", 1), outcome("second", 2)], "machine A", page)
    report.write([outcome("second", 5)], "machine A", page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Before\n")
    assert text.endswith("\nAfter\n")
    assert [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")][2:] == ["| first", "| second"]
    assert "5.00×" in text
    assert "**2.00×**" not in text


def test_a_page_without_the_section_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Before\n", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the marks"):
        report.write([outcome("first", 1)], "machine A", page)
    assert page.read_text(encoding="utf-8") == "# Before\n"
