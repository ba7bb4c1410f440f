"""The definitions in the written pages are accepted, and the pages name every field and comparison."""

import json
import re
from pathlib import Path

import pytest

from eventmill.analysis import filters
from eventmill.analysis.cohorts import parse_cohort
from eventmill.analysis.goals import parse_goal
from eventmill.analysis.retention import MAX_PERIODS
from eventmill.analysis.saved_funnels import parse_saved_funnel
from eventmill.control.definitions import KINDS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "definitions.md").read_text(encoding="utf-8")
PARSERS = {
    "Event filter": filters.parse_filter,
    "Goal": parse_goal,
    "Cohort": parse_cohort,
    "Funnel": parse_saved_funnel,
}


def examples(text: str) -> list[object]:
    return [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


@pytest.mark.parametrize("heading", PARSERS)
def test_every_example_is_a_definition(heading: str) -> None:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = examples(section)
    assert found
    for example in found:
        PARSERS[heading](example)


def test_the_examples_of_funnels_are_funnels() -> None:
    found = examples((DOCS / "funnels.md").read_text(encoding="utf-8"))
    assert found
    for example in found:
        parse_saved_funnel(example)


def test_every_field_comparison_and_limit_is_named() -> None:
    for name in (*filters.TEXT_FIELDS, *filters.NUMBER_FIELDS, *filters.ID_FIELDS, *filters.Op):
        assert f"`{name}`" in PAGE, name
    for kind in KINDS.values():
        assert f"{kind.limit} {kind.name}s" in PAGE
    for interval, periods in MAX_PERIODS.items():
        assert re.search(rf"{interval} \((the newest )?{periods}\)", PAGE)
    assert f"{filters.MAX_CONDITIONS} conditions of at most {filters.MAX_VALUES} values" in PAGE
