"""Cursors of pages: opaque texts that belong to one question of one app."""

import base64
import binascii

from query_service.query.errors import InvalidParameter

MAX_OFFSET = 1_000_000
_RULE = "next_cursor of the previous page of the same question."


def encode_offset(offset: int, question: str) -> str:
    """The cursor of the page that begins after `offset` rows; `question` is the digest of what is asked."""
    return base64.urlsafe_b64encode(f"{question}:{offset}".encode()).decode()


def decode_offset(given: object, question: str) -> int:
    """Raises InvalidParameter for anything that `encode_offset` did not write for this very question."""
    written_for, _, offset = _decoded(given).partition(":")
    is_number = offset.isascii() and offset.isdecimal() and len(offset) <= 9
    if written_for != question or not is_number or not 0 < int(offset) <= MAX_OFFSET:
        raise InvalidParameter("cursor", "The cursor is not one of this question.", _RULE)
    return int(offset)


def _decoded(given: object) -> str:
    if isinstance(given, str):
        try:
            return base64.urlsafe_b64decode(given.encode()).decode()
        except (binascii.Error, ValueError):
            pass  # refused below, like anything else that is no cursor
    raise InvalidParameter("cursor", "The cursor is not one.", _RULE)
