"""What an SDK's messages became on the broker."""

import asyncio
from typing import Any

from nats.js import JetStreamContext

from tests.gateway_calls import last_seq, stored


async def events(jetstream: JetStreamContext) -> list[Any]:
    """Every event on the broker, decoded by the writer's own rules, in order."""
    found: list[Any] = []
    for seq in range(1, await last_seq(jetstream) + 1):
        found += (await stored(jetstream, seq))[1]
    return found


async def until_arrived(jetstream: JetStreamContext, *event_ids: str) -> dict[str, Any]:
    """The events by their ids, once these have arrived."""
    async with asyncio.timeout(60):
        while True:
            found = {event.event_id: event for event in await events(jetstream)}
            if found.keys() >= set(event_ids):
                return found
            await asyncio.sleep(0.1)
