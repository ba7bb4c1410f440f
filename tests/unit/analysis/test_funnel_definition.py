"""Definitions of funnels: what is understood, and what an error says."""

from datetime import UTC, datetime, timedelta

import pytest

from eventmill.analysis.funnel_definition import CountBy, Order, parse_funnel
from eventmill.errors import DefinitionError

STEPS = [{"event_type": "view"}, {"event_name": "bought", "name": "Purchase"}]


def test_all_fields_are_understood() -> None:
    parsed = parse_funnel(
        {
            "steps": STEPS,
            "window": "36h",
            "order": "strict",
            "from": "2026-05-01T02:00:00+02:00",
            "to": "2026-06-01T00:00:00Z",
            "breakdown": "properties.plan",
            "count_by": "session",
            "exclude": [{"event_type": "refund", "from_step": 1, "to_step": 2}],
            "include_bots": True,
        }
    )
    assert [step.name for step in parsed.steps] == ["view", "Purchase"]
    assert (parsed.window, parsed.order, parsed.count_by) == (timedelta(hours=36), Order.STRICT, CountBy.SESSION)
    assert (parsed.range_from, parsed.range_to) == (datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))
    assert (parsed.breakdown, parsed.include_bots) == ("properties.plan", True)
    assert [(one.from_step, one.to_step) for one in parsed.exclude] == [(1, 2)]


def test_what_is_not_said_has_the_documented_defaults() -> None:
    parsed = parse_funnel({"steps": STEPS})
    assert (parsed.window, parsed.order, parsed.count_by) == (timedelta(days=7), Order.ORDERED, CountBy.ACTOR)
    assert (parsed.range_from, parsed.breakdown, parsed.exclude, parsed.include_bots) == (None, None, (), False)


def test_a_step_without_type_and_name_is_named_by_its_first_condition() -> None:
    parsed = parse_funnel({"steps": [*STEPS, {"filters": [["is", "country", ["DE"]]]}]})
    assert parsed.steps[2].name == "country is DE"


def test_an_exclusion_spans_the_whole_funnel_unless_told_otherwise() -> None:
    parsed = parse_funnel({"steps": [*STEPS, STEPS[0]], "exclude": [{"event_type": "refund"}]})
    assert [(one.from_step, one.to_step) for one in parsed.exclude] == [(1, 3)]


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("funnel.stesp", {"stesp": []}),
        ("steps", {"steps": STEPS[:1]}),
        ("steps", {"steps": STEPS * 11}),
        ("steps", {"steps": None}),
        ("steps[1]", {"steps": [STEPS[0], {}]}),
        ("steps[1]", {"steps": [STEPS[0], "view"]}),
        ("steps[1].name", {"steps": [STEPS[0], {"event_type": "view", "name": ""}]}),
        ("steps[1].filters[0][1]", {"steps": [STEPS[0], {"filters": [["is", "colour", ["red"]]]}]}),
        ("window", {"window": "7"}),
        ("window", {"window": 7}),
        ("window", {"window": "0d"}),
        ("window", {"window": "401d"}),
        ("window", {"window": "999999999w"}),
        ("order", {"order": "loose"}),
        ("from", {"from": "2026-05-01T00:00:00", "to": "2026-06-01T00:00:00Z"}),
        ("from", {"from": "0001-01-01T00:00:00+14:00", "to": "2026-06-01T00:00:00Z"}),
        ("to", {"from": "2026-05-01T00:00:00Z", "to": "9999-12-31T23:59:59-14:00"}),
        ("to", {"from": "2000-01-01T00:00:00Z", "to": "2199-01-01T00:00:00Z"}),
        ("from", {"from": "soon", "to": "2026-06-01T00:00:00Z"}),
        ("to", {"from": "2026-05-01T00:00:00Z"}),
        ("to", {"from": "2026-05-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}),
        ("breakdown", {"breakdown": "user_id"}),
        ("breakdown", {"breakdown": "colour"}),
        ("breakdown", {"breakdown": ["country"]}),
        ("count_by", {"count_by": "user"}),
        ("exclude", {"exclude": {"event_type": "refund"}}),
        ("exclude[0]", {"exclude": [{}]}),
        ("exclude[0].from_step", {"exclude": [{"event_type": "refund", "from_step": 0}]}),
        ("exclude[0].from_step", {"exclude": [{"event_type": "refund", "from_step": True}]}),
        ("exclude[0].to_step", {"exclude": [{"event_type": "refund", "to_step": 3}]}),
        ("exclude[0].to_step", {"exclude": [{"event_type": "refund", "from_step": 2, "to_step": 2}]}),
        ("exclude[0]", {"order": "any", "exclude": [{"event_type": "refund", "from_step": 1}]}),
        ("include_bots", {"include_bots": "yes"}),
    ],
)
def test_an_error_names_the_field(field: str, changed: dict[str, object]) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_funnel({"steps": STEPS, **changed})
    assert caught.value.field == field


def test_a_definition_is_an_object() -> None:
    with pytest.raises(DefinitionError, match="funnel: an object with steps"):
        parse_funnel([])
