"""`/api/metrics`: what can be asked for, and what each number means."""

import asyncio
from dataclasses import dataclass

from litestar import get
from litestar.datastructures import State

from eventmill import dbt, metric_catalog
from eventmill.metric_catalog import Metric
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


class CatalogReader:
    """Reads the catalog from dbt's manifest once: it belongs to the program, not to the numbers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._catalog: Catalog | None = None

    async def catalog(self) -> Catalog:
        """The catalog. Raises EventmillError where the manifest is missing and dbt cannot make it."""
        async with self._lock:
            if self._catalog is None:
                self._catalog = await asyncio.to_thread(self._read)
            return self._catalog

    def _read(self) -> Catalog:
        found = metric_catalog.read(dbt.manifest(self._settings))
        return Catalog(found, CatalogMeta(dbt.marts_definition()))


@get("/metrics", summary="The metrics that there are", responses=PROBLEMS)
async def catalog(state: State) -> Catalog:
    """Every metric with label, description, type, unit, grains, dimensions, and whether rows may be added up.

    The descriptions are those of /docs/metrics: both are read from the same definitions.
    """
    reader: CatalogReader = state.catalog
    return await reader.catalog()
