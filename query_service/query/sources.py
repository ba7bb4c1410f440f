"""What the query path asks of its sources: the lake and the live window hand out measures, the path makes answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from query_service.query.spec import QuerySpec

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LakeResult:
    """Rows of a question from the lake.

    A row has `timestamp` (the start of its bucket as in `QuerySpec.buckets`, UTC; with a granularity only), each
    dimension (text, None where not set) and each measure of `QuerySpec.measures` by name (number). Periods without rows
    are left out. Rows come in the order of `order_by`, from `offset` on, one more than `limit` where there are more.

    `is_exact` is False where the range begins before the app's lake floor. `uniques_scope` is `daily` where distinct
    counts rest on ids of one day. `currencies`: those of `revenue` in range, which is None where there are several.
    """

    rows: Sequence[Row]
    lake_version: str
    complete_through: datetime | None
    late_pending: int = 0
    definition_version: str | None = None
    is_exact: bool = True
    uniques_scope: str | None = None
    currencies: Sequence[str] = ()


class LakeSource(Protocol):
    """Answers from the lake's files. Raises NotReadyError, or TimeoutError where a limit of the job was reached."""

    async def version(self, spec: QuerySpec) -> str:
        """Names what the question is answered from, in well under a millisecond: equal versions, equal answers."""
        ...

    async def run(self, spec: QuerySpec) -> LakeResult:
        """The rows of the question about `spec.range`; its comparison is another question."""
        ...


@dataclass(frozen=True, slots=True)
class LiveResult:
    """Rows of a question from the live window, as in `LakeResult`; `complete_through`: the last event that is in it."""

    rows: Sequence[Row]
    complete_through: datetime | None


class LiveSource(Protocol):
    """Answers about the last 60 minutes from memory."""

    def holds(self, spec: QuerySpec) -> bool:
        """Whether the window reaches back to the start of the question's range."""
        ...

    def query(self, spec: QuerySpec) -> LiveResult:
        """The rows of a question that `holds` said yes to."""
        ...
