"""A pool of sandboxed workers: apps take turns, and no question takes more than its limits."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pyarrow as pa
import structlog
from prometheus_client import CollectorRegistry

from eventmill import telemetry
from eventmill.contracts import metrics
from eventmill.errors import DefinitionError
from eventmill.lake import lake_directory
from eventmill.settings import Settings
from query_service.lake import frames
from query_service.lake.errors import LakeBusy, LakeFailure, LakeLimit
from query_service.lake.frames import Header
from query_service.lake.jobs import Job, Limits
from query_service.lake.process import GRACE_SECONDS, WorkerGone, WorkerProcess
from query_service.lake.turns import Turns

logger = structlog.get_logger(__name__)
MOST_WAITING, MOST_WAITING_OF_APP = 64, 32
# A question that waits longer than this is told to come back.
WAIT_SECONDS = 30.0
# Pauses before another worker is started where the last one did not start.
_RESTART_SECONDS, _LONGEST_RESTART_SECONDS = 1.0, 30.0


@dataclass(eq=False)
class _Request:
    """A job on its way; `abandoned` is set once nobody waits for its answer."""

    job: Job
    parts: Sequence[bytes]
    answer: asyncio.Future[tuple[pa.Table, Mapping[str, object]]]
    since: float = field(default_factory=time.perf_counter)
    abandoned: asyncio.Event = field(default_factory=asyncio.Event)


class LakePool:
    """`start`, `run` jobs, `close`. Jobs of one worker run one after the other."""

    def __init__(self, settings: Settings, registry: CollectorRegistry | None = None) -> None:
        self._limits = Limits(
            lake=str(lake_directory(settings)), memory=settings.query_lake_memory_limit, threads=settings.duckdb_threads
        )
        self._workers = [WorkerProcess(self._limits) for _ in range(settings.query_lake_workers)]
        self._turns: Turns[_Request] = Turns(MOST_WAITING, MOST_WAITING_OF_APP)
        self._come = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        own = registry or CollectorRegistry()
        self._jobs = telemetry.counter(metrics.QUERY_LAKE_JOBS, own)
        self._seconds = telemetry.histogram(metrics.QUERY_LAKE_SECONDS, own)
        self._waited = telemetry.histogram(metrics.QUERY_LAKE_WAIT_SECONDS, own)
        self._starts = telemetry.counter(metrics.QUERY_LAKE_WORKER_STARTS, own)
        telemetry.gauge(metrics.QUERY_LAKE_WAITING, own).set_function(lambda: len(self._turns))

    @property
    def idle(self) -> bool:
        """Whether nobody waits for a worker."""
        return len(self._turns) == 0

    @property
    def pids(self) -> list[int]:
        """Of the workers that run."""
        return [worker.pid for worker in self._workers if worker.is_running and worker.pid is not None]

    def start(self) -> None:
        """Start the workers, in the background: the first jobs wait for them."""
        self._tasks = [asyncio.create_task(self._serve(worker)) for worker in self._workers]

    async def close(self) -> None:
        """End all workers; whoever still waits gets LakeBusy."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self._workers:
            await worker.kill()
        while len(self._turns):
            _settle(self._turns.take(), LakeBusy())

    async def run(self, job: Job, tables: Sequence[pa.Table] = ()) -> tuple[pa.Table, Mapping[str, object]]:
        """Rows, and what else the task says; `tables` are those that `job.tables` names.

        Raises LakeBusy, LakeLimit, LakeFailure, and DefinitionError for what breaks a rule. Where the caller is
        cancelled the job is interrupted.
        """
        request = _Request(job, [frames.to_bytes(table) for table in tables], asyncio.Future())
        try:
            async with self._come:
                self._turns.put(job.app_id, request)
                self._come.notify()
        except LakeBusy:
            self._jobs.labels("refused").inc()
            raise
        try:
            return await request.answer
        except asyncio.CancelledError:
            request.abandoned.set()
            if self._turns.drop(job.app_id, request):
                self._jobs.labels("cancelled").inc()
            raise

    async def _serve(self, worker: WorkerProcess) -> None:
        pause = _RESTART_SECONDS
        while True:
            if not worker.is_running and not await self._started(worker):
                self._refuse_waiting()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_RESTART_SECONDS)
                continue
            pause = _RESTART_SECONDS
            async with self._come:
                await self._come.wait_for(lambda: len(self._turns) > 0)
                request = self._turns.take()
            waited = time.perf_counter() - request.since
            self._waited.observe(waited)
            if waited > WAIT_SECONDS:
                self._jobs.labels("refused").inc()
                _settle(request, LakeBusy())
            else:
                await self._answer(worker, request)

    def _refuse_waiting(self) -> None:
        """Nobody waits for workers that do not start."""
        while len(self._turns) and not self.pids:
            _settle(self._turns.take(), LakeFailure("no lake worker starts"))
            self._jobs.labels("failed").inc()

    async def _started(self, worker: WorkerProcess) -> bool:
        await worker.kill()
        try:
            await worker.start()
        except (WorkerGone, OSError) as error:
            logger.warning("a lake worker did not start", error=str(error))
            return False
        self._starts.inc()
        return True

    async def _answer(self, worker: WorkerProcess, request: _Request) -> None:
        began = time.perf_counter()
        outcome = "failed"
        try:
            outcome = await self._asked(worker, request)
        except WorkerGone as error:
            logger.warning("a lake worker ended over a question", task=request.job.task, error=str(error))
            await worker.kill()
            _settle(request, LakeFailure(str(error)))
        finally:
            self._jobs.labels(outcome).inc()
            self._seconds.labels(request.job.task).observe(time.perf_counter() - began)

    async def _asked(self, worker: WorkerProcess, request: _Request) -> str:
        """Wait for the worker, the time limit, or the end of anybody's interest; returns the outcome."""
        answer = asyncio.ensure_future(worker.ask(request.job, request.parts))
        abandoned = asyncio.ensure_future(request.abandoned.wait())
        try:
            await asyncio.wait({answer, abandoned}, timeout=request.job.seconds, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return _settle_with(request, *answer.result())
            await worker.cancel()
            _, late = await asyncio.wait({answer}, timeout=GRACE_SECONDS)
            if late:
                await worker.kill()
            with suppress(WorkerGone):
                await answer
            return _give_up(request)
        except asyncio.CancelledError:
            _settle(request, LakeBusy())
            answer.cancel()
            raise
        finally:
            abandoned.cancel()


def _give_up(request: _Request) -> str:
    if request.abandoned.is_set():
        return "cancelled"
    seconds = request.job.seconds
    message, rule = f"The answer took more than {seconds:g} s.", "Ask for a shorter range, or for fewer dimensions."
    _settle(request, LakeLimit("seconds", message, rule))
    return "too_long"


def _settle_with(request: _Request, header: Header, parts: Sequence[bytes]) -> str:
    if header.kind == "done":
        if not request.answer.done():
            request.answer.set_result((frames.to_table(parts[0]), header.body))
        return "answered"
    error, outcome = _error_of(header.body)
    if isinstance(error, LakeFailure):
        logger.error("the lake gave no answer", task=request.job.task, error=str(error))
    _settle(request, error)
    return outcome


def _error_of(body: Mapping[str, str]) -> tuple[Exception, str]:
    match body["error"]:
        case "memory":
            message, rule = "The answer needs too much memory.", "Ask for a shorter range, or for fewer dimensions."
            return LakeLimit("memory", message, rule), "too_large"
        case "rows":
            message = f"The answer has more than {body['rows']} rows."
            return LakeLimit("rows", message, "Ask for a shorter range, or filter."), "too_large"
        case "rule":
            return LakeLimit(body["limit"], body["message"], body["rule"]), "too_large"
        case "definition":
            return DefinitionError(body["field"], body["rule"]), "invalid"
    return LakeFailure(body.get("message", body["error"])), "failed"


def _settle(request: _Request, error: Exception) -> None:
    if not request.answer.done():
        request.answer.set_exception(error)
