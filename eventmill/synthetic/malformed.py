"""Lines that must end in quarantine, each breaking one rule of the contract."""

import random
from collections.abc import Callable
from typing import Any

import msgspec

Fields = dict[str, Any]


def broken(rng: random.Random, raw: bytes) -> bytes:
    """A rejected variant of a valid event; its id is its own, so that the valid one is unharmed."""
    event = msgspec.json.decode(raw, type=dict[str, Any])
    event["event_id"] = f"malformed-{rng.getrandbits(64):016x}"
    return rng.choice(_WAYS)(event)


def _cut_off(event: Fields) -> bytes:
    return msgspec.json.encode(event)[:-20]


def _not_an_object(event: Fields) -> bytes:
    return msgspec.json.encode([event["event_id"], event["event_type"]])


def _wrong_type(event: Fields) -> bytes:
    return msgspec.json.encode(event | {"session_id": 17})


def _no_offset(event: Fields) -> bytes:
    return msgspec.json.encode(event | {"timestamp": "yesterday at noon"})


def _negative_duration(event: Fields) -> bytes:
    return msgspec.json.encode(event | {"duration_ms": -1})


def _unknown_source(event: Fields) -> bytes:
    return msgspec.json.encode(event | {"source": "toaster"})


def _nobody(event: Fields) -> bytes:
    # From a server: the gateway gives a web event without any id one of its own.
    nobody = {"source": "server", "user_id": None, "anonymous_id": None, "session_id": None}
    return msgspec.json.encode(event | nobody)


def _newer_major(event: Fields) -> bytes:
    return msgspec.json.encode(event | {"schema_version": "2.0.0"})


_WAYS: tuple[Callable[[Fields], bytes], ...] = (
    _cut_off,
    _not_an_object,
    _wrong_type,
    _no_offset,
    _negative_duration,
    _unknown_source,
    _nobody,
    _newer_major,
)
