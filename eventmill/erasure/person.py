"""The person to erase: the user's id, the anonymous ids that belong to that user alone, and where they show."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

USER_KEYS = frozenset({"user_id", "userId", "user_pk", "previousId", "previous_id"})
ANONYMOUS_KEYS = frozenset({"anonymous_id", "anonymousId", "previousId", "previous_id"})
# A shorter text is found everywhere: it is the person's only where a field says that it is an id.
_TELLING = 8


@dataclass(frozen=True, slots=True)
class Person:
    """A user of an app. `shared` are anonymous ids seen with other users too: they are not the person's alone."""

    app_id: str
    user_id: str
    anonymous_ids: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()

    @property
    def actors(self) -> list[str]:
        """The keys by which derived tables know the person."""
        return [f"u{self.user_id}", *(f"a{one}" for one in sorted(self.anonymous_ids))]

    def rows_of(self, rows: pa.Table) -> pa.ChunkedArray:
        """Which events (app_id, user_id, anonymous_id) are the person's."""
        is_user = pc.fill_null(pc.equal(rows["user_id"], self.user_id), False)
        is_anonymous = pc.fill_null(pc.is_in(rows["anonymous_id"], value_set=self._anonymous), False)
        ids = pc.or_(is_user, is_anonymous)
        return pc.and_(pc.equal(rows["app_id"], self.app_id), ids)

    def rows_beside(self, rows: pa.Table) -> pa.ChunkedArray:
        """Which events bear a shared id: they may belong to somebody else once the person is gone."""
        shared = pa.array(sorted(self.shared), pa.string())
        is_shared = pc.fill_null(pc.is_in(rows["anonymous_id"], value_set=shared), False)
        return pc.and_(pc.equal(rows["app_id"], self.app_id), is_shared)

    @property
    def _anonymous(self) -> pa.Array:
        return pa.array(sorted(self.anonymous_ids), pa.string())

    def is_in(self, raw: bytes) -> bool:
        """Whether what was sent, be it JSON or not, names the person."""
        # An escape such as \u0061 hides an id from a search for its bytes.
        if not any(form in raw for one in self._ids for form in _forms(one)) and b"\\" not in raw:
            return False
        return any(self._is_in_line(line) for line in raw.split(b"\n") if line.strip())

    @property
    def _ids(self) -> list[str]:
        return [self.user_id, *self.anonymous_ids]

    def _is_in_line(self, line: bytes) -> bool:
        try:
            return any(self._is_named(key, value) for key, value in _texts(json.loads(line)))
        except (ValueError, RecursionError):
            return any(_is_quoted(line, one) for one in self._ids)

    def _is_named(self, key: str, value: str) -> bool:
        if value == self.user_id:
            return key in USER_KEYS or len(value) >= _TELLING
        return value in self.anonymous_ids and (key in ANONYMOUS_KEYS or len(value) >= _TELLING)


def _forms(one: str) -> Iterator[bytes]:
    yield one.encode()
    yield json.dumps(one)[1:-1].encode()


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Every text and number below a JSON value, with the name of its field."""
    left: list[tuple[str, Any]] = [("", value)]
    while left:
        key, one = left.pop()
        if isinstance(one, dict):
            left += one.items()
        elif isinstance(one, list):
            left += [(key, item) for item in one]
        elif isinstance(one, str):
            yield key, one
            yield from _within(one)
        elif isinstance(one, int | float) and not isinstance(one, bool):
            yield key, str(one)


def _within(text: str) -> Iterable[tuple[str, str]]:
    """Of a text that is JSON itself, as a line that was wrapped for quarantine."""
    if not text.startswith(("{", "[")):
        return ()
    try:
        return list(_texts(json.loads(text)))
    except (ValueError, RecursionError):
        return ()


def _is_quoted(line: bytes, one: str) -> bool:
    """Whether a line that is no JSON has the id as the value of a field, or as a word of its own if it is telling."""
    names = "|".join(sorted(USER_KEYS | ANONYMOUS_KEYS)).encode()
    for form in set(_forms(one)):
        text = re.escape(form)
        if re.search(rb'["\']?(?:' + names + rb')["\']?\s*[:=]\s*["\']?' + text + rb"(?![\w-])", line):
            return True
        if len(one) >= _TELLING and re.search(rb"(?<![\w-])" + text + rb"(?![\w-])", line):
            return True
    return False
