"""`/api/metrics`: what can be asked for, and what each number means."""

import asyncio
from dataclasses import dataclass

from litestar import get
from litestar.datastructures import State

from eventmill import dbt, metric_catalog
from eventmill.metric_catalog import Metric, Term
from eventmill.settings import Settings
from query_service.rest.problems import PROBLEMS


@dataclass(frozen=True, slots=True)
class CatalogMeta:
    """Which definition of the marts the catalog describes."""

    definition_version: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every metric, in the order of the documentation."""

    data: list[Metric]
    meta: CatalogMeta


@dataclass(frozen=True, slots=True)
class Terms:
    """Every word that the documentation defines, by name."""

    data: list[Term]
    meta: CatalogMeta


class CatalogReader:
    """Reads the catalog from dbt's manifest once: it belongs to the program, not to the numbers.

    Its methods raise EventmillError where the manifest is missing and dbt cannot make it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._found: tuple[Catalog, Terms] | None = None

    async def catalog(self) -> Catalog:
        """The metrics."""
        return (await self._read_once())[0]

    async def terms(self) -> Terms:
        """The words."""
        return (await self._read_once())[1]

    async def _read_once(self) -> tuple[Catalog, Terms]:
        async with self._lock:
            if self._found is None:
                self._found = await asyncio.to_thread(self._read)
            return self._found

    def _read(self) -> tuple[Catalog, Terms]:
        manifest, meta = dbt.manifest(self._settings), CatalogMeta(dbt.marts_definition())
        return Catalog(metric_catalog.read(manifest), meta), Terms(metric_catalog.read_terms(manifest), meta)


@get("/metrics", summary="The metrics that there are", responses=PROBLEMS)
async def catalog(state: State) -> Catalog:
    """Every metric with label, description, type, unit, grains, dimensions, and whether rows may be added up.

    The descriptions are those of /docs/metrics: both are read from the same definitions.
    """
    reader: CatalogReader = state.catalog
    return await reader.catalog()


@get("/metrics/terms", summary="What the words of the documentation mean", responses=PROBLEMS)
async def terms(state: State) -> Terms:
    """Rows `{name, description, mart}`: the numbers of funnels, cohorts, health and live that are no metrics.

    The descriptions are those of /docs/metrics; `mart` is a view with such a column, null where none has one.
    """
    reader: CatalogReader = state.catalog
    return await reader.terms()
