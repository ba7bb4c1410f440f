"""Keys of the embedded NATS server: services may do all, an app publishes to its own subject and does nothing else."""

import asyncio
import contextlib
import json
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
import nats.errors
import pytest
from click.testing import CliRunner, Result
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NoStreamResponseError

from eventmill import stream
from eventmill.cli import main
from eventmill.control.apps import create_app
from eventmill.embedded.nats import NatsServer
from eventmill.embedded.nats_keys import create_key, revoke_keys
from eventmill.errors import EventmillError, NotReadyError
from eventmill.settings import Settings
from eventmill.warehouse import connect as connect_warehouse
from tests.workers import free_ports

pytestmark = pytest.mark.integration


@pytest.fixture
def guarded(new_directory: Callable[[], Path], database: str) -> Iterator[Settings]:
    """Settings of a running embedded server that asks for keys."""
    port, monitor_port = free_ports(2)
    settings = Settings(
        home=new_directory(),
        nats_port=port,
        nats_monitor_port=monitor_port,
        nats_auth="nkeys",
        database_url=database,
        stream_max_bytes=64 * 1024**2,
    )
    settings.log_dir.mkdir()
    server = NatsServer.of(settings).server()
    server.start()
    yield settings
    server.stop()


@dataclass
class Publisher:
    """An app's own client, and what the broker told it."""

    client: Client
    errors: list[str] = field(default_factory=list)

    @property
    def js(self) -> JetStreamContext:
        return self.client.jetstream()

    async def refusals(self) -> list[str]:
        """Permission errors so far."""
        for _ in range(50):
            if self.errors:
                break
            await self.client.flush()
            await asyncio.sleep(0.02)
        return self.errors


@asynccontextmanager
async def publisher(settings: Settings, app_id: str) -> AsyncIterator[Publisher]:
    """A client with a new key of the app."""
    key = await create_key(settings, app_id)
    found = Publisher(Client())

    async def note(error: Exception) -> None:
        found.errors.append(str(error))

    await found.client.connect(settings.nats_address, nkeys_seed_str=key.seed, error_cb=note)
    yield found
    with contextlib.suppress(OSError):  # the broker may have closed it
        await found.client.close()


@asynccontextmanager
async def services(settings: Settings) -> AsyncIterator[JetStreamContext]:
    """What gateway and writer see."""
    client = await stream.connect(settings, "test")
    await stream.ensure_stream(client.jetstream(), settings)
    yield client.jetstream()
    await client.close()


async def stored(js: JetStreamContext) -> dict[str, int]:
    return dict((await js.stream_info("EVENTS", subjects_filter=">")).state.subjects or {})


async def test_an_app_publishes_to_its_own_subject_and_gets_the_confirmation(guarded: Settings) -> None:
    async with services(guarded) as js, publisher(guarded, "shop") as shop, publisher(guarded, "blog") as blog:
        ack = await shop.js.publish("events.shop", b"{}", headers={"Nats-Msg-Id": "m1"})
        again = await shop.js.publish("events.shop", b"{}", headers={"Nats-Msg-Id": "m1"})
        await blog.js.publish("events.blog", b"{}")
        assert (ack.stream, again.duplicate) == ("EVENTS", True)
        assert await stored(js) == {"events.shop": 1, "events.blog": 1}
        message = await js.get_msg("EVENTS", ack.seq)
        assert (message.subject, message.data) == ("events.shop", b"{}")


@pytest.mark.parametrize(
    "subject", ["events.blog", "$JS.API.STREAM.PURGE.EVENTS", "$JS.API.STREAM.DELETE.EVENTS", "analytics.committed"]
)
async def test_an_app_publishes_to_nothing_else(guarded: Settings, subject: str) -> None:
    async with services(guarded) as js, publisher(guarded, "shop") as shop, publisher(guarded, "blog"):
        await js.publish("events.blog", b"{}")
        await shop.client.publish(subject, b"{}")
        assert "permissions violation for publish" in (await shop.refusals())[0]
        assert await stored(js) == {"events.blog": 1}


@pytest.mark.parametrize("subject", ["events.*", "events.shop", ">", "$JS.>", "analytics.committed"])
async def test_an_app_subscribes_to_nothing(guarded: Settings, subject: str) -> None:
    async with services(guarded), publisher(guarded, "shop") as shop:
        await shop.client.subscribe(subject)
        assert "permissions violation for subscription" in (await shop.refusals())[0]


@pytest.mark.parametrize("reply", ["events.blog", "$JS.API.STREAM.PURGE.EVENTS", "analytics.committed"])
async def test_not_even_the_confirmation_reaches_another_subject(guarded: Settings, reply: str) -> None:
    async with services(guarded) as js, publisher(guarded, "shop") as shop, publisher(guarded, "blog"):
        heard: list[Any] = []

        async def hear(message: Any) -> None:
            heard.append(message.data)

        observer = await stream.connect(guarded, "observer")
        await observer.subscribe(reply, cb=hear)
        await observer.flush()
        await shop.client.publish("events.shop", b"{}", reply=reply)
        await shop.js.publish("events.shop", b"{}")  # confirmed, so the one before was handled
        await observer.flush()
        await observer.close()
        assert heard == []
        assert await stored(js) == {"events.shop": 2}


async def test_nobody_without_a_key_gets_in(guarded: Settings) -> None:
    async def ignore(_: Exception) -> None:
        """The exception comes back too."""

    client = Client()
    with pytest.raises(nats.errors.Error, match="Authorization Violation"):
        await client.connect(guarded.nats_address, allow_reconnect=False, error_cb=ignore)
    await client.close()


async def test_a_new_key_disturbs_nobody(guarded: Settings) -> None:
    async with services(guarded) as js, publisher(guarded, "shop") as shop:
        await shop.js.publish("events.shop", b"{}")
        async with publisher(guarded, "blog"):
            await shop.js.publish("events.shop", b"{}")
            await js.publish("events.blog", b"{}")
        assert shop.client.stats["reconnects"] == 0
        assert await stored(js) == {"events.shop": 2, "events.blog": 1}


async def test_a_replaced_key_is_worthless_at_once(guarded: Settings) -> None:
    async with services(guarded), publisher(guarded, "shop") as shop:
        await shop.js.publish("events.shop", b"{}")
        await create_key(guarded, "shop", replace=True)
        with pytest.raises((nats.errors.Error, NoStreamResponseError, OSError)):
            await shop.js.publish("events.shop", b"{}", timeout=0.5)


async def test_revoked_keys_are_gone(guarded: Settings) -> None:
    async with services(guarded), publisher(guarded, "shop") as shop, publisher(guarded, "shop"):
        assert revoke_keys(guarded, "shop") == 2
        assert revoke_keys(guarded, "shop") == 0
        with pytest.raises((nats.errors.Error, NoStreamResponseError, OSError)):
            await shop.js.publish("events.shop", b"{}", timeout=0.5)


async def test_seeds_are_kept_nowhere_but_the_services_own(guarded: Settings) -> None:
    async with services(guarded):
        key = await create_key(guarded, "shop")
    files = [path for path in guarded.home.rglob("*") if path.is_file() and not path.is_relative_to(guarded.log_dir)]
    texts = {path.name: path.read_bytes() for path in files}
    assert not [name for name, text in texts.items() if key.seed.encode() in text]
    seed = guarded.nats_services_seed_file
    assert seed is not None
    assert stat.S_IMODE(seed.stat().st_mode) == 0o600


async def test_streams_stay_when_keys_are_switched_on_and_off(own_home: Settings) -> None:
    created = []
    for auth in ("none", "nkeys", "none"):
        settings = own_home.model_copy(update={"nats_auth": auth})
        server = NatsServer.of(settings).server()
        server.start()
        try:
            client = await stream.connect(settings, "test")
            created.append((await stream.ensure_stream(client.jetstream(), settings)).created_at)
            await client.jetstream().publish("events.shop", b"{}")
            assert await stored(client.jetstream()) == {"events.shop": len(created)}
            await client.close()
        finally:
            server.stop()
    assert len(set(created)) == 1


@pytest.fixture
def own_home(new_directory: Callable[[], Path]) -> Settings:
    port, monitor_port = free_ports(2)
    settings = Settings(
        home=new_directory(), nats_port=port, nats_monitor_port=monitor_port, stream_max_bytes=64 * 1024**2
    )
    settings.log_dir.mkdir()
    return settings


async def test_a_key_for_a_server_that_does_not_run_holds_from_its_next_start_on(own_home: Settings) -> None:
    settings = own_home.model_copy(update={"nats_auth": "nkeys"})
    key = await create_key(settings, "shop")
    assert key.active is False
    server = NatsServer.of(settings).server()
    server.start()
    try:
        async with services(settings) as js:
            client = await nats.connect(settings.nats_address, nkeys_seed_str=key.seed)
            await client.jetstream().publish("events.shop", b"{}")
            await client.close()
            assert await stored(js) == {"events.shop": 1}
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("changes", "message"),
    [({}, "EVENTMILL_NATS_AUTH is none"), ({"nats_url": "nats://broker.example:4222"}, "not eventmill's own")],
)
async def test_a_key_needs_an_embedded_server_that_asks_for_keys(
    own_home: Settings, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(EventmillError, match=message):
        await create_key(own_home.model_copy(update=changes), "shop")


async def test_services_without_their_seed_are_told_so(guarded: Settings) -> None:
    other = Settings(home=guarded.home, nats_url=guarded.nats_address)  # another's broker: not with our own seed
    with pytest.raises(NotReadyError, match="Authorization Violation"):
        await stream.connect(other, "test", allow_reconnect=False)


def run(settings: Settings, *arguments: str) -> Result:
    variables = {
        "EVENTMILL_HOME": str(settings.home),
        "EVENTMILL_DATABASE_URL": settings.database_address,
        "EVENTMILL_NATS_PORT": str(settings.nats_port),
        "EVENTMILL_NATS_MONITOR_PORT": str(settings.nats_monitor_port),
    }
    return CliRunner().invoke(main, arguments, env=variables)


def test_the_command_prints_seed_and_subjects(guarded: Settings) -> None:
    async def make_stream() -> None:
        async with services(guarded):
            pass

    asyncio.run(make_stream())
    with connect_warehouse(guarded) as connection:
        create_app(connection, "shop")
    key = json.loads(run(guarded, "app", "nats-key", "shop", "--json").output)
    assert key["seed"].startswith("SU")
    assert (key["app_id"], key["publish"], key["subscribe"], key["active"]) == (
        *("shop", "events.shop", "_INBOX.>"),
        True,
    )
    unknown = run(guarded, "app", "nats-key", "none")
    assert (unknown.exit_code, "There is no app 'none'" in unknown.output) == (1, True)
