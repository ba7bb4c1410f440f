"""Which places the visits of many events came from: the distinct combinations of page, referrer and campaign."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from eventmill.contracts import derive
from eventmill.contracts.decode import came_from


class Distinct(NamedTuple):
    """For each event the number of its values, and the values, each a tuple."""

    numbers: pa.Array
    values: list[tuple[Any, ...]]


def distinct(numbers: pa.Array, values: list[Any], key: Callable[[Any], Any]) -> Distinct:
    """One value of those with the same key stands for all of them; None for events without a number."""
    kept: dict[Any, int] = {}
    found: list[tuple[Any, ...]] = [(None,)]
    number_of = []
    for value in values:
        # A value is never None, its key may be.
        number = kept.setdefault((key(value),), len(found))
        if number == len(found):
            found.append((value,))
        number_of.append(number)
    if not values:
        return Distinct(pa.repeat(pa.scalar(0, pa.int64()), len(numbers)), found)
    return Distinct(pc.fill_null(pa.array(number_of, pa.int64()).take(numbers), 0), found)


def combined(left: Distinct, right: Distinct) -> Distinct:
    """The combinations of both that occur."""
    if len(right.values) == 1:
        return Distinct(left.numbers, [(*values, *right.values[0]) for values in left.values])
    size = len(right.values)
    encoded = pc.add(pc.multiply(left.numbers, size), right.numbers).dictionary_encode()
    pairs = [divmod(code, size) for code in encoded.dictionary.to_pylist()]
    values = [(*left.values[first], *right.values[second]) for first, second in pairs]
    return Distinct(encoded.indices.cast(pa.int64()), values)


def origin(page: derive.Page | None, referrer: str | None, *given: str | None) -> tuple[str | None, str | None]:
    """Referrer's host and channel of a visit; `given` are the event's own source, medium and campaign."""
    source, medium, campaign = (
        own or utm for own, utm in zip(given, page.utm if page else derive.NO_UTM, strict=False)
    )
    return came_from(page, referrer, (source, medium, campaign))
