"""The question of version 2, checked: what every transport asks, and what every source answers.

`asked` is the JSON of POST /api/v2/query. Whatever is constructed here means something; whether a source has it is the
planner's to say.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from eventmill.analysis.filters import Condition
from query_service.query import spec_cuts, spec_fields
from query_service.query.catalog import Measure, measures_of
from query_service.query.cursors import decode_offset, encode_offset
from query_service.query.date_words import DEFAULT_WORD, WINDOWS, parse_compare, parse_range
from query_service.query.model import Tenant
from query_service.query.periods import Granularity, Range, bucket_starts
from query_service.query.ranges import DateRange

Direction = Literal["asc", "desc"]

FIELDS = (
    *("app_id", "metrics", "dimensions", "filters", "date_range", "granularity", "compare", "order_by", "limit"),
    *("cursor", "include_bots", "goal"),
)
TIMESTAMP = "timestamp"
DEFAULT_ROWS = 100
# Rows with a granularity are few for each value: without a limit, all periods.
MAX_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class QuerySpec:
    """A question about one app.

    `window` is the word of a range that ends now (`5m`, `10m`, `60m`), else None. `granularity` None asks for totals.
    `order_by` is complete: metrics, dimensions or `timestamp`, each with its direction. Rows come from `offset` on, at
    most `limit`. `goal` is a goal's identifier or id.
    """

    tenant: Tenant
    metrics: tuple[str, ...]
    dimensions: tuple[str, ...]
    filters: tuple[Condition, ...]
    range: Range
    window: str | None = None
    granularity: Granularity | None = None
    compare_range: Range | None = None
    order_by: tuple[tuple[str, Direction], ...] = ()
    limit: int = DEFAULT_ROWS
    offset: int = 0
    include_bots: bool = False
    goal: str | None = None

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What a source computes: the metrics, a ratio by its two parts."""
        return measures_of(self.metrics)

    @property
    def buckets(self) -> tuple[datetime, ...]:
        """Starts (UTC) of the periods of the answer; one, the start of the range, for totals."""
        if self.granularity is None:
            return (self.range.instants[0],)
        return bucket_starts(self.range, self.granularity, self.tenant.week_start)

    def digest(self) -> str:
        """Names the question without its page: equal questions about equal ranges have equal digests."""
        return _digest(self)

    def cursor_after(self, rows: int) -> str:
        """The cursor of the page after one of so many rows."""
        return encode_offset(self.offset + rows, _digest(self))


def parse(asked: Mapping[str, Any], tenant: Tenant, now: datetime) -> QuerySpec:
    """The question that decoded JSON asks at `now`. Raises InvalidParameter naming the field and what it may be."""
    spec_fields.refuse_unknown(asked, FIELDS)
    metrics = spec_fields.metrics(asked.get("metrics"))
    dimensions = spec_cuts.dimensions(asked.get("dimensions"), metrics)
    word = DEFAULT_WORD if asked.get("date_range") is None else asked["date_range"]
    covered = parse_range(word, tenant, now)
    granularity = spec_fields.granularity(asked.get("granularity"), covered, tenant.week_start)
    spec_fields.check_grains(metrics, covered, granularity, tenant.week_start)
    spec = QuerySpec(
        tenant,
        metrics,
        dimensions,
        filters=spec_cuts.filters(asked.get("filters"), metrics),
        range=covered,
        window=word if isinstance(word, str) and word in WINDOWS else None,
        granularity=granularity,
        compare_range=parse_compare(asked.get("compare"), word, covered, tenant),
        order_by=_order(asked.get("order_by"), metrics, dimensions, granularity),
        limit=spec_fields.limit(asked.get("limit"), MAX_ROWS if granularity else DEFAULT_ROWS, MAX_ROWS),
        include_bots=spec_fields.flag("include_bots", asked.get("include_bots")),
        goal=spec_fields.goal(asked.get("goal"), metrics),
    )
    return _at_page(spec, asked.get("cursor"))


def _at_page(spec: QuerySpec, cursor: object) -> QuerySpec:
    if cursor is None:
        return spec
    offset = decode_offset(cursor, _digest(spec))
    names = {name: getattr(spec, name) for name in spec.__slots__}
    return QuerySpec(**names | {"offset": offset})


def _order(
    given: object, metrics: Sequence[str], dimensions: Sequence[str], granularity: Granularity | None
) -> tuple[tuple[str, Direction], ...]:
    """What was asked for, then what makes it complete: time, the first metric, the dimensions."""
    allowed = (*metrics, *dimensions, *((TIMESTAMP,) if granularity else ()))
    order = dict(spec_fields.order(given, allowed))
    if granularity:
        order.setdefault(TIMESTAMP, "asc")
    if not given:
        order.setdefault(metrics[0], "desc")
    for name in dimensions:
        order.setdefault(name, "asc")
    return tuple(order.items())


def _digest(spec: QuerySpec) -> str:
    """A cursor belongs to a question, not to an instant: a range that moves with the clock is named by its word."""
    asked = spec.window or [at.isoformat() for at in spec.range.instants]
    compared = spec.compare_range and [at.isoformat() for at in spec.compare_range.instants]
    is_days = isinstance(spec.range, DateRange)
    parts = [
        *(spec.tenant.app_id, spec.tenant.time_zone.key, spec.tenant.week_start, spec.metrics, spec.dimensions),
        [(one.op.value, one.field, one.values) for one in spec.filters],
        *(asked, is_days, spec.granularity, None if spec.window else compared, spec.order_by, spec.limit),
        *(spec.include_bots, spec.goal),
    ]
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=12).hexdigest()
