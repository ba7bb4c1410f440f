"""The metrics that there are, read from dbt's manifest: what the documentation shows and the API lists is one text."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = "eventmill"
_OVERVIEW = "__overview__"


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


@dataclass(frozen=True, slots=True)
class Term:
    """What a word of the documentation means. `mart` has a column of that meaning, where one does."""

    name: str
    description: str
    mart: str | None


def read(manifest: Path) -> list[Metric]:
    """Every metric of a dbt manifest, in the order in which the project defines them."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    marts = _mart_of_each_measure(content["semantic_models"].values())
    return [_metric(node, marts) for node in content["metrics"].values()]


def read_terms(manifest: Path) -> list[Term]:
    """Every word that the project's documentation defines, by name: what a number is that is no metric of its own."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    marts = _mart_of_each_description(content["nodes"].values())
    words = {
        block["name"]: _line(block["block_contents"])
        for block in content["docs"].values()
        if block["package_name"] == PROJECT and block["name"] != _OVERVIEW
    }
    return [Term(name, text, marts.get(text)) for name, text in sorted(words.items())]


def _metric(node: dict[str, Any], marts: dict[str, str]) -> Metric:
    meta, parameters = node["config"]["meta"], node["type_params"]
    numerator, denominator = parameters.get("numerator"), parameters.get("denominator")
    measure = numerator["name"] if numerator else parameters["measure"]["name"]
    return Metric(
        name=node["name"],
        label=node["label"],
        description=_line(node["description"]),
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


def _mart_of_each_description(nodes: Any) -> dict[str, str]:
    """Of several marts with such a column, the first by name."""
    marts = [node for node in nodes if node["resource_type"] == "model" and node["path"].startswith("marts/")]
    return {
        _line(column["description"]): node["alias"]
        for node in sorted(marts, key=lambda node: str(node["alias"]), reverse=True)
        for column in node["columns"].values()
    }


def _line(text: str) -> str:
    return " ".join(text.split())
