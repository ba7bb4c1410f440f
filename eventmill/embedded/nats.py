"""The embedded NATS server: its configuration, its command and when it is ready."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from eventmill.embedded import binaries
from eventmill.embedded.children import Server
from eventmill.settings import Settings

# Room beside the event stream for key-value buckets and the streams of later features.
SPARE_FILE_STORE_BYTES = 1024**3

CONFIGURATION = """\
# Written by eventmill at every start; changes made here are lost.
server_name: eventmill
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor_port}"
max_payload: 4MB
jetstream {{
  store_dir: {store_dir}
  # JetStream acknowledges before it syncs unless told otherwise; an acknowledged event must be durable.
  sync_interval: always
  max_file_store: {max_file_store}
  max_memory_store: 64MB
}}
"""


def is_ready(monitor_url: str) -> bool:
    """Whether the server at that monitoring address is healthy and syncs before it acknowledges."""
    try:
        with urllib.request.urlopen(f"{monitor_url}/healthz", timeout=2) as answer:  # noqa: S310 - our own address
            if answer.status != 200:
                return False
        return syncs_always(monitor_url)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def syncs_always(monitor_url: str) -> bool:
    """Whether JetStream runs with `sync_interval: always`. Raises URLError when it cannot be asked."""
    with urllib.request.urlopen(f"{monitor_url}/jsz?config=1", timeout=2) as answer:  # noqa: S310 - our own address
        return json.load(answer).get("config", {}).get("sync_always") is True


@dataclass(frozen=True, slots=True)
class NatsServer:
    """A nats-server from the wheel whose configuration and data lie in one directory."""

    directory: Path
    log: Path
    port: int
    monitor_port: int
    max_file_store: int

    @classmethod
    def of(cls, settings: Settings) -> "NatsServer":
        """The embedded server that these settings describe."""
        return cls(
            settings.home / "nats",
            settings.log_dir / "nats.log",
            settings.nats_port,
            settings.nats_monitor_port,
            settings.stream_max_bytes + SPARE_FILE_STORE_BYTES,
        )

    def command(self) -> list[str]:
        """Write the configuration and give the command that serves it; EventmillError without the wheel."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        configuration = self.directory / "nats.conf"
        configuration.write_text(
            CONFIGURATION.format(
                port=self.port,
                monitor_port=self.monitor_port,
                # A JSON string is a quoted string of NATS' configuration language too.
                store_dir=json.dumps(str(self.directory / "store")),
                max_file_store=self.max_file_store,
            ),
            encoding="utf-8",
        )
        return [str(binaries.nats_server()), "--config", str(configuration)]

    def is_ready(self) -> bool:
        """Whether this server is healthy and syncs before it acknowledges."""
        return is_ready(f"http://127.0.0.1:{self.monitor_port}")

    def server(self) -> Server:
        """A handle that starts, stops and kills it: for tools and tests."""
        return Server("nats", self.command(), self.log, self.is_ready)
