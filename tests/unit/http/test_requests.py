"""What is said of a request: its id comes back and stands in every line of its log."""

from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter

from eventmill.http.requests import RequestLog

logger = structlog.get_logger("eventmill.http.requests")


async def answer(_scope: Any, _receive: Any, send: Any) -> None:
    logger.info("inside")
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def call(headers: list[tuple[bytes, bytes]]) -> tuple[str, list[dict[str, Any]]]:
    """The id in the answer, and what was logged."""
    log = RequestLog(answer, Counter("answered_total", "", ["status"], registry=CollectorRegistry()))
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    entries: list[Any] = []

    def keep(_logger: Any, _method: str, entry: Any) -> Any:
        entries.append(entry)
        raise structlog.DropEvent

    previous = structlog.get_config()["processors"]
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, keep])
    try:
        await log({"type": "http", "path": "/v1/events", "method": "POST", "headers": headers}, None, send)  # type: ignore[arg-type]
    finally:
        structlog.configure(processors=previous)
    return dict(sent[0]["headers"])[b"x-request-id"].decode(), entries


async def test_a_clients_own_id_comes_back_and_stands_in_each_line() -> None:
    request_id, entries = await call([(b"x-request-id", b"abc-1")])
    assert request_id == "abc-1"
    assert [(entry["event"], entry["request_id"]) for entry in entries] == [("inside", "abc-1"), ("request", "abc-1")]


async def test_a_request_without_an_id_gets_one_of_its_own() -> None:
    ids = {(await call([]))[0] for _ in range(10)}
    assert len(ids) == 10


async def test_an_id_is_gone_from_the_log_after_its_request() -> None:
    await call([(b"x-request-id", b"abc-1")])
    assert "request_id" not in structlog.contextvars.get_merged_contextvars(structlog.get_logger())
