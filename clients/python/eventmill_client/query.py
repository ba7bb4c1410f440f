"""Numbers: asked for once, or followed live."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import httpx
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from eventmill_client.problems import ProblemError

RECONNECT_SECONDS = 3.0
# The service says something every 15 s.
SILENCE_SECONDS = 40.0
# Trying again with the same key or app would end the same way.
FINAL_CODES = frozenset({4400, 4401, 4403})

_TODAY = ""

Row = dict[str, Any]
Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows, and what they rest on: as_of, complete_through, late_pending, source, exact, …"""

    data: list[Row]
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Update:
    """Numbers as last heard (`data` None: not yet): rows, or a live summary. `is_stale`: they may be out of date."""

    data: Any = None
    meta: dict[str, Any] | None = None
    is_stale: bool = True


class LiveRefusedError(Exception):
    """The service ended the live connection for good: 4400 bad subscription, 4401 bad key, 4403 not this key's app."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Client:
    """Asks the query service at `url` with a read key; `app_id` is needed where the key covers several apps."""

    def __init__(self, url: str, key: str, app_id: str | None = None, *, timeout_seconds: float = 30.0) -> None:
        self._url, self._key, self._app_id = url.rstrip("/"), key, app_id
        self._http = httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=timeout_seconds)

    def query(self, asked: str | Mapping[str, Any], **parameters: Value) -> Answer:
        """`POST /api/v2/query` for a question (metrics, dimensions, …), `GET /api/<path>` for a path.

        Raises ProblemError for a refusal, httpx.TransportError where nobody answers.
        """
        if isinstance(asked, str):
            path = asked.removeprefix("/").removeprefix("api/")
            given = {name: value for name, value in self._for_app(parameters).items() if value is not None}
            response = self._http.get(f"{self._url}/api/{path}", params=given)
        else:
            response = self._http.post(f"{self._url}/api/v2/query", json=self._for_app(asked))
        if not response.is_success:
            raise ProblemError.of(response)
        body = response.json()
        return Answer(body["data"], body.get("meta", {}))

    def live(self) -> Iterator[Update]:
        """Today's numbers now and at every change; a lost connection is a stale update, and tried again after 3 s.

        Never ends by itself. Raises LiveRefusedError.
        """
        first = {"type": "subscribe", "key": self._key, "app_id": self._app_id}
        for _, update in self._follow(first, {_TODAY: {}}):
            yield update

    def follow(self, asked: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Update]]:
        """Several things over one connection, each by a name: its name and what is known of it, at every change.

        Each is `{"query": question}` or `{"window": "5m"}` (the live summary), both with an `interval` in seconds.
        Loss and end are those of `live`; a question that is refused raises ProblemError.
        """
        yield from self._follow({"type": "auth", "key": self._key}, asked)

    def _follow(self, first: Mapping[str, Any], asked: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Update]]:
        latest = dict.fromkeys(asked, Update())
        while True:
            try:
                for name, update in self._connection(first, asked, latest):
                    latest[name] = update
                    yield name, update
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code in FINAL_CODES:
                    raise LiveRefusedError(closed.rcvd.code, closed.rcvd.reason) from None
            except (OSError, TimeoutError, WebSocketException):
                pass  # told below, as every loss is
            for name, update in latest.items():
                if not update.is_stale:
                    latest[name] = replace(update, is_stale=True)
                    yield name, latest[name]
            time.sleep(RECONNECT_SECONDS)

    def _connection(
        self, first: Mapping[str, Any], asked: Mapping[str, Mapping[str, Any]], latest: Mapping[str, Update]
    ) -> Iterator[tuple[str, Update]]:
        address = self._url.replace("http", "ws", 1) + "/ws/live"
        with connect(address) as socket:
            socket.send(json.dumps(first))
            while True:
                message = json.loads(socket.recv(timeout=SILENCE_SECONDS))
                if message["type"] == "ready":
                    for name, one in asked.items():
                        socket.send(json.dumps(self._subscription(name, one)))
                name = message.get("id") or next(iter(asked))
                update = _changed(latest[name], message)
                if update is not None:
                    yield name, update

    def _subscription(self, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        question = asked if "query" in asked else {"live": True, **asked}
        return {"type": "subscribe", "id": name, "app_id": self._app_id, **question}

    def _for_app(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"app_id": self._app_id, **asked}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _changed(latest: Update, message: Mapping[str, Any]) -> Update | None:
    match message["type"]:
        case "snapshot":
            return Update(message["data"], message["meta"], is_stale=False)
        case "ping" if message["meta"] is not None:
            return replace(latest, meta=message["meta"])
        case "stale" if not latest.is_stale:
            return replace(latest, is_stale=True)
        case "error":
            raise ProblemError(400, "", message["detail"], message["field"], message["rule"])
    return None
