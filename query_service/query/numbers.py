"""Metrics from measures: ratios, percent as Postgres rounds them, and changes since an earlier period."""

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any

from query_service.query.catalog import MEASURES, RATIOS

Number = int | float | None
Read = Callable[[Mapping[str, Any]], Number]

# The one measure that is no number of JSON as it is.
_DECIMAL = "revenue"
_CENT = Decimal("0.01")


def metric(name: str, measures: Mapping[str, Any]) -> Number:
    """A metric by name; a ratio is null where nothing divides, or a part is unknown."""
    ratio = RATIOS.get(name)
    if ratio is None:
        return plain(measures[name])
    above, below = measures[ratio.numerator], measures[ratio.denominator]
    if above is None or not below:
        return None
    return percent(above, below) if ratio.is_percent else float(above) / float(below)


@lru_cache(maxsize=512)
def readers(names: tuple[str, ...]) -> Sequence[tuple[str, Read]]:
    """How each metric is read from measures: as `metric` does, chosen once for all rows."""
    plain_ones = MEASURES.keys() - {_DECIMAL}
    return [(name, itemgetter(name) if name in plain_ones else partial(metric, name)) for name in names]


def percent(part: Any, whole: Any) -> float:
    """Percent with two decimals; a tie is rounded away from 0."""
    return float((Decimal(100 * part) / Decimal(whole)).quantize(_CENT, ROUND_HALF_UP))


def change(now: Number, before: Number) -> float | None:
    """By how many percent a number has changed; null where there was none or 0 before."""
    if now is None or not before:
        return None
    return float(
        (100 * (Decimal(str(now)) - Decimal(str(before))) / Decimal(str(before))).quantize(_CENT, ROUND_HALF_UP)
    )


def plain(value: Any) -> Number:
    """A number that JSON can say."""
    return float(value) if isinstance(value, Decimal) else value
