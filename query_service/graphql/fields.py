"""Strawberry's decorators as we use them: types are described by their docstrings, resolvers stay what they are."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast, dataclass_transform

import strawberry

Kind = TypeVar("Kind")
Resolver = TypeVar("Resolver", bound=Callable[..., Any])


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def output(kind: type[Kind]) -> type[Kind]:
    """A type of the schema."""
    return strawberry.type(kind, description=inspect.getdoc(kind))


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def given(kind: type[Kind]) -> type[Kind]:
    """A type of arguments."""
    return strawberry.input(kind, description=inspect.getdoc(kind))


def question(description: str) -> Callable[[Resolver], Resolver]:
    """A field of Query."""
    return cast("Callable[[Resolver], Resolver]", strawberry.field(description=description))


def mutation(description: str) -> Callable[[Resolver], Resolver]:
    """A field of Mutation."""
    return cast("Callable[[Resolver], Resolver]", strawberry.mutation(description=description))


def subscription(description: str) -> Callable[[Resolver], Resolver]:
    """A field of Subscription."""
    return cast("Callable[[Resolver], Resolver]", strawberry.subscription(description=description))
