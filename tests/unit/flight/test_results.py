"""How long results are kept."""

import pyarrow as pa

from query_service.flight.limits import Limits
from query_service.flight.results import ResultCache

NOW = [100.0]
TABLE = pa.table({"a": pa.array(range(100), pa.int64())})
LIMITS = Limits(cached_bytes=2_000, cached_result_bytes=1_000, cached_seconds=60)


def cache() -> ResultCache:
    return ResultCache(LIMITS, lambda: NOW[0])


def test_a_result_is_found_until_something_changed() -> None:
    kept = cache()
    kept.keep("q", (1, 5), TABLE)
    assert kept.find("q", (1, 5)) is TABLE
    assert kept.find("other", (1, 5)) is None
    assert kept.find("q", (1, 6)) is None
    assert kept.find("q", (1, 5)) is None


def test_a_result_is_not_kept_for_more_than_a_minute() -> None:
    kept = cache()
    kept.keep("q", 1, TABLE)
    NOW[0] += 60
    assert kept.find("q", 1) is None


def test_the_least_recently_used_goes_first() -> None:
    kept = cache()
    kept.keep("a", 1, TABLE)
    kept.keep("b", 1, TABLE)
    assert kept.find("a", 1) is TABLE
    kept.keep("c", 1, TABLE)
    assert (kept.find("a", 1), kept.find("b", 1), kept.find("c", 1)) == (TABLE, None, TABLE)


def test_what_is_too_large_is_not_kept() -> None:
    kept = cache()
    kept.keep("q", 1, pa.table({"a": pa.array(range(1_000), pa.int64())}))
    assert kept.find("q", 1) is None
