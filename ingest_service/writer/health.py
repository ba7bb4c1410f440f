"""Health and metrics over HTTP, from a thread of its own: they answer while the event loop is busy decoding.

This is prometheus_client's own server (`wsgiref`, threaded) with two more paths: local, read-only and tiny, so a whole
web framework would add start-up time and memory only.
"""

import json
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from eventmill.errors import SettingsError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

Problems = Callable[[], list[str]]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Probes every few seconds are no news."""


class HealthServer:
    """Serves `/health/live`, `/health/ready` (503 while `problems` names any) and `/metrics`."""

    def __init__(self, address: str, port: int, registry: CollectorRegistry, problems: Problems) -> None:
        self._metrics = make_wsgi_app(registry)
        self._problems = problems
        try:
            self._server = make_server(address, port, self._answer, _Server, _SilentHandler)
        except OSError as error:
            raise SettingsError(
                f"The writer cannot listen on {address}:{port}: {error.strerror}.",
                "Set EVENTMILL_WRITER_PORT to a free port.",
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        if path == "/health/live":
            return _json(start_response, "200 OK", {"status": "live"})
        if path != "/health/ready":
            return _json(start_response, "404 Not Found", {"title": "Not found", "status": 404})
        problems = self._problems()
        if problems:
            return _json(start_response, "503 Service Unavailable", {"status": "not ready", "problems": problems})
        return _json(start_response, "200 OK", {"status": "ready"})


def _json(start_response: "StartResponse", status: str, content: dict[str, Any]) -> list[bytes]:
    body = json.dumps(content).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
