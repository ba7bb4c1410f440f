"""The body of `/v1/batch`: its messages, each as the bytes that were sent, and what it says for all of them."""

import re

from msgspec import Raw

from eventmill.contracts import limits
from eventmill.contracts.envelope import split_body
from ingest_service.gateway.problems import Problem
from ingest_service.gateway.segment.fields import Fields, members, present
from ingest_service.gateway.segment.mapping import Batch

RULE = "The body is a JSON object whose `batch` is an array of messages."
# Possessive, and a string may lack its end: one pass whatever the bytes.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_STEP = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}
_ARRAY_FOLLOWS = re.compile(rb"\s*:\s*(?=\[)")


def read_batch(body: bytes) -> tuple[list[bytes], Batch]:
    """The messages, and what holds for all of them. One that is no valid JSON does not fail its neighbours.

    Raises Problem 400 for a body in which no messages can be told, and for a context that is not an object.
    """
    whole = members(body)
    outer, array = _take_broken_apart(body) if whole is None else (whole, bytes(whole.pop("batch", Raw(b""))))
    if not array.lstrip().startswith(b"["):
        raise Problem(400, "Bad Request", "The body holds no array `batch`.", field="batch", rule=RULE)
    messages = [] if array.strip()[1:].strip() == b"]" else split_body(array)
    outer = present(outer)
    return messages, Batch(_context(outer), outer.get("sentAt"))


def _context(outer: Fields) -> Fields:
    context = outer.get("context", Raw(b"{}"))
    found = members(context)
    if found is None or len(bytes(context)) > limits.MAX_EVENT_BYTES:
        rule = "A batch's context is a JSON object of at most 32 KB."
        raise Problem(400, "Bad Request", "The context of the batch is not one.", field="context", rule=rule)
    return present(found)


def _take_broken_apart(body: bytes) -> tuple[Fields, bytes]:
    """As much as can be told of a body that is not valid as a whole: what stands around `batch`, and its array."""
    depth, start = 0, None
    for token in _TOKEN.finditer(body):
        depth += _STEP.get(token[0], 0)
        if depth != 1:
            continue
        if start is None and token[0] == b'"batch"' and (found := _ARRAY_FOLLOWS.match(body, token.end())):
            start = found.end()
        elif start is not None and token[0] == b"]" and token.end() > start:
            around = body[:start] + b"[]" + body[token.end() :]
            return members(around) or {}, body[start : token.end()]
    return {}, body[start:] if start is not None else b""
