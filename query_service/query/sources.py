"""What the query path asks of its sources: the lake and the live window hand out measures, the path makes answers.

A row has `timestamp` (the start of its bucket as in `QuerySpec.buckets`, UTC; with a granularity only), each dimension
(text, None where not set) and each measure of `QuerySpec.measures` by name (number, None where unknown). Periods
without events are left out. Rows come in the order of `order_by`, from `offset` on; one more than `limit` says that
there are more.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from query_service.query.periods import Range
from query_service.query.rollup_rows import Values
from query_service.query.spec import QuerySpec

Row = Mapping[str, Any]


class LakeResult(Protocol):
    """Rows from the lake. `tables` are the day tables that were read, whose periods say how complete they are.

    `complete_through` is that of the lake's commits, `exact` False where the range begins before the app's lake floor,
    and `fingerprint` what `LakeSource.fingerprint` said of these very files.
    """

    @property
    def rows(self) -> Sequence[Row]:
        """In the question's order."""
        ...

    @property
    def exact(self) -> bool:
        """Whether all raw events of the range are in the lake."""
        ...

    @property
    def complete_through(self) -> datetime | None:
        """As in `Meta`."""
        ...

    @property
    def tables(self) -> Sequence[str]:
        """Day tables by their names in rollups.periods."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names what was read."""
        ...

    @property
    def definition_version(self) -> str | None:
        """Hash of the SQL behind the numbers."""
        ...


class LakeSource(Protocol):
    """Answers from the lake's files."""

    def can_answer(self, spec: QuerySpec) -> bool:
        """Whether the lake knows all of the question's metrics."""
        ...

    async def fingerprint(self, spec: QuerySpec, asked: Range | None = None) -> str:
        """Names what the question would be answered from, cheaply: equal names, equal answers."""
        ...

    async def run(
        self, spec: QuerySpec, asked: Range | None = None, values: Sequence[Values] | None = None
    ) -> LakeResult:
        """The rows about `asked`, else about the question's range; of these values of the dimensions alone."""
        ...


class LiveResult(Protocol):
    """Rows from the live window."""

    @property
    def rows(self) -> Sequence[Row]:
        """In the question's order."""
        ...

    @property
    def complete_through(self) -> datetime | None:
        """The last event that is in them."""
        ...


class LiveSource(Protocol):
    """Answers about the last 60 minutes from memory."""

    def holds(self, spec: QuerySpec) -> bool:
        """Whether the window reaches back to the start of the question's range."""
        ...

    async def query(self, spec: QuerySpec) -> LiveResult:
        """The rows of a question that `holds` said yes to."""
        ...
