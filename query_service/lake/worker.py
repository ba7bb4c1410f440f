"""`python -m query_service.lake.worker`: answers one job after the other, from stdin to stdout.

The first message says the limits. A thread reads the pipe, so that `cancel` reaches a query that runs; where the pipe
ends, so does the process.
"""

import os
import queue
import sys
import threading
from typing import Any, BinaryIO

import duckdb
import msgspec
import pyarrow as pa

from eventmill.errors import DefinitionError, EventmillError
from query_service.lake import frames, sandbox, tasks
from query_service.lake.errors import LakeLimit
from query_service.lake.frames import Header
from query_service.lake.jobs import Job, Limits
from query_service.lake.relations import Session

# What a task raises where something is wrong with it: the worker itself is fine, and goes on.
_FAILURES = (ValueError, LookupError, TypeError, RuntimeError, OSError)
_Message = tuple[Header, list[bytes]]


class Worker:
    """One connection, one job at a time."""

    def __init__(self, limits: Limits, source: BinaryIO, sink: BinaryIO) -> None:
        self._source, self._sink = source, sink
        self._connection = sandbox.connect(limits)
        self._session = Session(self._connection, limits.lake)
        self._inbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running: int | None = None
        self._cancelled: set[int] = set()

    def serve(self) -> None:
        """Answer until the pipe ends."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._send("ready", 0)
        while True:
            header, parts = self._inbox.get()
            self._answer(header, parts)

    def _listen(self) -> None:
        while (message := frames.read(self._source)) is not None:
            header = message[0]
            if header.kind == "cancel":
                self._cancel(header.job_id)
            else:
                self._inbox.put(message)
        os._exit(0)  # nobody is there to read an answer

    def _cancel(self, job_id: int) -> None:
        with self._lock:
            self._cancelled.add(job_id)
            if self._running == job_id:
                self._connection.interrupt()

    def _answer(self, header: Header, parts: list[bytes]) -> None:
        with self._lock:
            if header.job_id in self._cancelled:
                self._cancelled.discard(header.job_id)
                self._send("failed", header.job_id, {"error": "cancelled"})
                return
            self._running = header.job_id
        try:
            kind, body, answer = self._computed(header, parts)
        finally:
            with self._lock:
                self._running = None
                self._cancelled.discard(header.job_id)
        self._send(kind, header.job_id, body, answer)

    def _computed(self, header: Header, parts: list[bytes]) -> tuple[str, Any, list[bytes]]:
        try:
            job = msgspec.convert(header.body, Job)
            table, body = tasks.run(self._session, job, [frames.to_table(part) for part in parts])
            if table.num_rows > job.max_rows:
                return "failed", {"error": "rows", "rows": job.max_rows}, []
            return "done", body, [frames.to_bytes(table)]
        except (EventmillError, LakeLimit, duckdb.Error, pa.ArrowException, MemoryError, *_FAILURES) as error:
            return "failed", _failure(error), []
        finally:
            self._session.forget()

    def _send(self, kind: str, job_id: int, body: object = None, parts: list[bytes] | None = None) -> None:
        self._sink.write(frames.encode(kind, job_id, body, parts or ()))
        self._sink.flush()


def _failure(error: BaseException) -> dict[str, Any]:
    match error:
        case duckdb.InterruptException():
            return {"error": "cancelled"}
        case duckdb.OutOfMemoryException() | MemoryError() | pa.ArrowMemoryError():
            return {"error": "memory"}
        case LakeLimit():
            return {"error": "rule", "limit": error.limit, "message": str(error), "rule": error.rule}
        case DefinitionError():
            return {"error": "definition", "field": error.field, "rule": error.rule}
    return {"error": "failure", "message": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Entry point."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not stand between two frames.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    message = frames.read(source)
    if message is None:
        return
    limits = msgspec.convert(message[0].body, Limits)
    sandbox.confine(limits)
    Worker(limits, source, sink).serve()


if __name__ == "__main__":
    main()
