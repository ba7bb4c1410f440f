"""Who may do what at the embedded NATS server: services by one nkey, each app by its own, in an account of its own.

Permissions alone would do for what an app publishes itself. But JetStream's confirmation goes wherever the publisher
wants it, and within one account that could be another app's subject: so each app has an account.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import nkeys

from eventmill.contracts.subjects import subject_for
from eventmill.settings import SERVICES_SEED, Settings

SERVICES = "EVENTMILL"
# Where JetStream keeps the streams of a server without accounts.
GLOBAL = "$G"
INBOXES = "_INBOX.>"

_KEYS = msgspec.json.Decoder(dict[str, list[str]])


def create_seed() -> str:
    """The seed of a new user key: whoever has it can sign in as that user."""
    seed: bytes = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    return seed.decode("ascii")


def public_key(seed: str) -> str:
    """What the server knows of a seed."""
    pair = nkeys.from_seed(bytearray(seed.encode("ascii")))
    public: bytes = pair.public_key
    pair.wipe()
    return public.decode("ascii")


@dataclass(frozen=True, slots=True)
class NatsAccounts:
    """Keys of the services (a seed, 0600) and of the apps (public keys only), in files of the home."""

    services_seed_file: Path
    app_keys_file: Path

    @classmethod
    def of(cls, settings: Settings) -> "NatsAccounts":
        """Those of the home."""
        return cls(settings.home / SERVICES_SEED, settings.home / "secrets" / "nats-app-keys.json")

    def services_key(self) -> str:
        """Public key of the services, whose seed is made where it is missing."""
        if not self.services_seed_file.exists():
            _write_private(self.services_seed_file, create_seed())
        return public_key(self.services_seed_file.read_text(encoding="ascii").strip())

    def app_keys(self) -> dict[str, list[str]]:
        """Public keys by app."""
        try:
            return _KEYS.decode(self.app_keys_file.read_bytes())
        except FileNotFoundError:
            return {}

    def add(self, app_id: str, key: str, *, replace: bool = False) -> None:
        """Let a public key publish for the app; with `replace`, no earlier one any more."""
        with self._changing() as keys:
            keys[app_id] = [key] if replace else [*keys.get(app_id, []), key]

    def remove(self, app_id: str) -> int:
        """Take all keys of the app away and return how many there were."""
        with self._changing() as keys:
            return len(keys.pop(app_id, []))

    @contextmanager
    def _changing(self) -> Iterator[dict[str, list[str]]]:
        self.app_keys_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.app_keys_file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = self.app_keys()
            yield keys
            _write_private(self.app_keys_file, json.dumps(keys, indent=2, sort_keys=True))

    def configuration(self) -> str:
        """The server's `accounts` block."""
        return configuration(self.services_key(), self.app_keys())


def configuration(services_key: str, app_keys: Mapping[str, list[str]]) -> str:
    """`accounts` in NATS' configuration language: services may do all, an app's keys publish to its subject."""
    apps = "".join(_account(app_id, keys) for app_id, keys in sorted(app_keys.items()))
    return f"""\
# Written by eventmill whenever keys change; changes made here are lost.
accounts {{
  {SERVICES}: {{
    jetstream: enabled
    users: [{{ nkey: {services_key} }}]
    exports: [{{ service: "events.*" }}]
  }}
{apps}}}
"""


def _account(app_id: str, keys: list[str]) -> str:
    subject = subject_for(app_id)
    permissions = f'permissions: {{ publish: {{ allow: ["{subject}"] }}, subscribe: {{ allow: ["{INBOXES}"] }} }}'
    users = "".join(f"\n      {{ nkey: {key}, {permissions} }}" for key in keys)
    return f"""\
  "APP-{app_id}": {{
    users: [{users}
    ]
    imports: [{{ service: {{ account: {SERVICES}, subject: "{subject}" }} }}]
  }}
"""


def move_streams(store: Path, *, has_accounts: bool) -> None:
    """Let JetStream find the streams in the account that owns them now, after the setting has changed."""
    old, new = (GLOBAL, SERVICES) if has_accounts else (SERVICES, GLOBAL)
    accounts = store / "jetstream"
    if (accounts / old / "streams").is_dir() and not (accounts / new / "streams").exists():
        if (accounts / new).exists():
            (accounts / new).rmdir()
        (accounts / old).rename(accounts / new)


def _write_private(path: Path, text: str) -> None:
    """Replace a file as a whole; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_suffix(".tmp")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
