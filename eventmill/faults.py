"""Named steps at which a process can be told to kill itself, for tests of what a crash there leaves behind.

`EVENTMILL_FAULT=<step>` sends SIGKILL to the process when it reaches the step for the first time,
`EVENTMILL_FAULT=<step>:3` at the third time. Nothing happens unless it is set; never set it in production.
"""

import os
import signal
from collections.abc import Callable
from types import MappingProxyType
from typing import Protocol

from eventmill.errors import SettingsError
from eventmill.settings import Settings

STEPS = MappingProxyType(
    {
        # gateway
        "before_publish": "an envelope is made, and not sent to the broker yet",
        "after_publish": "the broker has confirmed an envelope, and no client was answered yet",
        # writer; quarantine and events are two commits, and both pass the steps of files and log
        "after_decode": "a batch is decoded, and nothing of it is on disk",
        "after_parquet_fsync": "a data file and its name are durable, and in no log entry",
        "before_quarantine_commit": "rejected events are about to be committed",
        "after_quarantine_commit": "rejected events are committed, if there are any, and the others are not",
        "before_log_link": "a log entry is durable under a name that no reader looks at",
        "after_log_link": "a log entry is visible, and its name is not durable",
        "after_log_fsync": "a log entry is visible and durable",
        "after_commit": "a batch is committed, and nobody was told",
        # the writer's compaction, a process of its own
        "before_compaction_commit": "a merged file is durable, and in no log entry",
        "after_compaction_commit": "a merged file has replaced its sources",
    }
)
# What clients of a gateway call the same instant.
ALIASES = MappingProxyType({"before_ack": "after_publish"})


class Reach(Protocol):
    """Is told each step that is reached."""

    def __call__(self, step: str, /) -> object: ...


def ignore(step: str, /) -> None:
    """Reach a step without anything happening."""


def kill_this_process() -> None:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


class Faults:
    """Kills the process when it reaches `step` for the `count`-th time; a step of None is never reached."""

    def __init__(self, step: str | None = None, count: int = 1, kill: Callable[[], None] = kill_this_process) -> None:
        self._step = step
        self._left = count
        self._kill = kill

    @classmethod
    def from_settings(cls, settings: Settings) -> "Faults":
        """Faults as EVENTMILL_FAULT says. Raises SettingsError where it names no step, or no number after the colon."""
        if not settings.fault:
            return cls()
        step, colon, count = settings.fault.partition(":")
        step = ALIASES.get(step, step)
        is_number = count.isascii() and count.isdigit() and int(count) > 0
        if step not in STEPS or (colon and not is_number):
            raise SettingsError(
                f"EVENTMILL_FAULT is {settings.fault!r}, which is not of the form <step> or <step>:<number from 1>.",
                f"Unset it, or take one of the steps {', '.join(STEPS)}.",
            )
        return cls(step, int(count) if colon else 1)

    def reach(self, step: str, /) -> None:
        """Note that a step is reached. Raises KeyError for a step that is not in STEPS."""
        if self._step is None:
            return
        if step not in STEPS:
            raise KeyError(step)
        if step == self._step:
            self._left -= 1
            if self._left == 0:
                self._kill()
