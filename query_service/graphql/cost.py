"""What an operation costs: for each question its weight, and a point for each field of each row that it may have."""

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)

from query_service.graphql.documents import Document
from query_service.graphql.refusals import Refusal

MAX_COST = 100_000
# A question that the lake may have to answer, and one that it never does.
LAKE_WEIGHT, WEIGHT = 5_000, 500
OF_LAKE = frozenset({"events", "pageviewEvents", "funnel", "query", "timeseries", "topEvents", "uniqueUsers"})
# Of lists that no `limit` bounds.
ROWS = 400
MAX_ROWS = 10_000


def check_cost(
    document: Document, operation: OperationDefinitionNode, root: GraphQLObjectType, variables: Mapping[str, Any]
) -> None:
    """Raise Refusal for an operation that may cost too much. `root` is the type of its fields."""
    cost = cost_of(document, operation, root, variables)
    if cost > MAX_COST:
        rule = f"At most {MAX_COST:,} points: ask for fewer rows, fields or questions at once."
        raise Refusal(f"The operation costs {cost:,} points.", "TOO_EXPENSIVE", field="query", rule=rule)


def cost_of(
    document: Document, operation: OperationDefinitionNode, root: GraphQLObjectType, variables: Mapping[str, Any]
) -> int:
    """Points of an operation."""
    given = {**_defaults(operation), **variables}
    return sum(_cost(document, field, root, given) for field in _root_fields(document, operation.selection_set))


def _cost(document: Document, field: FieldNode, root: GraphQLObjectType, variables: Mapping[str, Any]) -> int:
    name = field.name.value
    weight = LAKE_WEIGHT if name in OF_LAKE else WEIGHT
    return weight + _rows(field, root, variables) * document.size(field.selection_set).fields


def _rows(field: FieldNode, root: GraphQLObjectType, variables: Mapping[str, Any]) -> int:
    """The most rows that a field may have, as far as it says so itself; its resolver refuses what is out of bounds."""
    definition = root.fields.get(field.name.value)
    if definition is None or "limit" not in definition.args:
        return ROWS
    asked: Any = definition.args["limit"].default_value
    for one in field.arguments:
        if one.name.value == "limit":
            asked = variables.get(one.value.name.value, asked) if isinstance(one.value, VariableNode) else one.value
    if isinstance(asked, IntValueNode):
        asked = int(asked.value) if len(asked.value) < 10 else MAX_ROWS
    return min(max(asked, 1), MAX_ROWS) if isinstance(asked, int) else ROWS


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    given = {one.variable.name.value: one.default_value for one in operation.variable_definitions}
    return {name: value for name, value in given.items() if value is not None}


def _root_fields(document: Document, selections: SelectionSetNode) -> Iterator[FieldNode]:
    """Fields of the operation itself, each time that they are there."""
    for one in selections.selections:
        if isinstance(one, FieldNode):
            yield one
        elif isinstance(one, FragmentSpreadNode):
            yield from _root_fields(document, document.fragments[one.name.value].selection_set)
        else:
            yield from _root_fields(document, one.selection_set)  # type: ignore[attr-defined] # an inline fragment
