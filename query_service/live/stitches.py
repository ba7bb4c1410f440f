"""Which user an anonymous visitor turned out to be, as far as the window shows."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from query_service.live.codes import Numbers

# The number of an anonymous id and that of a user.
Pair = tuple[int, int]


class Stitches:
    """Pairs of ids seen together; an anonymous id seen with two users stays on its own."""

    def __init__(self) -> None:
        self._minutes_of: Counter[Pair] = Counter()
        self._users_of: dict[int, set[int]] = {}
        self._actors: Numbers = np.arange(1024, dtype=np.int32)

    def add(self, pairs: Iterable[Pair]) -> None:
        """Note the pairs of one more minute, each once."""
        for pair in pairs:
            self._minutes_of[pair] += 1
            if self._minutes_of[pair] == 1:
                anonymous, user = pair
                self._users_of.setdefault(anonymous, set()).add(user)
                self._judge(anonymous)

    def remove(self, pairs: Iterable[Pair]) -> None:
        """Forget the pairs of a minute."""
        for pair in pairs:
            self._minutes_of[pair] -= 1
            if not self._minutes_of[pair]:
                del self._minutes_of[pair]
                anonymous, user = pair
                self._users_of[anonymous].discard(user)
                self._judge(anonymous)

    def actors(self, count: int) -> Numbers:
        """The actor that each of the numbers below `count` stands for: itself, or its user."""
        self._grow(count)
        return self._actors[:count]

    def _judge(self, anonymous: int) -> None:
        self._grow(anonymous + 1)
        users = self._users_of[anonymous]
        self._actors[anonymous] = next(iter(users)) if len(users) == 1 else anonymous
        if not users:
            del self._users_of[anonymous]

    def _grow(self, count: int) -> None:
        size = len(self._actors)
        if count > size:
            grown = np.arange(max(count, 2 * size), dtype=np.int32)
            grown[:size] = self._actors
            self._actors = grown
