"""Scalars of the schema: values as REST writes them."""

from typing import Any, NewType

import strawberry
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig
from strawberry.types.scalar import ScalarDefinition

# Int is of 32 bits, and a year's events may be more.
Count = NewType("Count", int)
Date = NewType("Date", str)
DateTime = NewType("DateTime", str)
StepInput = NewType("StepInput", object)

__all__ = ["CONFIG", "JSON", "Count", "Date", "DateTime", "StepInput"]


def _as_it_is(value: Any) -> Any:
    return value


def _scalar(name: str, description: str) -> ScalarDefinition:
    return strawberry.scalar(name=name, description=description, serialize=_as_it_is, parse_value=_as_it_is)


CONFIG = StrawberryConfig(
    # The schema is in docs/schema.graphql; an error does not spell it out.
    disable_field_suggestions=True,
    scalar_map={
        Count: _scalar("Count", "A whole number, of up to 64 bits."),
        Date: _scalar("Date", "A day in the app's time zone, YYYY-MM-DD."),
        DateTime: _scalar("DateTime", "An instant as RFC 3339."),
        StepInput: _scalar(
            "StepInput", "A step of a funnel: an event type as text, or {event_type, event_name, filters, name}."
        ),
    },
)
