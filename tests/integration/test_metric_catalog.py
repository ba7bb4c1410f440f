"""One definition per number: dbt's metrics, the marts, the rollups' cuts and the API's catalog say the same."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from eventmill import dbt, metric_catalog
from eventmill.control.apps import create_app
from eventmill.metric_catalog import Metric
from eventmill.settings import Settings
from tests.shop_service import Service

pytestmark = pytest.mark.integration

SQL = Path(__file__).resolve().parents[2] / "analytics_pipeline" / "sql"
GRAINS = ["hour", "day", "week", "month"]
UNITS = {"events", "views", "users", "visitors", "sessions", "percent", "fraction", "seconds", "currency"}
# Which statement makes the cuts of a mart.
CUTS = {
    "daily_metrics": "metric/combos.sql",
    "session_stats": "days/session_metric_rows.sql",
    "revenue": "days/revenue_rows.sql",
    "goal_conversions": "goals/goal_rows.sql",
}


@pytest.fixture(scope="module")
def manifest_settings(marts_home: Path, _marts_template: str) -> Settings:
    return Settings(home=marts_home, database_url="postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture(scope="module")
def manifest(manifest_settings: Settings) -> dict[str, Any]:
    return json.loads(dbt.manifest(manifest_settings).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def catalog(manifest: dict[str, Any], manifest_settings: Settings) -> dict[str, Metric]:
    return {one.name: one for one in metric_catalog.read(dbt.manifest(manifest_settings))}


def columns_of(manifest: dict[str, Any], mart: str) -> dict[str, str]:
    """Column → description of a mart."""
    columns = manifest["nodes"][f"model.eventmill.{mart}"]["columns"].values()
    return {column["name"]: " ".join(column["description"].split()) for column in columns}


def test_every_metric_says_in_the_words_of_its_mart_what_it_means(
    catalog: dict[str, Metric], manifest: dict[str, Any]
) -> None:
    assert {one.name for one in catalog.values() if one.description not in columns_of(manifest, one.mart).values()} <= {
        "retention_rate"
    }
    assert all(one.label and one.unit in UNITS for one in catalog.values())


def test_every_measure_is_a_column_of_its_mart(manifest: dict[str, Any]) -> None:
    for model in manifest["semantic_models"].values():
        columns = columns_of(manifest, model["node_relation"]["alias"])
        expressions = [one["expr"] or one["name"] for one in (*model["measures"], *model["dimensions"])]
        names = set(re.findall(r"(?<!')\b[a-z_]+\b(?!')", " ".join(expressions)))
        assert names - {"case", "when", "and", "not", "then", "end"} <= set(columns), model["name"]


def test_a_distinct_count_is_never_added_up(catalog: dict[str, Metric], manifest: dict[str, Any]) -> None:
    assert {one.type for one in catalog.values() if one.additive} == {"count"}
    assert {one.type for one in catalog.values() if not one.additive} == {"distinct", "ratio"}
    added_up = {
        measure["name"]
        for model in manifest["semantic_models"].values()
        for measure in model["measures"]
        if measure["non_additive_dimension"] is None
    }
    # Cells of retention are pooled, never added up over time: their rate is what counts.
    assert {one.name for one in catalog.values() if one.type == "distinct"} & added_up == {
        "cohort_size",
        "returning_users",
    }


def test_a_ratio_names_parts_that_are_metrics(catalog: dict[str, Metric]) -> None:
    for one in catalog.values():
        assert (one.type == "ratio") == (one.numerator is not None) == (one.denominator is not None)
        assert {one.numerator, one.denominator} <= {None, *catalog}


def test_every_dimension_is_a_cut_that_the_rollups_have(catalog: dict[str, Metric]) -> None:
    for one in catalog.values():
        assert [grain for grain in GRAINS if grain in one.grains] == one.grains
        if one.dimensions:  # made by the statement that fills the mart's rollup
            text = (SQL / CUTS[one.mart]).read_text(encoding="utf-8")
            assert [cut.name for cut in one.dimensions if not re.search(rf"\b{cut.name}\b", text)] == []
            assert all(cut.grains and set(cut.grains) <= set(one.grains) for cut in one.dimensions)


def test_the_api_lists_what_the_documentation_defines(
    rollups: Any,
    start_query_service: Callable[[str], Settings],
    catalog: dict[str, Metric],
    marts_home: Path,
) -> None:
    with psycopg.connect(rollups.address) as connection:
        _, keys = create_app(connection, "Shop", app_id="shop")
    settings = start_query_service(rollups.address)
    shutil.copytree(marts_home / "dbt" / "manifest", settings.home / "dbt" / "manifest")
    service = Service(f"http://127.0.0.1:{settings.http_port}", settings, {"read": keys.read_key})
    answer = service.get("/api/metrics").json()
    assert [one["name"] for one in answer["data"]] == list(catalog)
    assert answer["meta"] == {"definition_version": dbt.marts_definition()}
    [rate] = [one for one in answer["data"] if one["name"] == "bounce_rate"]
    assert (rate["unit"], rate["numerator"], rate["additive"]) == ("percent", "bounces", False)
    assert rate["dimensions"][0] == {"name": "entry_page", "grains": ["day"]}
    assert service.problem("/api/metrics", key=None)[0] == 401
    terms = {one["name"]: one for one in service.get("/api/metrics/terms").json()["data"]}
    assert terms["dropoff_percent"]["mart"] == "funnel_steps"
    assert terms["dropoff_percent"]["description"].startswith("Percent, two decimals, of those who reached the step")
    assert terms["mart_lag"]["mart"] is None
