"""Numbers: asked for once, or followed live."""

import json
import time
from collections.abc import Iterator
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

Row = dict[str, Any]
Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows, and what they rest on: as_of, complete_through, late_pending, source, exact, …"""

    data: list[Row]
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Update:
    """Today's numbers as last heard (`data` None: not yet). `is_stale`: they may be out of date."""

    data: list[Row] | None = None
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

    def query(self, path: str, **parameters: Value) -> Answer:
        """`GET /api/<path>`. Raises ProblemError for a refusal, httpx.TransportError where nobody answers."""
        given = {"app_id": self._app_id, **parameters}
        asked = {name: value for name, value in given.items() if value is not None}
        path = path.removeprefix("/").removeprefix("api/")
        response = self._http.get(f"{self._url}/api/{path}", params=asked)
        if not response.is_success:
            raise ProblemError.of(response)
        body = response.json()
        return Answer(body["data"], body.get("meta", {}))

    def live(self) -> Iterator[Update]:
        """Today's numbers now and at every change; a lost connection is a stale update, and tried again after 3 s.

        Never ends by itself. Raises LiveRefusedError.
        """
        latest = Update()
        while True:
            try:
                for update in self._connection(latest):
                    latest = update
                    yield update
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code in FINAL_CODES:
                    raise LiveRefusedError(closed.rcvd.code, closed.rcvd.reason) from None
            except (OSError, TimeoutError, WebSocketException):
                pass  # told below, as every loss is
            if not latest.is_stale:
                latest = replace(latest, is_stale=True)
                yield latest
            time.sleep(RECONNECT_SECONDS)

    def _connection(self, latest: Update) -> Iterator[Update]:
        address = self._url.replace("http", "ws", 1) + "/ws/live"
        with connect(address) as socket:
            socket.send(json.dumps({"type": "subscribe", "key": self._key, "app_id": self._app_id}))
            while True:
                message = json.loads(socket.recv(timeout=SILENCE_SECONDS))
                match message["type"]:
                    case "snapshot":
                        latest = Update(message["data"], message["meta"], is_stale=False)
                    case "ping" if message["meta"] is not None:
                        latest = replace(latest, meta=message["meta"])
                    case "stale" if not latest.is_stale:
                        latest = replace(latest, is_stale=True)
                    case _:
                        continue
                yield latest

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
