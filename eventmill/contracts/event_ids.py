"""Ids for events that came without one: UUIDs of version 7, ordered by time [RFC 9562, section 5.7]."""

import os
import time

# The random parts, in place.
_RAND_A, _RAND_B = 0xFFF << 64, (1 << 62) - 1
_VERSION, _VARIANT = 0x7 << 76, 0x2 << 62


def new_event_id(now_ms: int | None = None) -> str:
    """A UUIDv7 as text. (In the standard library from Python 3.14.)"""
    # Put together by hand: a batch may lack thousands, and `str(UUID)` alone takes longer than this.
    milliseconds = now_ms if now_ms is not None else time.time_ns() // 1_000_000
    random_bits = int.from_bytes(os.urandom(10), "big")
    text = f"{milliseconds << 80 | _VERSION | random_bits >> 4 & _RAND_A | _VARIANT | random_bits & _RAND_B:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
