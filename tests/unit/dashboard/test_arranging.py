"""What the dashboard draws funnels, triangles and health from: arranged by scripts that import nothing, run by Node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[3] / "query_service" / "dashboard" / "app" / "data"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no Node here to run the scripts with")


def computed(module: str, expression: str, *given: Any) -> Any:
    """The value of an expression in a module's scope, with `given` as JSON."""
    script = f"{(DATA / module).read_text(encoding='utf-8')}\nconst given = {json.dumps(given)};\n"
    script += f"console.log(JSON.stringify({expression}));"
    done = subprocess.run(
        ["node", "--input-type=module"], input=script, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def step(number: int, users: int, kind: str = "total", value: str = "") -> dict[str, Any]:
    row = {"breakdown_kind": kind, "breakdown_value": value, "step": number, "name": f"step {number}", "users": users}
    return row | {"conversion_from_start": users / 2, "median_seconds": None}


def cell(date: str, offset: int, size: int, returned: int, *, is_open: bool = False) -> dict[str, Any]:
    row = {"cohort_date": date, "period_offset": offset, "cohort_size": size, "returning_users": returned}
    return row | {"retention_rate": 100 * returned / size, "is_incomplete": is_open}


def test_bars_are_parts_of_the_largest_step_and_say_who_went_no_further() -> None:
    bars = computed("funnel.js", "barsOf(given[0])", [step(1, 200), step(2, 50), step(3, 0), step(1, 9, "value", "DE")])
    assert [(bar["part"], bar["dropped"]) for bar in bars] == [(100, 0), (25, 150), (0, 50)]


def test_a_funnel_that_nobody_began_has_bars_of_nothing() -> None:
    bars = computed("funnel.js", "barsOf(given[0])", [step(1, 0), step(2, 0)])
    assert [(bar["part"], bar["dropped"]) for bar in bars] == [(0, 0), (0, 0)]


def test_values_of_a_breakdown_keep_their_order_and_what_is_not_set_has_a_name() -> None:
    rows = [step(1, 9), step(1, 5, "value", "DE"), step(1, 3, "not_set"), step(1, 1, "other")]
    groups = computed("funnel.js", "groupsOf(given[0])", rows)
    assert [group["label"] for group in groups] == ["DE", "Not set", "Everything else"]


def test_people_whose_value_is_not_set_are_asked_for_by_null() -> None:
    group = {"kind": "not_set", "value": "", "label": "Not set", "steps": []}
    body = computed("funnel.js", "peopleOf({}, 2, true, given[0])", group)
    assert body == {"of": "funnel", "definition": {}, "step": 2, "dropped": True, "value": None}


def test_a_triangle_shows_the_newest_cohorts_and_leaves_a_gap_where_there_is_no_cell() -> None:
    rows = [cell("2026-11-02", 0, 8, 8), cell("2026-11-09", 0, 4, 4), cell("2026-11-09", 1, 4, 1, is_open=True)]
    shape = computed("triangle.js", "triangleOf(given[0], 12)", rows)
    assert [(one["date"], one["size"]) for one in shape["cohorts"]] == [("2026-11-02", 8), ("2026-11-09", 4)]
    assert (shape["offsets"], shape["cohorts"][0]["cells"][1], shape["isCut"]) == ([0, 1], None, False)
    cut = computed("triangle.js", "triangleOf(given[0], 1)", rows)
    assert ([one["date"] for one in cut["cohorts"]], cut["offsets"], cut["isCut"]) == (["2026-11-09"], [0], True)


def test_the_darkest_cell_is_the_largest_after_period_0() -> None:
    rows = [cell("2026-11-02", 0, 10, 10), cell("2026-11-02", 1, 10, 4), cell("2026-11-02", 2, 10, 1)]
    shades = computed(
        "triangle.js",
        "(() => { const {cohorts} = triangleOf(given[0], 9); return given[0].map(shadeOf(cohorts)); })()",
        rows,
    )
    assert shades == [1, 1, 0.25]


def test_a_cohorts_size_adds_up_who_joined() -> None:
    rows = [cell("2026-11-09", 0, 4, 4), cell("2026-11-02", 0, 8, 8), cell("2026-11-02", 1, 8, 2)]
    sizes = computed("triangle.js", "sizesOf(given[0])", rows)
    assert [(one["date"], one["size"]) for one in sizes] == [("2026-11-02", 8), ("2026-11-09", 12)]


def test_late_marts_come_first_then_those_that_lag_most() -> None:
    marts = [("a", None, False), ("b", 5.0, False), ("c", 9.0, False), ("d", 1.0, True)]
    given = [{"mart": name, "lag_seconds": lag, "is_late": late} for name, lag, late in marts]
    found = computed("health.js", "byUrgency(given[0]).map(({mart}) => mart)", given)
    assert found == ["d", "c", "b", "a"]
