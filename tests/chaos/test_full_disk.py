"""A disk that fills up refuses events, loses none, and takes them again once there is space."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.chaos.plant import Plant
from tests.chaos.verdict import Verdict

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(600)]
DISK_MEGABYTES = 96


@pytest.fixture(params=["lake", "nats"])
def small_disk(request: pytest.FixtureRequest, new_directory: Callable[[], Path]) -> Iterator[Path]:
    """A small disk of its own below the plant's home, for the lake or for the broker."""
    disk = new_directory() / request.param
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def chaos_home(small_disk: Path) -> Path:
    """The home around the small disk."""
    return small_disk.parent


def test_a_full_disk_loses_nothing_and_needs_no_hand(plant: Plant, verdict: Verdict, small_disk: Path) -> None:
    verdict.await_traffic()
    ballast = small_disk / "ballast"
    fill(ballast)
    # The broker refuses at once; a lake that is full is seen by the writer, and the stream keeps the events.
    port = plant.settings.ingest_port if small_disk.name == "nats" else plant.settings.writer_port
    plant.until(lambda: httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 503)
    ballast.unlink()
    if small_disk.name == "nats":
        # What the supervisor does with a broker that does not answer for a minute.
        plant.kill("broker")
    plant.start_all()
    verdict.await_traffic()
    verdict.judge()


def fill(path: Path) -> None:
    """Write until the disk is full."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(file, b"\0" * 65536)
    except OSError:
        pass
    finally:
        os.close(file)
