"""Events' ids as numbers: 128 bits of keyed hash each, a whole batch at a time."""

import secrets
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_Integers = npt.NDArray[np.uint64]
_Instants = npt.NDArray[np.int64]

_SEPARATOR = "\0"
# Ids of a UUID's length, which nearly all have, are read as this many words of 32 bits; the app's hash is two more.
_UUID_BYTES = 36
_WORDS = _UUID_BYTES // 4
# A row of factors for each 32 bits of the key, new in each process.
_FACTORS = np.frombuffer(secrets.token_bytes(8 * 4 * (_WORDS + 2)), np.uint64).reshape(_WORDS + 2, 4)
_HIGH, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class IdKeys:
    """Ids of a batch in the stream's order: two halves of a hash, and `received_at` in Unix microseconds."""

    first: _Integers
    second: _Integers
    received_us: _Instants

    @classmethod
    def of(cls, rows: pa.Table) -> "IdKeys":
        """Keys of rows with `app_id`, `event_id` and `received_at`."""
        app, event = rows["app_id"].cast(pa.string()), rows["event_id"].cast(pa.string())
        received = rows["received_at"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()
        first, second = _hashed(app, event)
        # Zero marks a free slot.
        first[first == 0] = 1
        return cls(first, second, received)

    def __len__(self) -> int:
        return len(self.first)

    def where(self, chosen: npt.NDArray[Any]) -> "IdKeys":
        """The keys for which `chosen` is true, or that it numbers."""
        return IdKeys(self.first[chosen], self.second[chosen], self.received_us[chosen])

    def sorted(self) -> "IdKeys":
        """The keys in ascending order of `first`."""
        return self.where(np.argsort(self.first))

    def slice(self, start: int, stop: int) -> "IdKeys":
        """The keys in `[start, stop)`."""
        return IdKeys(self.first[start:stop], self.second[start:stop], self.received_us[start:stop])


def _hashed(app: pa.ChunkedArray, event: pa.ChunkedArray) -> tuple[_Integers, _Integers]:
    # How an id is hashed hangs on the id alone: the same one must get the same key in any batch.
    lengths = pc.binary_length(event)
    has_length = pc.equal(lengths, _UUID_BYTES)
    if pc.all(has_length).as_py():
        return _uuids_hashed(app, event)
    first, second = _texts_hashed(app, event)
    rows = np.flatnonzero(has_length.to_numpy())
    if len(rows):
        first[rows], second[rows] = _uuids_hashed(app.take(pa.array(rows)), event.take(pa.array(rows)))
    return first, second


def _texts_hashed(app: pa.ChunkedArray, event: pa.ChunkedArray) -> tuple[_Integers, _Integers]:
    """By SipHash, which Python seeds anew in each process."""
    halves = []
    for left, right in ((app, event), (event, app)):
        # An app's id holds no separator, so no two pairs make one text.
        texts = pc.binary_join_element_wise(left, right, _SEPARATOR).to_pylist()
        halves.append(np.fromiter(map(hash, texts), np.int64, len(texts)).view(np.uint64))
    return halves[0], halves[1]


def _uuids_hashed(app: pa.ChunkedArray, event: pa.ChunkedArray) -> tuple[_Integers, _Integers]:
    """By multilinear hashing: the upper half of a sum of products of words with random factors, four times.

    Two different ids get the same 128 bits with a chance of 2^-128, whatever they are (Lemire and Kaser, «Strongly
    universal string hashing is fast», 2014). It takes a tenth of what a Python object for each id does.
    """
    letters = event.cast(pa.binary(_UUID_BYTES)).combine_chunks()
    words = np.frombuffer(letters.buffers()[1], np.uint32, len(letters) * _WORDS, letters.offset * _UUID_BYTES)
    sums = words.reshape(-1, _WORDS).astype(np.uint64) @ _FACTORS[:_WORDS]
    apps = app.combine_chunks().dictionary_encode()
    hashes = np.array([hash(name) for name in apps.dictionary.to_pylist()], np.int64).view(np.uint64)
    of_app = (hashes >> _HIGH)[:, None] * _FACTORS[_WORDS] + (hashes & _LOW)[:, None] * _FACTORS[_WORDS + 1]
    upper = (sums + of_app[apps.indices.to_numpy()]) >> _HIGH
    return upper[:, 0] << _HIGH | upper[:, 1], upper[:, 2] << _HIGH | upper[:, 3]
