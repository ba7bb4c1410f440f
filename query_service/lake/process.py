"""A worker process as the query service sees it: started, asked, interrupted, killed."""

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import count

import msgspec
import structlog

from query_service.lake import frames, sandbox
from query_service.lake.frames import Header
from query_service.lake.jobs import Job, Limits

logger = structlog.get_logger(__name__)
START_SECONDS = 60.0
# So long a worker may take to obey before it is killed.
GRACE_SECONDS = 2.0


class WorkerGone(Exception):  # noqa: N818 - it reads as what it is
    """The process ended, or answered something else than it was asked."""


class WorkerProcess:
    """One job at a time: `ask` from one task only."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: asyncio.subprocess.Process | None = None
        self._log: asyncio.Task[None] | None = None
        self._numbers = count(1)
        self._job_id = 0

    @property
    def is_running(self) -> bool:
        """Whether a process is there."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """Of the process; None where there is none."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and wait until it is warm. Raises WorkerGone."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *sandbox.command(), stdin=pipe, stdout=pipe, stderr=pipe, env=sandbox.environment()
        )
        self._log = asyncio.create_task(_log_lines(self._process))
        await self._send(frames.encode("limits", 0, msgspec.to_builtins(self._limits)))
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._receive()
        except TimeoutError:
            await self.kill()
            raise WorkerGone("the worker did not start in time") from None

    async def ask(self, job: Job, parts: Sequence[bytes]) -> tuple[Header, list[bytes]]:
        """The answer. Raises WorkerGone."""
        self._job_id = next(self._numbers)
        await self._send(frames.encode("job", self._job_id, msgspec.to_builtins(job), parts))
        header, answer = await self._receive()
        if header.job_id != self._job_id:
            raise WorkerGone(f"the worker answered job {header.job_id} and not {self._job_id}")
        return header, answer

    async def cancel(self) -> None:
        """Interrupt the job that runs; its `ask` still gets an answer."""
        with contextlib.suppress(WorkerGone):  # `ask` says so
            await self._send(frames.encode("cancel", self._job_id))

    async def kill(self) -> None:
        """End the process and wait for its end."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if self._log is not None:
            await self._log

    async def _send(self, message: bytes) -> None:
        if self._process is None or self._process.stdin is None:
            raise WorkerGone("there is no worker")
        try:
            self._process.stdin.write(message)
            await self._process.stdin.drain()
        except (OSError, RuntimeError) as error:
            raise WorkerGone("the worker's pipe is closed") from error

    async def _receive(self) -> tuple[Header, list[bytes]]:
        if self._process is None or self._process.stdout is None:
            raise WorkerGone("there is no worker")
        try:
            return await frames.receive(self._process.stdout)
        except (asyncio.IncompleteReadError, OSError, ValueError, msgspec.DecodeError) as error:
            raise WorkerGone("the worker ended while it was asked") from error


async def _log_lines(process: asyncio.subprocess.Process) -> None:
    """What a worker writes to stderr; it cannot write to a file itself."""
    if process.stderr is None:
        return
    while line := await process.stderr.readline():
        logger.warning("lake worker", pid=process.pid, line=line.decode(errors="replace").rstrip())
