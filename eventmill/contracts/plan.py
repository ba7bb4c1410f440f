"""An app's tracking plan: what the `properties` of an event type look like, and what becomes of those that do not."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import jsonschema_rs
import msgspec
from msgspec import Raw

from eventmill.contracts.plan_schema import Validator, compile_schema

_MAX_MESSAGE = 300
# Each round finds one property that breaks the schema; beyond these nothing of the event is to be trusted.
_MAX_OMITTED = 50
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class PlanAction(StrEnum):
    """What becomes of an event that breaks the plan: kept and marked; kept without the properties; quarantined."""

    FLAG = "flag"
    OMIT = "omit"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Violation:
    """How an event breaks the plan. `properties` is the JSON object that is left, all of it unless omitted."""

    action: PlanAction
    path: str
    message: str
    properties: bytes


@dataclass(frozen=True, slots=True)
class PlannedType:
    """The JSON Schema (its text) of one event type's `properties`, and the action."""

    schema: bytes
    action: PlanAction

    def compile(self) -> tuple[Validator, Validator]:
        """Validators of the whole schema and of its single properties, made once per text.

        Raises EventmillError for a schema that breaks a rule.
        """
        return compile_schema(self.schema)


@dataclass(frozen=True, slots=True)
class TrackingPlan:
    """The planned event types of one app by name; events of other types are not looked at."""

    types: Mapping[str, PlannedType]

    def check(self, event_type: str, properties: bytes) -> Violation | None:
        """How `properties` (a JSON object) breaks the plan of its event type, None where it does not."""
        planned = self.types.get(event_type)
        if planned is None:
            return None
        try:
            value = msgspec.json.decode(properties)
        except _UNREADABLE as error:
            left = b"{}" if planned.action is PlanAction.OMIT else properties
            message = f"properties: cannot be compared with the plan: {error}"
            return Violation(planned.action, "$.properties", message[:_MAX_MESSAGE], left)
        whole, single = planned.compile()
        if whole.is_valid(value):
            return None
        broken = _first_error(whole, value)
        left = _without_offending(single, value, properties) if planned.action is PlanAction.OMIT else properties
        return Violation(planned.action, *_explain(broken), left)


def plan_of(types: Mapping[str, tuple[bytes, str]]) -> TrackingPlan | None:
    """The plan of event type → (schema, action), compiled; None for no types. Raises EventmillError, ValueError."""
    if not types:
        return None
    planned = {name: PlannedType(schema, PlanAction(action)) for name, (schema, action) in types.items()}
    for planned_type in planned.values():
        planned_type.compile()
    return TrackingPlan(planned)


def _first_error(validator: Validator, value: object) -> jsonschema_rs.ValidationError:
    try:
        # All errors could be thousands, each with those of its alternatives: the first is enough.
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return error
    msg = "a value is valid and is not"
    raise AssertionError(msg)


def _explain(error: jsonschema_rs.ValidationError) -> tuple[str, str]:
    """JSON path, and a sentence that repeats no value of the event."""
    path = "$.properties"
    for part in error.instance_path:
        is_plain = isinstance(part, str) and _PLAIN_NAME.fullmatch(part)
        path += f".{part}" if is_plain else f"[{msgspec.json.encode(part).decode()}]"
    path = path[:_MAX_MESSAGE]
    return path, f"{path[2:]}: {error.message}"[:_MAX_MESSAGE]


def _without_offending(validator: Validator, value: dict[str, object], properties: bytes) -> bytes:
    """The object without each of its own properties that breaks the schema, all others byte for byte."""
    left = dict(value)
    for _ in range(_MAX_OMITTED):
        if validator.is_valid(left):
            break
        names = _offending(_first_error(validator, left))
        if not names:
            break  # the object as a whole is wrong, so no property is to blame
        left = {name: kept for name, kept in left.items() if name not in names}
    else:
        left = {}
    fields = _FIELDS.decode(properties)
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + bytes(fields[name]) for name in left) + b"}"


def _offending(error: jsonschema_rs.ValidationError) -> frozenset[str]:
    if error.instance_path:
        return frozenset({str(error.instance_path[0])})
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return frozenset(error.kind.unexpected)
    return frozenset()
