"""The metrics that there are, read from dbt's manifest: what the documentation shows and the API lists is one text."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class MetricDimension:
    """A cut that a metric is exact for, in these periods."""

    name: str
    grains: list[str]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number: what it means and how it may be asked for.

    `type` is `count`, `distinct` or `ratio`; only where `additive` may rows be added up. A ratio's parts are metrics
    too: `numerator`, `denominator`; in percent where the unit says so. `mart` is the view of the schema `marts` that
    holds it.
    """

    name: str
    label: str
    description: str
    type: str
    unit: str
    additive: bool
    grains: list[str]
    dimensions: list[MetricDimension]
    mart: str
    numerator: str | None = None
    denominator: str | None = None


def read(manifest: Path) -> list[Metric]:
    """Every metric of a dbt manifest, in the order in which the project defines them."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    marts = _mart_of_each_measure(content["semantic_models"].values())
    return [_metric(node, marts) for node in content["metrics"].values()]


def _metric(node: dict[str, Any], marts: dict[str, str]) -> Metric:
    meta, parameters = node["config"]["meta"], node["type_params"]
    numerator, denominator = parameters.get("numerator"), parameters.get("denominator")
    measure = numerator["name"] if numerator else parameters["measure"]["name"]
    return Metric(
        name=node["name"],
        label=node["label"],
        description=" ".join(node["description"].split()),
        type=meta["kind"],
        unit=meta["unit"],
        additive=meta["additive"],
        grains=meta["grains"],
        dimensions=[MetricDimension(name, _grains(name, meta)) for name in meta["dimensions"]],
        mart=marts[measure],
        numerator=numerator and numerator["name"],
        denominator=denominator and denominator["name"],
    )


def _grains(dimension: str, meta: dict[str, Any]) -> list[str]:
    return [grain for grain in meta["grains"] if grain != "hour" or dimension in meta["hour_dimensions"]]


def _mart_of_each_measure(semantic_models: Any) -> dict[str, str]:
    return {
        measure["name"]: model["node_relation"]["alias"] for model in semantic_models for measure in model["measures"]
    }
