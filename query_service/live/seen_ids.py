"""Which events have come before, in eight bytes each."""

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_FRESH = 1 << 13
# A pile is merged into the one below unless that is so much larger: there are few of them, and few merges.
_RATIO = 4


class SeenIds:
    """Hashes of ids: sorted piles, and a set of those that came last."""

    def __init__(self) -> None:
        self._piles: list[Ids] = []
        self._fresh: set[int] = set()

    def __len__(self) -> int:
        return len(self._fresh) + sum(map(len, self._piles))

    @property
    def bytes(self) -> int:
        """About how much memory they take."""
        return len(self._fresh) * 80 + sum(pile.nbytes for pile in self._piles)

    def are_new(self, ids: Ids) -> Flags:
        """Which ids were not added before; of several equal ones the first."""
        seen = np.zeros(len(ids), np.bool_)
        for pile in self._piles:
            places = np.searchsorted(pile, ids)
            places[places == len(pile)] = 0
            seen |= pile[places] == ids
        if self._fresh:
            fresh = self._fresh
            seen |= np.fromiter((one in fresh for one in ids.tolist()), np.bool_, len(ids))
        first = np.zeros(len(ids), np.bool_)
        first[np.unique(ids, return_index=True)[1]] = True
        return first & ~seen

    def add(self, ids: Ids) -> None:
        """Remember ids, none of which was added before."""
        self._fresh.update(ids.tolist())
        if len(self._fresh) >= _FRESH:
            self._piles.append(np.fromiter(self._fresh, np.int64, len(self._fresh)))
            self._piles[-1].sort()
            self._fresh.clear()
            self._merge()

    def reset(self, ids: Ids) -> None:
        """Remember these alone."""
        self._piles = [np.sort(ids)] if len(ids) else []
        self._fresh.clear()

    def _merge(self) -> None:
        while len(self._piles) > 1 and len(self._piles[-2]) < _RATIO * len(self._piles[-1]):
            merged = np.concatenate([self._piles.pop(), self._piles.pop()])
            merged.sort()
            self._piles.append(merged)
