"""dbt's models as assets, and the documentation they generate."""

import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets

from eventmill import dbt
from eventmill.settings import Settings, load_settings


class MartsTranslator(DagsterDbtTranslator):
    """Marts are views: building them is about their definition and their tests, not about their data."""

    def get_asset_spec(self, manifest, unique_id, project) -> dg.AssetSpec:
        """Add a group and a freshness policy to what dbt says of a model."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        if manifest["nodes"].get(unique_id, {}).get("resource_type") != "model":
            return spec
        policy = dg.FreshnessPolicy.time_window(timedelta(hours=26), timedelta(hours=3))
        return spec.replace_attributes(group_name="marts", freshness_policy=policy)


def assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The dbt project's models with their tests as checks, and the documentation page."""

    # An asset may fill several tables: sessions and revenue, cohorts and their retention.
    translator = MartsTranslator(DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))

    @dbt_assets(manifest=dbt.manifest(settings), dagster_dbt_translator=translator, name="dbt_models")
    def models(context: dg.AssetExecutionContext, dbt_cli: DbtCliResource):
        # Else dbt would write beside its models, where an installed program may not.
        target = settings.home / "dbt" / "dagster-target" / context.run.run_id
        yield from dbt_cli.cli(["build"], context=context, target_path=target).stream()

    @dg.asset(key=["docs", "metrics"], deps=[models], group_name="marts", kinds={"dbt"})
    def metric_docs() -> dg.MaterializeResult:
        """One HTML page with the definition and lineage of every number, served at /docs/metrics."""
        page = dbt.generate_docs(load_settings())
        return dg.MaterializeResult(metadata={"bytes": page.stat().st_size})

    return [models, metric_docs]


def resource() -> DbtCliResource:
    """dbt's command line on this program's project."""
    return DbtCliResource(
        project_dir=str(dbt.PROJECT),
        profiles_dir=str(dbt.PROJECT),
        dbt_executable=str(Path(sys.executable).parent / "dbt"),
    )
