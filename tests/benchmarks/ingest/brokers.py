"""The benchmark's nats-servers: the real one, and one that fills streams quickly."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventmill.embedded.nats import NatsServer
from eventmill.embedded.ports import free_ports

STREAM_BYTES = 16 * 1024**3


class HastyBroker(NatsServer):
    """Confirms before it syncs, for filling streams."""

    def command(self) -> list[str]:
        """Write the configuration and give the command that serves it."""
        command = super().command()
        configuration = self.directory / "nats.conf"
        text = configuration.read_text(encoding="utf-8")
        configuration.write_text(text.replace("sync_interval: always", "sync_interval: 2m"), encoding="utf-8")
        return command

    def is_ready(self) -> bool:
        """Whether this server is healthy."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor_port}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def broker_in(kind: type[NatsServer], directory: Path) -> NatsServer:
    """A server with ports of its own and its data in `directory`."""
    port, monitor_port = free_ports(2)
    return kind(directory / "nats", directory / "nats.log", port, monitor_port, 2 * STREAM_BYTES)


@contextmanager
def running(broker: NatsServer) -> Iterator[None]:
    """The server started, and stopped in the end."""
    server = broker.server()
    server.start()
    try:
        yield
    finally:
        server.stop()
