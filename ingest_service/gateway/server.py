"""The HTTP server around the gateway."""

from granian.constants import Interfaces
from granian.server.embed import Server

from eventmill.settings import Settings
from ingest_service.gateway.app import create_app


def build_server(settings: Settings) -> Server:
    """A server for the running event loop: `await server.serve()` until `server.stop()`.

    It serves in this very process: a worker process of its own would outlive a parent that is killed.
    """
    return Server(
        create_app(settings),
        address=settings.bind,
        port=settings.ingest_port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        websockets=False,
    )
