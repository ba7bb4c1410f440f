"""JSON Schemas of a tracking plan: compiled once, and refused where checking an event could take long."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Protocol

import jsonschema_rs
import msgspec

from eventmill.contracts import limits
from eventmill.errors import EventmillError

Schema = Mapping[str, Any]


class Validator(Protocol):
    """What this module uses of jsonschema-rs' validators, which have one class per draft."""

    def is_valid(self, instance: Any) -> bool:
        """Whether the instance meets the schema."""
        ...

    def validate(self, instance: Any) -> None:
        """Raise jsonschema_rs.ValidationError for the first rule that the instance breaks."""
        ...


MAX_SCHEMA_BYTES = 64 * 1024
# How often one value of an event may be looked at: nested anyOf over shared $defs doubles it at every step.
MAX_LOOKS = 256
_MAX_SCHEMA_NESTING = 64
_MAX_REGEX_BYTES = 256 * 1024

# Applicators by what they look at: the same value again, or its parts.
_SAME_LISTS = ("allOf", "anyOf", "oneOf")
_SAME = ("not", "if", "then", "else")
_SAME_BY_NAME = ("dependentSchemas", "dependencies")
_EVERY_PART = (
    *("additionalProperties", "items", "additionalItems", "contains", "propertyNames"),
    *("unevaluatedItems", "unevaluatedProperties"),
)
_PARTS_BY_NAME = ("patternProperties",)
_REFUSED = frozenset({"$dynamicRef", "$recursiveRef"})
# What a schema says about single properties, without what it says about the object as a whole.
_ABOUT_PROPERTIES = (
    *("$schema", "$ref", "$defs", "definitions"),
    *("properties", "patternProperties", "additionalProperties"),
)


@lru_cache(maxsize=4_096)
def compile_schema(text: bytes) -> tuple[Validator, Validator]:
    """The schema's validator, and one of what it says about single properties. Raises EventmillError naming the place.

    Nothing is ever fetched: a `$ref` stays inside the schema.
    """
    schema = parse_schema(text)
    about_properties = {name: schema[name] for name in _ABOUT_PROPERTIES if name in schema}
    return _compile(schema), _compile(about_properties)


def parse_schema(text: bytes) -> Schema:
    """The schema as JSON, checked for all but JSON Schema's own rules. Raises EventmillError naming the place."""
    if len(text) > MAX_SCHEMA_BYTES:
        raise EventmillError(f"schema: has {len(text):,} bytes, at most {MAX_SCHEMA_BYTES:,} are allowed.")
    try:
        schema = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EventmillError(f"schema: not valid JSON: {error}") from None
    if not isinstance(schema, dict):
        raise EventmillError("schema: expected a JSON object, the JSON Schema of the event type's `properties`.")
    _check_references(schema, ())
    _Looks(schema).check()
    return schema


def _compile(schema: Schema) -> Validator:
    try:
        return jsonschema_rs.validator_for(
            dict(schema),
            # This engine never backtracks; look-around and back references are refused.
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_MAX_REGEX_BYTES, dfa_size_limit=_MAX_REGEX_BYTES),
            validate_formats=True,
            offline=True,
            mask="the value",
        )
    except jsonschema_rs.ValidationError as error:
        rule = "a pattern must be a regular expression without look-around and of moderate size"
        message = rule if error.kind.name == "format" else error.message.replace("the value", "this")
        raise EventmillError(f"schema: at {_place(error.instance_path)}: {message[:300]}") from None
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise EventmillError(f"schema: {str(error)[:300]}") from None


def _place(path: tuple[str | int, ...] | list[str | int]) -> str:
    """A JSON pointer in a URI fragment, as `$ref` writes it."""
    return "#" + "".join(f"/{_escaped(str(part))}" for part in path)


def _escaped(part: str) -> str:
    return part[:60].replace("~", "~0").replace("/", "~1")


def _check_references(value: Any, path: tuple[str | int, ...]) -> None:
    if len(path) > _MAX_SCHEMA_NESTING:
        raise EventmillError(f"schema: nests deeper than {_MAX_SCHEMA_NESTING} levels.")
    if isinstance(value, dict):
        if refused := value.keys() & _REFUSED:
            raise EventmillError(f"schema: at {_place(path)}: {min(refused)} is not supported; use $ref.")
        if "$id" in value and path and isinstance(value["$id"], str):
            raise EventmillError(f"schema: at {_place(path)}: $id is allowed at the top only.")
        reference = value.get("$ref")
        if isinstance(reference, str) and reference != "#" and not reference.startswith("#/"):
            raise EventmillError(
                f"schema: at {_place((*path, '$ref'))}: {reference[:100]!r} points outside the schema.",
                "Nothing is fetched: put the definition under $defs and write #/$defs/<name>.",
            )
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        _check_references(child, (*path, name))


class _Looks:
    """Counts how often the schema looks at one value, at most, along any path into an event."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._known: dict[tuple[int, int], int] = {}
        self._open: set[tuple[int, int]] = set()

    def check(self) -> None:
        """Raise EventmillError for a schema that would look at one value more than MAX_LOOKS times."""
        if self._count(self._root, limits.MAX_NESTING) > MAX_LOOKS:
            raise EventmillError(
                f"schema: its references and alternatives would look at one value more than {MAX_LOOKS} times.",
                "Let fewer anyOf, oneOf, allOf and $ref lead to the same definition.",
            )

    def _count(self, schema: Any, depth: int) -> int:
        if not isinstance(schema, dict) or depth == 0:
            return 0
        key = (id(schema), depth)
        if key in self._open:
            raise EventmillError("schema: a $ref leads back to itself without going into a property or an item.")
        if key not in self._known:
            self._open.add(key)
            same = sum(self._count(child, depth) for child in self._same_value(schema))
            parts = sum(self._count(child, depth - 1) for child in _every_part(schema))
            named = max((self._count(child, depth - 1) for child in _named_parts(schema)), default=0)
            self._open.remove(key)
            # Beyond the limit the exact number does not matter, and must not grow.
            self._known[key] = min(1 + same + parts + named, MAX_LOOKS + 1)
        return self._known[key]

    def _same_value(self, schema: Schema) -> Iterator[Any]:
        for name in _SAME_LISTS:
            yield from _list(schema, name)
        for name in _SAME:
            yield schema.get(name)
        for name in _SAME_BY_NAME:
            yield from _values(schema, name)
        if isinstance(reference := schema.get("$ref"), str):
            yield self._target(reference)

    def _target(self, reference: str) -> Any:
        value: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
                value = value[int(name)]
            else:
                value = value.get(name) if isinstance(value, dict) else None
        return value


def _every_part(schema: Schema) -> Iterator[Any]:
    for name in _EVERY_PART:
        value = schema.get(name)
        yield from value if isinstance(value, list) else [value]
    for name in _PARTS_BY_NAME:
        yield from _values(schema, name)


def _named_parts(schema: Schema) -> Iterator[Any]:
    yield from _values(schema, "properties")
    yield from _list(schema, "prefixItems")


def _list(schema: Schema, name: str) -> list[Any]:
    value = schema.get(name)
    return value if isinstance(value, list) else []


def _values(schema: Schema, name: str) -> Iterator[Any]:
    value = schema.get(name)
    return iter(value.values() if isinstance(value, dict) else ())
