"""The embedded NATS server against its promises: durable before acknowledged, data kept over a restart."""

import nats
import pytest

from eventmill.embedded import nats as embedded_nats
from eventmill.embedded.children import Server
from eventmill.embedded.nats import NatsServer
from eventmill.settings import Settings

pytestmark = pytest.mark.integration


def test_jetstream_syncs_before_it_acknowledges(nats_server: NatsServer) -> None:
    assert embedded_nats.syncs_always(f"http://127.0.0.1:{nats_server.monitor_port}")


async def test_a_message_of_4_megabytes_is_the_largest(nats_server: NatsServer) -> None:
    client = await nats.connect(f"nats://127.0.0.1:{nats_server.port}")
    largest = client.max_payload
    await client.close()
    assert largest == 4 * 1024**2


async def test_a_killed_server_keeps_what_it_acknowledged(own_nats: tuple[NatsServer, Server]) -> None:
    nats_server, server = own_nats
    client = await nats.connect(f"nats://127.0.0.1:{nats_server.port}")
    await client.jetstream().add_stream(name="KEPT", subjects=["kept"])
    await client.jetstream().publish("kept", b"1")
    await client.close()
    server.kill()
    server.start()
    client = await nats.connect(f"nats://127.0.0.1:{nats_server.port}")
    assert (await client.jetstream().stream_info("KEPT")).state.messages == 1
    await client.close()


async def test_a_test_starts_with_no_stream(settings: Settings) -> None:
    client = await nats.connect(settings.nats_address)
    assert await client.jetstream().streams_info() == []
    await client.jetstream().add_stream(name="EVENTS", subjects=["events.*"])
    await client.close()


async def test_streams_of_the_test_before_are_gone(settings: Settings) -> None:
    client = await nats.connect(settings.nats_address)
    assert await client.jetstream().streams_info() == []
    await client.close()
