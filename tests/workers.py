"""Test processes side by side (`make test` has three, which often wait): which runs what, and on which ports."""

import os
from random import SystemRandom

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from eventmill.embedded.ports import is_free

# Their tests start whole installations, which take half a minute of both cores: one after the other, and most of them
# on the same one.
ON_ONE_INSTALLATION = ("tests/chaos/", "tests/e2e/")
# Below those that Linux and macOS hand out by themselves, to clients too: a test may start its servers long after it
# chose their ports, and until then nothing holds them.
PORTS = range(20_000, 32_000)


class FilesOfOneProcess(LoadFileScheduling):
    """A file's tests run in one process, in their order; so do the files that share an installation."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "one installation" if file.startswith(ON_ONE_INSTALLATION) else file


def scheduler(config: pytest.Config, log: Producer) -> FilesOfOneProcess:
    """What gives tests to processes."""
    return FilesOfOneProcess(config, log)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listens on now, all different; another process of this run never gets them."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = PORTS[process % processes :: processes]
    found: list[int] = []
    for port in SystemRandom().sample(own, len(own)):
        if len(found) == count:
            break
        if is_free("127.0.0.1", port):
            found.append(port)
    return found
