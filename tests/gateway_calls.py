"""Calls on a running gateway, and what it left on the broker, for the tests of the gateway."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
from nats.js import JetStreamContext

from eventmill.contracts.decode import AppRules, DecodeContext, decode_event
from eventmill.contracts.envelope import Section, decode_sections, split_body, unwrap
from eventmill.contracts.subjects import STREAM
from eventmill.settings import Settings

GOOD: dict[str, Any] = {"event_id": "e1", "event_type": "click", "user_id": "u1"}
StartGateway = Callable[[Settings], Awaitable[httpx.AsyncClient]]


async def until_answers(client: httpx.AsyncClient, path: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                if (await client.get(path)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)


async def last_seq(jetstream: JetStreamContext) -> int:
    return int((await jetstream.stream_info(STREAM)).state.last_seq)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "User-Agent": "curl/8"}


async def post(gateway: httpx.AsyncClient, key: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return await gateway.post("/v1/events", content=content, headers=bearer(key) | headers)


async def stored(jetstream: JetStreamContext, seq: int) -> tuple[str, list[Any]]:
    """Subject and decoded events of a message, by the writer's own rules."""
    subject, sections = await stored_sections(jetstream, seq)
    return subject, [event for _, events in sections for event in events]


async def stored_sections(jetstream: JetStreamContext, seq: int) -> tuple[str, list[tuple[Section, list[Any]]]]:
    """Subject of a message, and each of its sections with its decoded events."""
    message = await jetstream.get_msg(STREAM, seq)
    assert message.subject is not None
    assert message.time is not None
    lines = split_body(message.data or b"")
    found = []
    for section in decode_sections(message.subject, message.headers, message.time):
        count = len(lines) if section.events is None else section.events
        rules = DecodeContext(AppRules(section.context.app_id), section.context)
        found.append((section, [decode_event(unwrap(line), rules) for line in lines[:count]]))
        lines = lines[count:]
    return message.subject, found
