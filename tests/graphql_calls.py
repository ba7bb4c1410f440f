"""GraphQL requests of the tests, over HTTP and over a WebSocket."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.shop_service import Service

PROTOCOL = Subprotocol("graphql-transport-ws")


def post(service: Service, body: Any, key: str | None = "read", **headers: str) -> httpx.Response:
    if key is not None:
        headers["Authorization"] = f"Bearer {service.keys.get(key, key)}"
    # Without TLS there is nothing to verify: reading the authorities takes longer than most requests.
    return httpx.post(f"{service.url}/graphql", json=body, headers=headers, timeout=30, verify=False)


def ask(service: Service, query: str, key: str = "read", **variables: Any) -> dict[str, Any]:
    """The whole answer to a document that was understood."""
    response = post(service, {"query": query, "variables": variables}, key)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def answered(service: Service, query: str, key: str = "read", **variables: Any) -> Any:
    """The value of the only field."""
    found = ask(service, query, key, **variables)
    assert "errors" not in found, found["errors"]
    [value] = found["data"].values()
    return value


def refused(service: Service, query: str, key: str = "read", **variables: Any) -> dict[str, Any]:
    """The extensions of the only error."""
    [error] = ask(service, query, key, **variables)["errors"]
    extensions: dict[str, Any] = error["extensions"]
    return extensions


@contextlib.contextmanager
def connected(service: Service, key: str | None = "read") -> Iterator[ClientConnection]:
    """A connection whose key was taken; None sends none."""
    address = service.url.replace("http", "ws", 1) + "/graphql"
    with connect(address, subprotocols=[PROTOCOL]) as connection:
        payload = {} if key is None else {"Authorization": f"Bearer {service.keys.get(key, key)}"}
        connection.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert heard(connection) == {"type": "connection_ack"}
        yield connection


def subscribe(connection: ClientConnection, query: str, name: str = "a") -> None:
    connection.send(json.dumps({"type": "subscribe", "id": name, "payload": {"query": query}}))


def heard(connection: ClientConnection) -> dict[str, Any]:
    """The next message that is no ping."""
    while (message := json.loads(connection.recv(timeout=20)))["type"] == "ping":
        connection.send(json.dumps({"type": "pong"}))
    found: dict[str, Any] = message
    return found
