"""Starts the compaction's child process now and then, one at a time."""

import asyncio
import sys
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


class Compactor:
    """Runs `python -m ingest_service.writer.compact` after every `every` commits, and soon after a start."""

    def __init__(self, lake: Path, every: int = 100) -> None:
        self._lake = lake
        self._every = every
        # A writer that is restarted often must not leave its small files lying.
        self._commits = every - every // 10
        self._child: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._is_stopping = False

    async def note_commit(self) -> None:
        """Count a commit; start the child where it is time and the one before has ended."""
        self._commits += 1
        if self._commits < self._every or self.is_running:
            return
        self._commits = 0
        command = (sys.executable, "-m", "ingest_service.writer.compact", str(self._lake))
        try:
            self._child = await asyncio.create_subprocess_exec(*command)
        except OSError as error:
            log.warning("compaction was not started", reason=str(error))
        else:
            self._watching = asyncio.create_task(self._watch(self._child))

    async def _watch(self, child: asyncio.subprocess.Process) -> None:
        """Tell of a child that failed, or was killed (minus the signal's number): nobody else would."""
        code = await child.wait()
        if code != 0 and not self._is_stopping:
            log.warning("compaction failed", code=code)

    @property
    def is_running(self) -> bool:
        """Whether a child is at work."""
        return self._child is not None and self._child.returncode is None

    async def stop(self) -> None:
        """End a child that is at work: its commits are whole or not there."""
        self._is_stopping = True
        if self._child is not None and self.is_running:
            self._child.terminate()
        await self.wait()

    async def wait(self) -> None:
        """Return when the last child has ended."""
        if self._watching is not None:
            await self._watching
