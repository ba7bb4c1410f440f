"""The supervisor with small programs: order, restarts, clean ends, left-overs."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from eventmill.embedded import supervised
from eventmill.embedded.leftovers import end_leftovers
from eventmill.embedded.logs import rotate, tail
from eventmill.embedded.run_directory import RunDirectory, RunState, Status
from eventmill.embedded.supervised import Process, Supervised, backoff_seconds
from eventmill.embedded.supervisor import Supervisor, ignore_report
from eventmill.errors import EventmillError

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
WITH_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")


def program(name: str, code: str, **options: object) -> Process:
    return Process(name, lambda: [sys.executable, "-c", code], **options)  # type: ignore[arg-type]


async def eventually(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the condition lies in other processes
        await asyncio.sleep(0.02)


class Watched:
    """A supervisor under test, with the phases that each process went through."""

    def __init__(self, home: Path, processes: Sequence[Process]) -> None:
        self.home = home
        self.seen: list[tuple[str, str]] = []
        self.pids: dict[str, int] = {}
        self.supervisor = Supervisor(home, processes, os.environ, self.note)
        self.task = asyncio.create_task(self.supervisor.run())

    def note(self, name: str, status: Status) -> None:
        self.seen.append((name, status.phase))
        if status.pid is not None:
            self.pids[name] = status.pid

    def status(self, name: str) -> Status:
        return RunDirectory(self.home / "run").load().processes[name]

    async def stop(self) -> None:
        self.supervisor.request_stop()
        await self.task


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def processes_of(home: Path) -> list[psutil.Process]:
    """The processes that carry this home's mark, from outside of the code under test."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"EVENTMILL_SUPERVISED_HOME={home}".encode() in entry.read_bytes():
                found.append(psutil.Process(int(entry.parent.name)))
        except (OSError, psutil.NoSuchProcess):
            continue
    return found


async def test_a_process_starts_after_those_it_depends_on_and_stops_before_them(tmp_path: Path) -> None:
    watched = Watched(tmp_path, [program("late", SLEEP, after=("early",)), program("early", SLEEP)])
    await watched.supervisor.wait_ready(["late"])
    await watched.stop()
    order = watched.seen
    assert order.index(("early", "ready")) < order.index(("late", "starting"))
    assert order.index(("late", "stopped")) < order.index(("early", "stopping"))
    assert not any(runs(pid) for pid in watched.pids.values())


async def test_a_one_shot_must_succeed_before_the_next_process_starts(tmp_path: Path) -> None:
    marker = tmp_path / "migrated"
    migrate = program("migrate", f"open({str(marker)!r}, 'w').close()", one_shot=True)
    check = program("service", f"open({str(marker)!r}).close(); {SLEEP}", after=("migrate",))
    watched = Watched(tmp_path, [check, migrate])
    await watched.supervisor.wait_ready(["service"])
    assert watched.status("migrate").phase == "done"
    await watched.stop()


async def test_what_a_one_shot_needed_stops_after_what_waited_for_the_one_shot(tmp_path: Path) -> None:
    migrate = program("migrate", "pass", after=("postgres",), one_shot=True)
    gateway = program("gateway", SLEEP, after=("migrate",))
    watched = Watched(tmp_path, [program("postgres", SLEEP), migrate, gateway])
    await watched.supervisor.wait_ready(["gateway"])
    await watched.stop()
    assert watched.seen.index(("gateway", "stopped")) < watched.seen.index(("postgres", "stopping"))


async def test_a_crashed_process_is_restarted_and_named_in_the_status(tmp_path: Path) -> None:
    watched = Watched(tmp_path, [program("writer", SLEEP)])
    await watched.supervisor.wait_ready(["writer"])
    first = watched.pids["writer"]
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: watched.pids["writer"] != first)
    status = watched.status("writer")
    assert (status.restarts, status.last_exit_code) == (1, -signal.SIGKILL)
    await watched.stop()


async def test_a_restart_that_cannot_be_prepared_is_tried_again(tmp_path: Path) -> None:
    outcomes: list[Exception | None] = [None, OSError("No space left on device"), None]

    def command() -> list[str]:
        if outcome := outcomes.pop(0):
            raise outcome
        return [sys.executable, "-c", SLEEP]

    watched = Watched(tmp_path, [Process("postgres", command)])
    await watched.supervisor.wait_ready(["postgres"])
    os.kill(watched.pids["postgres"], signal.SIGKILL)
    await eventually(lambda: outcomes == [])
    assert "No space left on device" in tail(tmp_path / "logs" / "postgres.log")
    await watched.stop()


async def test_a_first_start_that_cannot_be_prepared_is_a_failure(tmp_path: Path) -> None:
    def command() -> list[str]:
        raise OSError("No space left on device")

    with pytest.raises(EventmillError, match="nats cannot start: No space left on device"):
        await Supervisor(tmp_path, [Process("nats", command)], os.environ).run()


async def test_a_full_disk_does_not_end_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(tmp_path, [program("writer", SLEEP)])
    await watched.supervisor.wait_ready(["writer"])

    def refuse(_self: RunDirectory, _state: RunState) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(RunDirectory, "save", refuse)
    first = watched.pids["writer"]
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: watched.pids["writer"] != first)
    await watched.stop()


async def test_a_supervisor_whose_home_was_removed_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventmill.embedded.supervisor.UPKEEP_SECONDS", 0.05)
    home = tmp_path / "home"
    watched = Watched(home, [program("writer", SLEEP)])
    await watched.supervisor.wait_ready(["writer"])
    shutil.rmtree(home)
    await watched.task
    assert not runs(watched.pids["writer"])


def test_the_backoff_doubles_up_to_30_seconds() -> None:
    assert [backoff_seconds(crashes) for crashes in (1, 2, 3, 7, 50)] == [0.5, 1, 2, 30, 30]


async def test_a_process_that_never_starts_shows_the_end_of_its_log(tmp_path: Path) -> None:
    broken = program("gateway", "raise SystemExit('the port is cursed')", is_ready=lambda: False)
    with pytest.raises(EventmillError, match=r"(?s)gateway ended with code 1.*the port is cursed") as failure:
        await Supervisor(tmp_path, [broken, program("nats", SLEEP)], os.environ).run()
    assert "logs/gateway.log" in failure.value.hint
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("code", [SLEEP, STUBBORN], ids=["obedient", "stubborn"])
async def test_a_process_that_stops_answering_is_started_again(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "STOP_TIMEOUT_SECONDS", 0.2)
    silenced = tmp_path / "silenced"
    frozen = program("nats", code, is_ready=lambda: not silenced.exists(), patience_seconds=0.2)
    watched = Watched(tmp_path, [frozen])
    await eventually(lambda: ("nats", "ready") in watched.seen)
    first = watched.pids["nats"]
    silenced.touch()
    await eventually(lambda: watched.status("nats").restarts > 0 and not runs(first))
    silenced.unlink()
    await eventually(lambda: watched.seen[-1] == ("nats", "ready"))
    assert watched.pids["nats"] != first
    assert "has not answered" in (tmp_path / "logs" / "nats.log").read_text()
    await watched.stop()


async def test_a_process_that_never_becomes_ready_is_a_failure(tmp_path: Path) -> None:
    silent = program("query", SLEEP, is_ready=lambda: False, start_timeout_seconds=0.3)
    with pytest.raises(EventmillError, match="query was not ready after 0 s"):
        await Supervisor(tmp_path, [silent], os.environ).run()
    assert processes_of(tmp_path) == []


async def test_a_process_with_a_time_of_its_own_is_ended_by_force_after_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "STOP_TIMEOUT_SECONDS", 3600)
    watched = Watched(tmp_path, [program("code", STUBBORN, stop_timeout_seconds=0.2)])
    await watched.supervisor.wait_ready(["code"])
    await watched.stop()
    assert processes_of(tmp_path) == []


async def test_stopping_ends_the_children_of_a_process_too(tmp_path: Path) -> None:
    watched = Watched(tmp_path, [program("code", WITH_CHILD)])
    await watched.supervisor.wait_ready(["code"])
    await eventually(lambda: len(processes_of(tmp_path)) == 2)
    await watched.stop()
    await eventually(lambda: processes_of(tmp_path) == [])


async def test_asked_twice_it_ends_a_stubborn_process_by_force(tmp_path: Path) -> None:
    watched = Watched(tmp_path, [program("stubborn", STUBBORN)])
    await eventually(lambda: "up" in tail(tmp_path / "logs" / "stubborn.log"))
    watched.supervisor.request_stop()
    await eventually(lambda: ("stubborn", "stopping") in watched.seen)
    await watched.stop()
    assert watched.status("stubborn").last_exit_code == -signal.SIGKILL


async def test_a_process_told_to_stop_while_it_is_forked_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fork = asyncio.create_subprocess_exec
    late = Supervised(program("late", SLEEP), tmp_path / "late.log", os.environ, ignore_report)

    async def fork_slowly(*command: str, **options: object) -> asyncio.subprocess.Process:
        child = await fork(*command, **options)  # type: ignore[arg-type]
        await late.stop()
        return child

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fork_slowly)
    await late.run()
    assert (late.status.phase, late.status.pid) == ("stopped", None)


async def test_two_supervisors_on_one_home_refuse_clearly(tmp_path: Path) -> None:
    watched = Watched(tmp_path, [program("only", SLEEP)])
    await watched.supervisor.wait_ready(["only"])
    with pytest.raises(EventmillError, match=rf"already running on .* \(process {os.getpid()}\)") as refused:
        await Supervisor(tmp_path, [], os.environ).run()
    assert "eventmill down" in refused.value.hint
    assert RunDirectory(tmp_path / "run").supervisor_pid() == os.getpid()
    await watched.stop()
    assert RunDirectory(tmp_path / "run").supervisor_pid() is None


SUPERVISE = textwrap.dedent(f"""
    import asyncio, os, sys
    from pathlib import Path
    from eventmill.embedded.supervised import Process
    from eventmill.embedded.supervisor import Supervisor
    processes = [Process("code", lambda: [sys.executable, "-c", {WITH_CHILD!r}])]
    asyncio.run(Supervisor(Path(sys.argv[1]), processes, os.environ).run())
""")


def supervise(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SUPERVISE, str(home)])


@linux_only
async def test_a_killed_supervisor_takes_its_processes_along(tmp_path: Path) -> None:
    supervisor = supervise(tmp_path)
    await eventually(lambda: len(processes_of(tmp_path)) == 2)
    leader = RunDirectory(tmp_path / "run").load().processes["code"].pid
    supervisor.kill()
    supervisor.wait()
    assert leader is not None
    await eventually(lambda: not runs(leader))
    # The kernel ends the child; a grandchild that stayed is ended by the next start.
    end_leftovers(tmp_path, RunDirectory(tmp_path / "run").load())
    assert processes_of(tmp_path) == []


async def test_sigterm_stops_everything(tmp_path: Path) -> None:
    supervisor = supervise(tmp_path)
    await eventually(lambda: len(processes_of(tmp_path)) == 2)
    supervisor.terminate()
    assert supervisor.wait() == 0
    await eventually(lambda: processes_of(tmp_path) == [])


def test_a_process_id_that_was_used_again_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP], stdout=subprocess.DEVNULL)
    started_at = psutil.Process(stranger.pid).create_time()
    reused = RunState(1, {"nats": Status(pid=stranger.pid, started_at=started_at - 3600)})
    assert end_leftovers(tmp_path, reused) == []
    assert stranger.poll() is None
    recorded = RunState(1, {"nats": Status(pid=stranger.pid, started_at=started_at)})
    assert end_leftovers(tmp_path, recorded) == [stranger.pid]
    stranger.wait()


def test_a_log_past_its_size_moves_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "writer.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old line\n" * 20)
        assert rotate(log, max_bytes=100)
        writer.write(b"new line\n")
    assert log.read_text() == "new line\n"
    assert tail(tmp_path / "writer.log.1", lines=1) == "old line"
    assert not rotate(log, max_bytes=100)
