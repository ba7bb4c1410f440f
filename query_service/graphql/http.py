"""`POST /graphql`: one operation a request."""

from collections.abc import Mapping
from typing import Any

import msgspec
from graphql import GraphQLError
from litestar import Request, Response, post
from litestar.exceptions import ClientException
from strawberry.types.graphql import OperationType

from eventmill.control.credentials import parse_key
from query_service.auth import bearer_token, require_reader
from query_service.graphql import documents
from query_service.graphql.context import Context
from query_service.graphql.refusals import Refusal, explained
from query_service.graphql.schema import SCHEMA
from query_service.limits import note_request
from query_service.problems import Forbidden
from query_service.rest.disconnect import unless_gone
from query_service.transport import TRANSPORT

WRITES = frozenset({OperationType.QUERY, OperationType.MUTATION})
NO_OPERATION = 'One JSON object {"query", "variables", "operationName"}; no list of them.'


class Asked(msgspec.Struct):
    """The body of a request."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = msgspec.field(default=None, name="operationName")
    extensions: dict[str, Any] | None = None


@post("/graphql", status_code=200, include_in_schema=False)
async def graphql(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer a query or mutation: 200 once it was understood, with `errors` where some of it failed."""
    context = await _context(request)
    body = await request.body()
    try:
        asked = decode(request.content_type[0], body)
    except GraphQLError as error:
        return respond({"data": None, "errors": [explained(error).formatted]}, 400)
    TRANSPORT.set("graphql")
    return respond(await unless_gone(request.receive, execute(asked, context)))


async def _context(request: Request[Any, Any, Any]) -> Context:
    """Who asks. A write key may come here too, and reads nothing. Raises as `require_reader` does."""
    try:
        await require_reader(request, request.route_handler)
    except Forbidden:
        key = parse_key(bearer_token(request) or "")
        if key is None or key.kind != "write":
            raise
        note_request(request, f"key:{key.prefix}")
        return Context.of(request, None)
    return Context.of(request, request.state.reader)


def decode(media_type: str, body: bytes) -> Asked:
    """The operation in a body. Raises Refusal, or GraphQLSyntaxError, for anything that is none within the limits."""
    # A page of another site can send any other type without asking first.
    if media_type not in {"application/json", "application/graphql-response+json"}:
        rule = "Content-Type: application/json."
        raise Refusal("The body is not said to be JSON.", "BAD_REQUEST", field="Content-Type", rule=rule)
    try:
        asked = msgspec.json.decode(body, type=Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refusal("The body is no operation.", "BAD_REQUEST", field="body", rule=NO_OPERATION) from None
    documents.read(asked.query)
    return asked


async def execute(asked: Asked, context: Context) -> Mapping[str, Any]:
    """The result as it is sent."""
    stream = await SCHEMA.stream(
        asked.query, asked.variables, context, None, asked.operation_name, allowed_operation_types=WRITES
    )
    async for result in stream:
        said: dict[str, Any] = {"data": result.data}
        if result.errors:
            said["errors"] = [error.formatted for error in result.errors]
        if result.extensions:
            said["extensions"] = result.extensions
        return said
    raise ClientException("There is no answer.")


def respond(said: Mapping[str, Any], status: int = 200) -> Response[bytes]:
    """An answer of this user alone."""
    headers = {"Cache-Control": "private, no-store"}
    return Response(msgspec.json.encode(said), status_code=status, media_type="application/json", headers=headers)
