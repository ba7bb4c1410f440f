"""Strawberry's decorators of resolvers, with types: a resolver stays the function that it is."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import strawberry

Resolver = TypeVar("Resolver", bound=Callable[..., Any])


def question(description: str) -> Callable[[Resolver], Resolver]:
    """A field of Query."""
    return cast("Callable[[Resolver], Resolver]", strawberry.field(description=description))


def mutation(description: str) -> Callable[[Resolver], Resolver]:
    """A field of Mutation."""
    return cast("Callable[[Resolver], Resolver]", strawberry.mutation(description=description))


def subscription(description: str) -> Callable[[Resolver], Resolver]:
    """A field of Subscription."""
    return cast("Callable[[Resolver], Resolver]", strawberry.subscription(description=description))
