"""What resolvers work with: who asks, where answers come from, and what is said of them beside the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import msgspec
import strawberry
from litestar.connection import ASGIConnection
from litestar.datastructures import State

from query_service.graphql.gateway import Gateway, Sender
from query_service.graphql.refusals import argument
from query_service.problems import Forbidden
from query_service.query.errors import InvalidParameter
from query_service.query.path import QueryPath
from query_service.query.query_answer import fields_of
from query_service.reader import Reader

Row = TypeVar("Row")

__all__ = ["Context", "Info", "argument"]


@dataclass(frozen=True)
class Context:
    """One operation. `reader` is None for a write key, which may only track; `meta` is by response name."""

    state: State
    reader: Reader | None
    sender: Sender
    may_ask_for_schema: bool = False
    meta: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, connection: ASGIConnection[Any, Any, Any, Any], reader: Reader | None) -> "Context":
        """For the requests of a connection."""
        state = connection.app.state
        is_open = reader is not None and (reader.kind == "admin" or state.settings.graphql_introspection)
        return cls(state, reader, Sender.of(connection), may_ask_for_schema=is_open)

    def for_operation(self) -> "Context":
        """The same for one more operation of the connection."""
        return replace(self, meta={})

    @property
    def path(self) -> QueryPath:
        """The query path."""
        path: QueryPath = self.state.path
        return path

    @property
    def gateway(self) -> Gateway:
        """Where events go."""
        gateway: Gateway = self.state.gateway
        return gateway

    @property
    def known(self) -> Reader:
        """Who asks. Raises Forbidden for a write key."""
        if self.reader is None:
            raise Forbidden("A write key cannot read.")
        return self.reader

    @property
    def covered(self) -> Sequence[str]:
        """Ids of the apps that may be read."""
        return self.known.app_ids

    @staticmethod
    def range_of(start: str | None, end: str | None) -> Any:
        """The `date_range` of a question: the last 30 days without one. Raises InvalidParameter for half a range."""
        if start is None and end is None:
            return None
        if start is None or end is None:
            name = "from" if start is None else "to"
            raise InvalidParameter(name, f"{name} is missing.", "Both from and to, or neither.")
        return [start, end]

    def note(self, info: "Info", meta: Any) -> None:
        """Say what the answer of a field rests on, in `extensions.meta`."""
        self.meta[str(info.path.key)] = msgspec.to_builtins(fields_of(meta), enc_hook=str)

    def rows(self, info: "Info", kind: type[Row], answer: Any) -> list[Row]:
        """An answer's rows as objects of `kind`, whose fields are named like the columns."""
        self.note(info, answer.meta)
        return objects(kind, answer.data)


Info = strawberry.Info[Context, None]


def objects(kind: type[Row], rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Rows as objects, with the values that REST writes; a column that a row does not have is null."""
    names = [one.name for one in kind.__strawberry_definition__.fields]  # type: ignore[attr-defined] # it has one
    written = msgspec.to_builtins(list(rows), enc_hook=str)
    return [kind(**{name: row.get(name) for name in names}) for row in written]


def text_of(number: int | None) -> str | None:
    """A number as the query path takes its parameters."""
    return None if number is None else str(number)
