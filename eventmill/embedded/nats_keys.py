"""Gives apps keys of the embedded NATS server and takes them away, while it runs."""

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass

import nats
import nats.errors
import psutil
from nats.aio.client import Client

from eventmill.contracts.subjects import subject_for
from eventmill.embedded.nats import NatsServer
from eventmill.embedded.nats_accounts import INBOXES, NatsAccounts, create_seed, public_key
from eventmill.errors import EventmillError, NotReadyError
from eventmill.settings import Settings

_PATIENCE_SECONDS = 90.0
# The broker refuses a message that expects another stream, and says so: that tells that it would take others.
_PROBE = {"Nats-Expected-Stream": "probe"}


@dataclass(frozen=True, slots=True)
class NatsKey:
    """A key that publishes to an app's subject. `active` says whether the broker takes it already."""

    app_id: str
    seed: str
    public_key: str
    publish: str
    subscribe: str
    active: bool


async def create_key(settings: Settings, app_id: str, *, replace: bool = False) -> NatsKey:
    """A new key of the app, in force at once where the embedded server runs; with `replace`, the only one.

    Raises EventmillError where the broker is an external one or asks for no keys, NotReadyError where it does not
    take the new one.
    """
    _check_embedded(settings)
    accounts, seed = NatsAccounts.of(settings), create_seed()
    key = public_key(seed)
    accounts.add(app_id, key, replace=replace)
    active = _reload(settings)
    if active:
        await _wait_until_taken(settings, app_id, seed)
    return NatsKey(app_id, seed, key, subject_for(app_id), INBOXES, active)


def revoke_keys(settings: Settings, app_id: str) -> int:
    """Take all keys of the app away, at once where the embedded server runs, and return how many there were."""
    accounts = NatsAccounts.of(settings)
    if app_id not in accounts.app_keys():
        return 0
    removed = accounts.remove(app_id)
    _reload(settings)
    return removed


def _check_embedded(settings: Settings) -> None:
    if settings.nats_url is not None:
        raise EventmillError(
            "EVENTMILL_NATS_URL names a broker that is not eventmill's own, so its users are not eventmill's to make.",
            "docs/nats.md has the configuration that gives an app a key there.",
        )
    if settings.nats_auth != "nkeys" and not NatsServer.of(settings).asks_for_keys:
        raise EventmillError(
            "EVENTMILL_NATS_AUTH is none: the broker asks nobody for a key.",
            "Start `eventmill up` with EVENTMILL_NATS_AUTH=nkeys; docs/nats.md explains it.",
        )


def _reload(settings: Settings) -> bool:
    """Have a running server that asks for keys read them again; False where none runs."""
    server = NatsServer.of(settings)
    server.write_accounts(NatsAccounts.of(settings))
    if not server.asks_for_keys:
        return False
    with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
        process = psutil.Process(int(server.pid_file.read_text(encoding="ascii")))
        # The number may have become another program's since.
        if str(server.configuration_file) in process.cmdline():
            os.kill(process.pid, signal.SIGHUP)
            return True
    return False


async def _wait_until_taken(settings: Settings, app_id: str, seed: str) -> None:
    """Return once a publisher with this seed reaches the stream.

    nats-server 2.15 connects a new account with its import at the reload after the one that adds it, so it is told
    again until the account is connected.
    """
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    pause_seconds = 0.2
    while asyncio.get_running_loop().time() < deadline:
        if await _reaches_stream(settings, app_id, seed):
            return
        _reload(settings)
        await asyncio.sleep(pause_seconds)
        # A busy server must come to its end with one reload before it is told of the next.
        pause_seconds = min(2 * pause_seconds, 3.0)
    raise NotReadyError(
        "The broker does not take the new key yet.", "It will after a restart; `eventmill status` tells how it is."
    )


async def _reaches_stream(settings: Settings, app_id: str, seed: str) -> bool:
    client = Client()
    try:
        await client.connect(
            f"nats://127.0.0.1:{settings.nats_port}",
            nkeys_seed_str=seed,
            connect_timeout=2,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            error_cb=_ignore,
        )
        await client.request(subject_for(app_id), b"", timeout=2, headers=_PROBE)
    except (OSError, nats.errors.Error, TimeoutError):
        return False
    else:
        return True
    finally:
        await client.close()


async def _ignore(_: Exception) -> None:
    """The first attempts may come before the server knows the key; the last one counts."""
