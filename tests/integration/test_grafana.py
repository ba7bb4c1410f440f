"""The dashboard and data source that docker-compose.yml gives to Grafana: each panel's SQL runs as its own role."""

import json
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from eventmill.control import bi_roles

pytestmark = pytest.mark.integration

GRAFANA = Path(__file__).resolve().parents[2] / "deploy" / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "eventmill.json").read_text(encoding="utf-8"))
# What Grafana makes of its variables and macros: https://grafana.com/docs/grafana/latest/datasources/postgres/
EXPANDED = {
    "${app:sqlstring}": "'shop'",
    "$__timeFrom()": "'2026-10-15T00:00:00Z'",
    "$__timeTo()": "'2026-11-15T00:00:00Z'",
}
TIME_FILTER = re.compile(r"\$__timeFilter\((\w+)\)")


def queries() -> dict[str, str]:
    """Title → SQL of every panel, the annotations and the list of apps, as Grafana sends it."""
    found = {panel["title"]: panel["targets"][0]["rawSql"] for panel in DASHBOARD["panels"]}
    found |= {one["name"]: one["target"]["rawSql"] for one in DASHBOARD["annotations"]["list"]}
    found |= {one["name"]: one["query"] for one in DASHBOARD["templating"]["list"]}
    return {title: expand(text) for title, text in found.items()}


def expand(text: str) -> str:
    for name, value in EXPANDED.items():
        text = text.replace(name, value)
    return TIME_FILTER.sub(rf"\1 between {EXPANDED['$__timeFrom()']} and {EXPANDED['$__timeTo()']}", text)


@pytest.fixture(scope="module")
def grafana(module_rollups: Any) -> psycopg.Connection:
    """Signed in as Grafana's role, over a day of a shop."""
    module_rollups.metric("human", "total", None, events=9, visitors=3, sessions=2)
    module_rollups.metric("all", "total", None, events=9, visitors=3, sessions=2)
    module_rollups.sessions("human", "total", None, sessions_started=4, bounces=1)
    with psycopg.connect(module_rollups.address) as owner:
        granted = bi_roles.grant(owner, None, "grafana", "letters")
    with psycopg.connect(module_rollups.address, user=granted.role, password="letters", autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("title", queries())
def test_every_query_runs_as_grafanas_role(grafana: psycopg.Connection, title: str) -> None:
    text = queries()[title]
    assert "$" not in text
    cursor = grafana.execute(text)
    assert cursor.description, title


def test_panels_show_what_is_in_the_marts(grafana: psycopg.Connection) -> None:
    asked = queries()
    assert grafana.execute(asked["Visitors today"]).fetchall() == [(3,)]
    assert [float(rate) for (rate,) in grafana.execute(asked["Bounce rate"])] == [25.0]
    assert [row[1:] for row in grafana.execute(asked["Visitors and sessions per day"])] == [(3, 2)]
    assert grafana.execute(asked["app"]).fetchall() == [("shop",)]


def test_every_panel_asks_the_provisioned_data_source_for_one_app() -> None:
    source = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "eventmill.yml").read_text())["datasources"][0]
    assert (source["user"], source["secureJsonData"]) == ("grafana", {"password": "$GRAFANA_PASSWORD"})
    for panel in DASHBOARD["panels"]:
        assert {panel["datasource"]["uid"], panel["targets"][0]["datasource"]["uid"]} == {source["uid"]}
        assert "app_id = ${app:sqlstring}" in panel["targets"][0]["rawSql"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_compose_puts_the_dashboards_where_grafana_looks_for_them() -> None:
    compose = yaml.safe_load((GRAFANA.parents[1] / "docker-compose.yml").read_text(encoding="utf-8"))
    mounts = dict(volume.removesuffix(":ro").split(":") for volume in compose["services"]["grafana"]["volumes"])
    provider = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "eventmill.yml").read_text())["providers"][0]
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    home = compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (GRAFANA / "dashboards" / Path(home).name).exists()
