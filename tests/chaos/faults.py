"""What may befall a plant: each fault breaks something under load, and leaves the mending to the product.

A fault returns whether it struck; a kill point may not be reached in the time it is given.
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from eventmill import delta_log
from eventmill.faults import STEPS
from eventmill.lake import EVENTS, QUARANTINE, LakeTable, TableDefinition, lake_directory
from tests.chaos.plant import Plant

Fault = Callable[[Plant, random.Random], bool]
# Fewer than the writer looks through when it starts.
LATEST_COMMITS = 50
# It ends when the process does; a busy machine takes long to start one.
REACH_SECONDS = 60.0
# The writer compacts some commits after a start.
COMPACTION_SECONDS = 40.0
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


def kill(name: str) -> Fault:
    """Kill a process at a random moment."""

    def strike(plant: Plant, rng: random.Random) -> bool:
        time.sleep(rng.random())
        plant.kill(name)
        return True

    return strike


def pause(name: str, seconds: float = 3.0) -> Fault:
    """Freeze a process for some seconds, as a paused virtual machine would."""

    def strike(plant: Plant, _rng: random.Random) -> bool:
        plant.pause(name, seconds)
        return True

    return strike


def outage(seconds: float) -> Fault:
    """The broker is away for some time."""

    def strike(plant: Plant, _rng: random.Random) -> bool:
        plant.kill("broker")
        time.sleep(seconds)
        plant.broker.start()
        return True

    return strike


def at_step(name: str, step: str) -> Fault:
    """The process kills itself the n-th time it reaches a step."""

    def strike(plant: Plant, rng: random.Random) -> bool:
        plant.restart(name, EVENTMILL_FAULT=f"{step}:{rng.randint(1, 3)}")
        deadline = time.monotonic() + REACH_SECONDS
        while plant.runs(name):
            if time.monotonic() > deadline:
                # It must not strike later, in a cycle of another fault.
                plant.restart(name)
                return False
            time.sleep(0.02)
        return True

    return strike


def in_compaction(step: str) -> Fault:
    """The writer's child kills itself at a step, and the writer goes on."""

    def strike(plant: Plant, _rng: random.Random) -> bool:
        plant.restart("writer", EVENTMILL_FAULT=step)
        said = plant.log_size("writer")
        deadline = time.monotonic() + COMPACTION_SECONDS
        struck = False
        while not struck and time.monotonic() < deadline:
            time.sleep(0.1)
            struck = any("compaction failed" in line and "-9" in line for line in plant.log_since("writer", said))
        # It must not strike again, in a cycle of another fault.
        plant.restart("writer")
        return struck

    return strike


def broken_checkpoint(how: str) -> Fault:
    """The last checkpoint of a table is damaged while the writer is down."""

    def strike(plant: Plant, rng: random.Random) -> bool:
        plant.kill("writer")
        log = LakeTable(lake_directory(plant.settings), EVENTS).directory / "_delta_log"
        checkpoints = sorted(log.glob("*.checkpoint.parquet"))
        if not checkpoints:
            plant.compact()
            checkpoints = sorted(log.glob("*.checkpoint.parquet"))
        _damage(checkpoints[-1], how, rng)
        return True

    return strike


def two_writers(plant: Plant, rng: random.Random) -> bool:
    """A second writer on the same stream, and one of the two is killed."""
    first = plant.processes["writer"]
    # The port of its health is taken, so it has one of its own.
    plant.start("writer", EVENTMILL_WRITER_PORT=str(plant.settings.writer_port + 1))
    time.sleep(3 + rng.random())
    second = plant.processes["writer"]
    second.kill()
    second.wait()
    plant.processes["writer"] = first
    return True


def clock_jump(name: str) -> Fault:
    """A process is started anew with a clock that is off by hours, then with a right one."""

    def strike(plant: Plant, rng: random.Random) -> bool:
        if not FAKETIME:
            return False
        offset = rng.choice(["-2h", "+2h", "+26h"])
        plant.restart(name, LD_PRELOAD=str(FAKETIME[0]), FAKETIME=offset, FAKETIME_DONT_FAKE_MONOTONIC="1")
        time.sleep(4)
        plant.restart(name)
        return True

    return strike


def broken_log(definition: TableDefinition, how: str) -> Fault:
    """The last log entry of a table is damaged while the writer is down."""

    def strike(plant: Plant, rng: random.Random) -> bool:
        plant.kill("writer")
        log = LakeTable(lake_directory(plant.settings), definition).directory / "_delta_log"
        entries = sorted(log.glob("*.json"))
        if len(entries) < 2:
            return False
        _damage(entries[-1], how, rng)
        return True

    return strike


def broken_data(definition: TableDefinition, how: str) -> Fault:
    """Some of the data files of the last commits are damaged while the writer is down."""

    def strike(plant: Plant, rng: random.Random) -> bool:
        plant.kill("writer")
        table = LakeTable(lake_directory(plant.settings), definition)
        latest = _latest_files(table)[: rng.randint(1, 3)]
        for path in latest:
            _damage(path, how, rng)
        return bool(latest)

    return strike


def _latest_files(table: LakeTable) -> list[Path]:
    """Active data files of the last commits, the newest first: older ones are not looked at when the writer starts."""
    snapshot = table.snapshot()
    active = set(snapshot.files["path"].to_pylist())
    added = [
        action["add"]["path"]
        for version in range(snapshot.version, max(-1, snapshot.version - LATEST_COMMITS), -1)
        for action in delta_log.read(table.directory, version)
        if "add" in action
    ]
    return [Path(path) for path in snapshot.locate([path for path in added if path in active])]


def _damage(path: Path, how: str, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    match how:
        case "torn":
            del content[len(content) // 2 :]
        case "empty":
            content.clear()
        case "flipped":
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file = os.open(path, os.O_WRONLY | os.O_TRUNC)
    os.write(file, content)
    os.fsync(file)
    os.close(file)


GATEWAY_STEPS = ["before_publish", "after_publish"]
COMPACTION_STEPS = ["before_compaction_commit", "after_compaction_commit"]
WRITER_STEPS = [step for step in STEPS if step not in GATEWAY_STEPS + COMPACTION_STEPS]

FAULTS: dict[str, Fault] = {
    **{f"kill {name}": kill(name) for name in ("broker", "writer", "gateway")},
    **{f"pause {name}": pause(name) for name in ("broker", "writer", "gateway")},
    "broker away": outage(2.0),
    **{f"writer at {step}": at_step("writer", step) for step in WRITER_STEPS},
    **{f"gateway at {step}": at_step("gateway", step) for step in GATEWAY_STEPS},
    **{f"compaction at {step}": in_compaction(step) for step in COMPACTION_STEPS},
    "pause PostgreSQL": pause("postgres"),
    "two writers": two_writers,
    **{f"clock of {name}": clock_jump(name) for name in ("writer", "gateway")},
    **{f"{how} log of events": broken_log(EVENTS, how) for how in ("torn", "empty", "flipped")},
    **{f"{how} log of quarantine": broken_log(QUARANTINE, how) for how in ("torn", "flipped")},
    **{f"{how} data files": broken_data(EVENTS, how) for how in ("torn", "empty", "flipped")},
    "flipped data files of quarantine": broken_data(QUARANTINE, "flipped"),
    **{f"{how} checkpoint": broken_checkpoint(how) for how in ("torn", "empty", "flipped")},
}
