"""Answers questions from the lake: chooses what to read, has a worker count it, and says what it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa

from query_service.lake.question_sql import Row, dimension_columns
from query_service.lake.reading import SESSIONS, definition_version, reading_of
from query_service.query.catalog import METRIC, SESSION
from query_service.query.lake_asking import Asked, LakeAsking
from query_service.query.periods import Range
from query_service.query.spec import TIMESTAMP, QuerySpec

_MOST_FINGERPRINTS = 1_000


@dataclass(frozen=True, slots=True)
class LakeAnswer:
    """Rows as `query_service.query.sources` describes them, and what they rest on."""

    rows: Sequence[Mapping[str, Any]]
    exact: bool
    complete_through: datetime | None
    tables: Sequence[str]
    fingerprint: str
    definition_version: str | None


class LakeQueries:
    """The lake as a source of the query path."""

    def __init__(self, asking: LakeAsking) -> None:
        self._asking = asking
        # What the files of a question were called, at which versions of the tables.
        self._fingerprints: dict[QuerySpec, tuple[tuple[int, ...], str]] = {}

    def can_answer(self, spec: QuerySpec) -> bool:
        """Whether the lake knows all of the question's metrics: money and goals are counted in rollups alone."""
        is_known = all(measure.rollup in (METRIC, SESSION) for measure in spec.measures)
        return is_known and all(measure.only_grain in {None, spec.granularity} for measure in spec.measures)

    async def fingerprint(self, spec: QuerySpec, asked: Range | None = None) -> str:
        """Names the files that the question would be answered from."""
        await self._asking.snapshots.refresh()
        about, versions = _about(spec, asked), self._asking.snapshots.versions
        known = self._fingerprints.get(about)
        if known is None or known[0] != versions:
            known = (versions, reading_of(about, self._asking.snapshots).fingerprint)
            self._fingerprints[about] = known
            while len(self._fingerprints) > _MOST_FINGERPRINTS:
                del self._fingerprints[next(iter(self._fingerprints))]
        return known[1]

    async def run(self, spec: QuerySpec, asked: Range | None = None, values: Sequence[Row] | None = None) -> LakeAnswer:
        """Rows about `asked`, else about the question's range; of these values of the dimensions alone.

        Raises LakeBusy, LakeLimit, LakeFailure.
        """
        about = _about(spec, asked)

        async def answered(through: datetime | None) -> LakeAnswer:
            return await self._answered(about, values, through)

        return await self._asking.at_last_commits(answered)

    async def _answered(self, spec: QuerySpec, values: Sequence[Row] | None, through: datetime | None) -> LakeAnswer:
        reading = reading_of(spec, self._asking.snapshots)
        statements = {"statements": msgspec.to_builtins(reading.statements(values))}
        asked = Asked("rows", spec.tenant.app_id, statements, reading.events, reading.days, reading.tables())
        table, _ = await self._asking.run(asked)
        return LakeAnswer(
            rows=rows_of(spec, table),
            exact=reading.is_exact,
            complete_through=through,
            tables=(SESSIONS,) if reading.days else (),
            fingerprint=reading.fingerprint,
            definition_version=definition_version(),
        )


def _about(spec: QuerySpec, asked: Range | None) -> QuerySpec:
    return spec if asked is None else replace(spec, range=asked)


def rows_of(spec: QuerySpec, table: pa.Table) -> list[dict[str, Any]]:
    """A worker's rows under the names of the question."""
    columns: dict[str, list[Any]] = {}
    if spec.granularity is not None:
        starts = spec.buckets
        columns[TIMESTAMP] = [starts[number] for number in table["bucket"].to_pylist()]
    for name, column in zip(spec.dimensions, dimension_columns(spec), strict=True):
        columns[name] = table[column].to_pylist()
    for measure in spec.measures:
        columns[measure.name] = table[measure.name].to_pylist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
