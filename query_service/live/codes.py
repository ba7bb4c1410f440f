"""Texts as small numbers, so that a column of them is an array."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

NOT_SET = -1
# A Python text, its place in a dictionary and in a list.
_BYTES_PER_TEXT = 150


class Codes:
    """The texts of a column, numbered from 0 in the order in which they came; NOT_SET stands for a missing one."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def bytes(self) -> int:
        """About how much memory they take."""
        return len(self.texts) * _BYTES_PER_TEXT

    def number(self, text: str) -> int:
        """The number of a text; NOT_SET where it never came."""
        return self._numbers.get(text, NOT_SET)

    def encode(self, column: pa.Array | pa.ChunkedArray) -> Numbers:
        """Numbers of a column of texts; what is new is numbered."""
        encoded = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
        encoded = encoded.dictionary_encode()
        found = [self._number_or_new(text) for text in encoded.dictionary.to_pylist()]
        # The last place is that of rows without a text.
        numbers = np.array([*found, NOT_SET], np.int32)
        places = encoded.indices.fill_null(len(found)).to_numpy(zero_copy_only=False)
        result: Numbers = numbers[places]
        return result

    def _number_or_new(self, text: str) -> int:
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return number

    def keep(self, used: Flags) -> Numbers:
        """Forget all texts but the used ones; the new number of each old one, and of NOT_SET at the end."""
        kept = np.flatnonzero(used)
        moved = np.full(len(self.texts) + 1, NOT_SET, np.int32)
        moved[kept] = np.arange(len(kept), dtype=np.int32)
        self.texts = [self.texts[number] for number in kept.tolist()]
        self._numbers = {text: number for number, text in enumerate(self.texts)}
        return moved
