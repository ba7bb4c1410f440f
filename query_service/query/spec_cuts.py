"""What a question is cut by and filtered by: fields that its metrics have."""

from collections.abc import Sequence
from dataclasses import replace

from eventmill.analysis.filters import PROPERTIES, Condition, is_property, parse_conditions
from eventmill.errors import DefinitionError
from query_service.query import catalog
from query_service.query.catalog import SESSION_FIELDS
from query_service.query.errors import InvalidParameter
from query_service.query.spec_fields import is_storable, names, shown

MAX_DIMENSIONS = 3


def dimensions(given: object, asked: Sequence[str]) -> tuple[str, ...]:
    """0 to 3 dimensions that every one of the metrics can be cut by."""
    found = names("dimensions", [] if given is None else given, 0, MAX_DIMENSIONS)
    for number, name in enumerate(found):
        for metric in asked:
            if not is_storable(name) or not catalog.is_cut_of(metric, name) or not _is_field(name):
                rule = f"One of: {', '.join(catalog.dimensions_of(metric))}"
                more = "." if catalog.measures_of([metric])[0].rollup.is_by_entry else f", {PROPERTIES}<name>."
                detail = f"{metric} cannot be cut by {shown(name)}."
                raise InvalidParameter(f"dimensions[{number}]", detail, rule + more)
    return found


def filters(given: object, asked: Sequence[str]) -> tuple[Condition, ...]:
    """At most 20 conditions [op, field, [values]], which all hold."""
    renamed: dict[int, str] = {}
    if isinstance(given, list):
        given = [_as_page(one, number, renamed) for number, one in enumerate(given)]
    try:
        found = parse_conditions(given, "filters")
    except DefinitionError as error:
        raise InvalidParameter(error.field, "The filter breaks a rule.", f"{error.rule}.") from None
    found = tuple(replace(one, field=renamed.get(number, one.field)) for number, one in enumerate(found))
    _check_cuts(found, asked)
    return found


def _is_field(name: str) -> bool:
    return not name.startswith(PROPERTIES) or is_property(name)


def _as_page(one: object, number: int, renamed: dict[int, str]) -> object:
    """A condition on a session's own fields obeys the rules of one on a page."""
    if isinstance(one, list) and len(one) > 1 and one[1] in SESSION_FIELDS:
        renamed[number] = str(one[1])
        return [one[0], "page_url", *one[2:]]
    return one


def _check_cuts(found: Sequence[Condition], asked: Sequence[str]) -> None:
    """Sessions are chosen by what they entered with; events by any field but a session's."""
    for number, condition in enumerate(found):
        for metric in asked:
            is_by_entry = catalog.measures_of([metric])[0].rollup.is_by_entry
            is_open = not is_by_entry and condition.field not in SESSION_FIELDS
            if not is_open and not catalog.is_cut_of(metric, condition.field):
                detail = f"{metric} cannot be filtered by {condition.field}."
                rule = f"One of: {', '.join(catalog.dimensions_of(metric))}."
                raise InvalidParameter(f"filters[{number}][1]", detail, rule)
