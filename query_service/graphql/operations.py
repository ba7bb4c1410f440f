"""Around every operation: documents within limits, who may ask for the schema, errors in our words, and `meta`."""

from collections.abc import Iterator
from typing import Any

from graphql import GraphQLError, GraphQLObjectType, OperationDefinitionNode, OperationType
from strawberry.extensions import SchemaExtension

from query_service.graphql import documents
from query_service.graphql.context import Context
from query_service.graphql.cost import check_cost
from query_service.graphql.refusals import Refusal, explained


class Operations(SchemaExtension):
    """One instance an operation. The transport has read the document before: what is no document never comes here."""

    def on_operation(self) -> Iterator[None]:
        """Give the operation a context of its own."""
        context: Context = self.execution_context.context
        self.execution_context.context = context.for_operation()
        yield

    def on_parse(self) -> Iterator[None]:
        """Use the document that was read."""
        if self.execution_context.query:
            self.execution_context.graphql_document = documents.read(self.execution_context.query).tree
        yield

    def on_validate(self) -> Iterator[None]:
        """Refuse what costs too much before it is validated."""
        try:
            self._check()
        except GraphQLError as error:
            self.execution_context.pre_execution_errors = [error]
        yield

    def on_stream_result(self, result: Any) -> Iterator[None]:
        """Explain the errors; nothing else of them leaves the service."""
        if result.errors:
            result.errors = [explained(error) for error in result.errors]
        yield

    def get_results(self) -> dict[str, Any]:
        """What the answers rest on, by response name."""
        meta = self.execution_context.context.meta
        return {"meta": dict(meta)} if meta else {}

    def _check(self) -> None:
        execution = self.execution_context
        document = documents.read(execution.query or "")
        if document.asks_for_schema and not execution.context.may_ask_for_schema:
            rule = "docs/schema.graphql has the schema; an admin key may ask, or anybody by a setting."
            raise Refusal("This key may not ask for the schema.", "FORBIDDEN", field="query", rule=rule)
        operation = _operation(document, execution.operation_name)
        if operation is None:
            return  # execution says so
        if execution.context.reader is None and operation.operation is not OperationType.MUTATION:
            rule = "Numbers are read with a read key or an admin key."
            raise Refusal("A write key cannot read.", "FORBIDDEN", field="Authorization", rule=rule)
        root = execution.schema._schema.get_root_type(operation.operation)  # noqa: SLF001 - it has no public name
        if isinstance(root, GraphQLObjectType):
            check_cost(document, operation, root, execution.variables or {})


def _operation(document: documents.Document, name: str | None) -> OperationDefinitionNode | None:
    named = (one for one in document.operations if name is None or (one.name and one.name.value == name))
    return next(named, None)
