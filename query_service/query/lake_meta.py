"""What answers from the lake say of themselves."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from query_service.lake.reading import definition_version
from query_service.query.answer import Meta
from query_service.query.model import Tenant
from query_service.query.periods import Range

EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
OF_PEOPLE = "left out unless the definition says include_bots"


class LakeMeta(Meta, kw_only=True):
    """`total` is how many there are beside the rows of this page; the other fields are those of one kind of answer."""

    total: int | None = None
    definition: Mapping[str, Any] | None = None
    daily_visitors: int | None = None
    user_count: int | None = None
    averages: Sequence[Mapping[str, Any]] | None = None
    window_seconds: int | None = None


class LakeRows(msgspec.Struct, kw_only=True):
    """Rows from the lake."""

    data: Sequence[Mapping[str, Any]]
    meta: LakeMeta


def lake_meta(
    tenant: Tenant, covered: Mapping[str, str], through: datetime | None, *, bots: str, exact: bool = True, **more: Any
) -> LakeMeta:
    """The `meta` of rows about a range, complete up to `through`."""
    return LakeMeta(
        as_of=datetime.now(UTC),
        complete_through=through,
        late_pending=0,
        source="lake",
        exact=exact,
        definition_version=definition_version(),
        mixed=False,
        bots=bots,
        range={**covered, "time_zone": tenant.time_zone.key},
        **more,
    )


def microseconds(at: datetime) -> int:
    """Since 1970."""
    return (at - EPOCH) // MICROSECOND


def instant(us: int, tenant: Tenant) -> str:
    """Microseconds since 1970 as RFC 3339 in the app's zone."""
    return (EPOCH + us * MICROSECOND).astimezone(tenant.time_zone).isoformat()


def is_whole(tenant: Tenant, asked: Range) -> bool:
    """Whether all raw events of the range are in the lake."""
    return tenant.lake_floor is None or asked.instants[0] >= tenant.lake_floor
