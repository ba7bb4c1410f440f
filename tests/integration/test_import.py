"""`eventmill import` against a real broker and database: what the stream then holds, and what is refused before."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import zstandard
from click.testing import CliRunner

from eventmill import committed, lake, stream
from eventmill.cli import import_ as import_command
from eventmill.cli import main
from eventmill.contracts import envelope, subjects
from eventmill.contracts.decode import AppRules, DecodeContext, Decoded, Rejected, decode_event
from eventmill.contracts.event import StoredEvent
from eventmill.contracts.reasons import Reason
from eventmill.control.apps import create_app
from eventmill.control.history import record_start
from eventmill.settings import Settings

pytestmark = pytest.mark.integration

REAL_LOG = Path(__file__).parents[1] / "data" / "access_2015-05.log.gz"
STATIC = tuple(
    f".{extension}"
    for extension in (
        "css js mjs map png jpg jpeg gif svg ico webp avif bmp woff woff2 ttf otf eot swf mp3 mp4 webm".split()  # noqa: SIM905
    )
)


@pytest.fixture
def site(settings: Settings, database: str) -> Settings:
    """Settings of a running broker and database with the app `site`; history starts with the real log."""
    with psycopg.connect(database) as connection:
        create_app(connection, "Site", app_id="site")
    asyncio.run(_with_stream(settings, _nothing))
    return settings.model_copy(update={"history_start": date(2015, 5, 17)})


async def _with_stream(settings: Settings, use: Callable[[Any], Any]) -> Any:
    client = await stream.connect(settings, "test")
    try:
        await stream.ensure_stream(client.jetstream(), settings)
        return await use(client.jetstream())
    finally:
        await client.close()


async def _nothing(_: Any) -> None:
    return None


def decoded(settings: Settings) -> list[Decoded]:
    """What the writer would make of every line in the stream, in order."""

    async def read(js: Any) -> list[Decoded]:
        identity = await stream.identify_stream(js)
        found: list[Decoded] = []
        for sequence in range(max(identity.first_seq, 1), identity.last_seq + 1):
            message = await js.get_msg(subjects.STREAM, sequence)
            (section,) = envelope.decode_sections(message.subject, message.headers, datetime.now(UTC))
            context = section.context
            rules = DecodeContext(AppRules("site"), context, datetime(2015, 5, 17, tzinfo=UTC))
            lines = envelope.split_body(message.data)
            found.extend(decode_event(envelope.unwrap(line), rules) for line in lines)
        return found

    result: list[Decoded] = asyncio.run(_with_stream(settings, read))
    return result


def events_of(settings: Settings) -> list[StoredEvent]:
    return [event for event in decoded(settings) if isinstance(event, StoredEvent)]


def invoke(settings: Settings, arguments: list[str]) -> Any:
    """Run the command line with these settings in place of the environment."""
    variables = {
        "EVENTMILL_HOME": str(settings.home),
        "EVENTMILL_NATS_URL": settings.nats_url,
        "EVENTMILL_DATABASE_URL": settings.database_url,
        "EVENTMILL_HISTORY_START": settings.history_start.isoformat(),
    }
    return CliRunner().invoke(main, arguments, env=variables)


def import_file(settings: Settings, file: Path, kind: str = "access-log") -> dict[str, Any]:
    """Import without waiting for a writer."""
    answer = invoke(settings, ["import", kind, str(file), "--app", "site", "--no-wait", "--json"])
    assert answer.exit_code == 0, answer.output
    report: dict[str, Any] = json.loads(answer.stdout)
    return report


def recomputed() -> Iterator[tuple[str, bool, tuple[str, str]]]:
    """Day, whether it is a page view, and client of each whole line, taken apart without our parser."""
    for line in gzip.decompress(REAL_LOG.read_bytes()).decode().splitlines():
        parts = line.split('"')
        if len(parts) != 7:
            continue
        day = parts[0].split("[")[1][:11]
        method, target = parts[1].split(" ")[:2]
        status = int(parts[2].split()[0])
        is_answered = 200 <= status < 300 or status == 304
        is_static = target.partition("?")[0].partition("#")[0].lower().endswith(STATIC)
        yield day, method == "GET" and is_answered and not is_static, (line.split(" ")[0], parts[5])


def test_the_real_log_gives_its_days_pages_and_visitors(site: Settings) -> None:
    report = import_file(site, REAL_LOG)
    events = events_of(site)
    per_day = Counter(event.event_time.date().isoformat() for event in events)
    assert per_day == {"2015-05-17": 1_632, "2015-05-18": 2_893, "2015-05-19": 2_896, "2015-05-20": 2_578}
    assert len({event.event_id for event in events}) == 9_999
    expected = list(recomputed())
    views = Counter(event.event_time.strftime("%d/%b/%Y") for event in events if event.event_type == "page_view")
    assert views == Counter(day for day, is_view, _ in expected if is_view)
    assert len({event.anonymous_id for event in events}) == len({client for *_, client in expected})
    assert (report["lines"], report["sent"], report["quarantined"]) == (10_000, 10_000, None)


def test_the_broken_line_is_rejected_with_its_bytes_and_reason(site: Settings) -> None:
    import_file(site, REAL_LOG)
    rejected = [answer for answer in decoded(site) if isinstance(answer, Rejected)]
    broken = gzip.decompress(REAL_LOG.read_bytes()).splitlines()[8_898]
    assert [(answer.reason, answer.raw) for answer in rejected] == [(Reason.UNPARSABLE_LINE, broken)]


def test_importing_the_same_file_again_brings_the_same_ids_and_visitors(site: Settings) -> None:
    import_file(site, REAL_LOG)
    first = events_of(site)
    import_file(site, REAL_LOG)
    again = events_of(site)[len(first) :]
    assert [(event.event_id, event.anonymous_id) for event in again] == [
        (event.event_id, event.anonymous_id) for event in first
    ]


def test_a_file_in_zstandard_is_the_same_file(site: Settings, new_directory: Callable[[], Path]) -> None:
    lines = gzip.decompress(REAL_LOG.read_bytes()).splitlines(keepends=True)[:50]
    packed, plain = new_directory() / "log.zst", new_directory() / "log"
    packed.write_bytes(zstandard.compress(b"".join(lines)))
    plain.write_bytes(b"\n".join(lines))
    import_file(site, packed)
    import_file(site, plain)
    ids = [event.event_id for event in events_of(site)]
    assert len(ids) == 100
    assert ids[:50] == ids[50:]


def test_what_is_older_than_history_is_refused_before_anything_is_sent(site: Settings) -> None:
    later = site.model_copy(update={"history_start": date(2015, 5, 18)})
    answer = invoke(later, ["import", "access-log", str(REAL_LOG), "--app", "site"])
    assert answer.exit_code == 1
    assert "EVENTMILL_HISTORY_START=2015-05-17 make up" in answer.output
    assert decoded(site) == []


def test_the_running_services_know_best_where_history_starts(site: Settings, database: str) -> None:
    with psycopg.connect(database) as connection:
        record_start(connection, date(2020, 1, 1))
        record_start(connection, date(2026, 1, 1))
    answer = invoke(site, ["import", "access-log", str(REAL_LOG), "--app", "site"])
    assert answer.exit_code == 1
    assert "before 2026-01-01" in answer.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b,c\n1,2,3\n", "No line of"),
        (gzip.compress(b"x\n" * 1_000)[:-12], "is damaged"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 50, "is damaged"),
        (b"x" * 600_000, "longer than 500,000 bytes"),
    ],
    ids=["another format", "torn gzip", "torn zstandard", "no lines"],
)
def test_a_file_that_is_no_log_is_refused(
    site: Settings, new_directory: Callable[[], Path], content: bytes, message: str
) -> None:
    file = new_directory() / "file"
    file.write_bytes(content)
    answer = invoke(site, ["import", "access-log", str(file), "--app", "site"])
    assert answer.exit_code == 1
    assert message in answer.output
    assert decoded(site) == []


def test_a_missing_file_and_an_unknown_app_are_named(site: Settings) -> None:
    answer = invoke(site, ["import", "access-log", "/nowhere/access.log", "--app", "site"])
    assert "/nowhere/access.log cannot be read: No such file or directory" in answer.output
    answer = invoke(site, ["import", "access-log", str(REAL_LOG), "--app", "nowhere"])
    assert "There is no app 'nowhere'" in answer.output


def test_ndjson_keeps_what_it_says_and_gets_ids_that_stay(site: Settings, new_directory: Callable[[], Path]) -> None:
    with_id = b'{"event_id":"a","event_type":"click","user_id":"u","timestamp":"2016-01-01T00:00:00Z","source":"web"}'
    without = b'{"event_type":"click","user_id":"u","timestamp":"2016-01-01T00:00:00+01:00"}'
    file = new_directory() / "events.ndjson"
    file.write_bytes(b"\n".join([with_id, without, b"", without, b"{broken"]))
    import_file(site, file, "ndjson")
    import_file(site, file, "ndjson")
    events = events_of(site)
    assert [(event.event_id == "a", event.source) for event in events[:3]] == [
        (True, "web"),
        (False, "import"),
        (False, "import"),
    ]
    assert len({event.event_id for event in events}) == 3
    assert len(events) == 6
    rejected = [answer for answer in decoded(site) if isinstance(answer, Rejected)]
    assert [(answer.reason, answer.raw) for answer in rejected] == [(Reason.MALFORMED_JSON, b"{broken")] * 2


def test_an_import_ends_when_the_lake_has_everything_and_quarantines_a_line_once(
    site: Settings, writer: None, new_directory: Callable[[], Path]
) -> None:
    file = new_directory() / "log"
    file.write_bytes(b"\n".join(gzip.decompress(REAL_LOG.read_bytes()).splitlines()[8_889:8_909]))
    arguments = ["import", "access-log", str(file), "--app", "site", "--json"]
    first, second = (json.loads(invoke(site, arguments).stdout) for _ in range(2))
    assert (first["sent"], first["known_broken"], first["quarantined"]) == (20, 0, {"unparsable_line": 1})
    assert (second["sent"], second["known_broken"], second["quarantined"]) == (19, 1, {})
    assert len(committed.unparsable_ids(site, "site")) == 1
    assert committed.unparsable_ids(site, "another") == set()


def test_an_import_says_so_when_no_writer_runs(
    site: Settings, new_directory: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.create_tables(site)
    file = new_directory() / "log"
    file.write_bytes(gzip.decompress(REAL_LOG.read_bytes()).splitlines()[0])
    monkeypatch.setattr(import_command, "WRITER_PATIENCE_SECONDS", 0.3)
    answer = invoke(site, ["import", "access-log", str(file), "--app", "site"])
    assert answer.exit_code == 1
    assert "the events are safe in the stream" in answer.output


@pytest.fixture
def writer(site: Settings) -> Iterator[None]:
    """A writer in a process of its own."""
    lake.create_tables(site)
    given = {name: value for name, value in site.model_dump(mode="json").items() if value is not None}
    environment = os.environ | {f"EVENTMILL_{name.upper()}": str(value) for name, value in given.items()}
    with Path(site.home, "writer.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "ingest_service.writer"], env=environment, stderr=log)
        yield
        process.terminate()
        process.wait()
