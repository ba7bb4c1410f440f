"""Documents within limits: what is refused before it is parsed, and before it is looked at any further.

Every walk visits a fragment once, however often it is spread: what a document costs to check grows with its length.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    Lexer,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    TokenKind,
    parse,
)

from query_service.graphql.refusals import Refusal

MAX_CHARACTERS = 100_000
MAX_TOKENS = 3_000
MAX_NESTING = 40
MAX_OPERATIONS = 10
MAX_FRAGMENTS = 20
MAX_DEPTH = 8
# The usual introspection query asks for types of types of types.
MAX_INTROSPECTION_DEPTH = 20
# Validation compares fields of one name with each other.
MAX_FIELDS = 250
MAX_ALIASES = 30
MAX_DIRECTIVES = 20
INTROSPECTION = frozenset({"__schema", "__type"})
# A document takes about half a kilobyte a token.
KEPT, KEPT_CHARACTERS, KEPT_LONG = 64, 2_000, 4

_OPENING = frozenset({TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L})
_CLOSING = frozenset({TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R})


@dataclass(frozen=True, slots=True)
class Size:
    """How large selections are with all fragments in their places."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0


class Document:
    """A parsed document within the limits."""

    def __init__(self, text: str) -> None:
        check_text(text)
        self.tree: DocumentNode = parse(text)
        self._sizes: dict[str, Size | None] = {}
        self.fragments: Mapping[str, FragmentDefinitionNode] = {
            one.name.value: one for one in self.tree.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self._check()

    @cached_property
    def operations(self) -> tuple[OperationDefinitionNode, ...]:
        """In their order."""
        return tuple(one for one in self.tree.definitions if isinstance(one, OperationDefinitionNode))

    @cached_property
    def asks_for_schema(self) -> bool:
        """Whether it has a field of introspection beside `__typename`, used or not."""
        fields = (field for one in self._selection_sets for field in _fields_below(one))
        return any(field.name.value in INTROSPECTION for field in fields)

    @property
    def _selection_sets(self) -> list[SelectionSetNode]:
        return [one.selection_set for one in (*self.operations, *self.fragments.values())]

    def _check(self) -> None:
        fragments = sum(isinstance(one, FragmentDefinitionNode) for one in self.tree.definitions)
        _most("operations", len(self.operations), MAX_OPERATIONS)
        _most("fragments", fragments, MAX_FRAGMENTS)
        # What validation compares with each other, spread or not.
        _most("fields", sum(1 for one in self._selection_sets for _ in _fields_below(one)), MAX_FIELDS)
        total: Counter[str] = Counter()
        for operation in self.operations:
            size = self.size(operation.selection_set)
            total.update(fields=size.fields, aliases=size.aliases)
            total.update(directives=size.directives + len(operation.directives))
            total["depth"] = max(total["depth"], size.depth)
        _most("levels of fields", total["depth"], MAX_INTROSPECTION_DEPTH if self.asks_for_schema else MAX_DEPTH)
        _most("fields", total["fields"], MAX_FIELDS)
        _most("aliases", total["aliases"], MAX_ALIASES)
        _most("directives", total["directives"], MAX_DIRECTIVES)

    def size(self, selections: SelectionSetNode | None) -> Size:
        """How large a selection is."""
        if selections is None:
            return Size()
        depth = fields = aliases = directives = 0
        for one in selections.selections:
            is_field = isinstance(one, FieldNode)
            if isinstance(one, FragmentSpreadNode):
                inner = self.size_of_fragment(one.name.value)
            else:
                inner = self.size(one.selection_set)  # type: ignore[attr-defined] # a field or an inline fragment
            depth = max(depth, inner.depth + is_field)
            fields += inner.fields + is_field
            aliases += inner.aliases + (is_field and one.alias is not None)  # type: ignore[attr-defined] # as above
            directives += inner.directives + len(one.directives)
        return Size(depth, fields, aliases, directives)

    def size_of_fragment(self, name: str) -> Size:
        """How large a fragment is. Raises Refusal where it is not there, or spreads itself."""
        if name not in self._sizes:
            fragment = self.fragments.get(name)
            if fragment is None:
                raise Refusal(f"There is no fragment {name[:100]!r}.", "BAD_REQUEST")
            self._sizes[name] = None
            self._sizes[name] = self.size(fragment.selection_set)
        size = self._sizes[name]
        if size is None:
            raise Refusal(f"The fragment {name[:100]!r} spreads itself.", "BAD_REQUEST")
        return size


def check_text(text: str) -> None:
    """Raise for a text that is too long, or so deep that a parser would run out of stack. Reads it once."""
    _most("characters", len(text), MAX_CHARACTERS)
    lexer = Lexer(Source(text))
    nesting = tokens = 0
    while (token := lexer.advance()).kind is not TokenKind.EOF:
        tokens += 1
        _most("tokens", tokens, MAX_TOKENS)
        nesting += (token.kind in _OPENING) - (token.kind in _CLOSING)
        _most("levels of brackets", nesting, MAX_NESTING)


_kept = lru_cache(maxsize=KEPT)(Document)
# An operation reads its document more than once.
_kept_long = lru_cache(maxsize=KEPT_LONG)(Document)


def read(text: str) -> Document:
    """The document in a text; short ones are kept. Raises Refusal or GraphQLSyntaxError."""
    return _kept(text) if len(text) <= KEPT_CHARACTERS else _kept_long(text)


def refusal_of(text: str) -> Refusal | GraphQLSyntaxError | None:
    """Why a text is no document, None where it is one."""
    try:
        read(text)
    except (Refusal, GraphQLSyntaxError) as error:
        return error
    return None


def _fields_below(selections: SelectionSetNode) -> Iterator[FieldNode]:
    waiting = [selections]
    while waiting:
        for one in waiting.pop().selections:
            if isinstance(one, FieldNode):
                yield one
            inner = getattr(one, "selection_set", None)
            if inner is not None:
                waiting.append(inner)


def _most(what: str, found: int, most: int) -> None:
    if found > most:
        raise Refusal("The document is too large.", "TOO_LARGE", field="query", rule=f"At most {most:,} {what}.")
