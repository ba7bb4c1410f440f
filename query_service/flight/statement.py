"""Untrusted SQL → one SELECT on the `va_*` views, written anew from its checked tree, or a refusal."""

import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from query_service.flight import allowed
from query_service.flight.refusals import Refused
from query_service.flight.rules import Views, check_tree

MAX_CHARACTERS = 20_000
MAX_TOKENS = 3_000
MAX_DEPTH = 60
DIALECTS = ("postgres", "duckdb")
_OPENING, _CLOSING = (
    {TokenType.L_PAREN, TokenType.CASE, TokenType.L_BRACKET},
    {TokenType.R_PAREN, TokenType.END, TokenType.R_BRACKET},
)

# It says on its own when it reads a statement as an opaque command; such a statement is refused anyway.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Statement:
    """PostgreSQL's text of an allowed question. `is_timeless`: it asks for no current time. `relations`: its views."""

    sql: str
    relations: frozenset[str]
    is_timeless: bool
    parameters: int


def check(text: str, views: Views, values: Sequence[object] | None = None) -> Statement:
    """The statement of `text`, in PostgreSQL's words or, where those do not do, DuckDB's.

    `views` are the columns of each view. `values` take the place of `?` or `$1`, …; without them they stay. Raises
    Refused, which names the rule.
    """
    refusals = []
    for dialect in DIALECTS:
        try:
            return _check(text, views, values, dialect)
        except Refused as refused:
            refusals.append(refused)
    # PostgreSQL is what the page of documentation promises.
    raise refusals[0]


def _check(text: str, views: Views, values: Sequence[object] | None, dialect: str) -> Statement:
    tree = _parse(text, dialect)
    tree = normalize_identifiers(tree, dialect="postgres")
    given = _bind(tree, values)
    check_tree(tree, views)
    _qualify(tree, views)
    sql = _write(tree)
    # What is sent is what was checked: the text itself, read once more, has to pass.
    again = _parse(sql, "postgres")
    check_tree(again, views)
    if _write(again) != sql:
        raise Refused("This statement cannot be written in PostgreSQL's SQL unambiguously; write it more simply.")
    names = frozenset(table.name for table in again.find_all(exp.Table) if table.db)
    return Statement(sql, names, not any(again.find_all(*allowed.CLOCKS)), given)


def _parse(text: str, dialect: str) -> exp.Expr:
    if len(text) > MAX_CHARACTERS:
        raise Refused(f"A statement has at most {MAX_CHARACTERS:,} characters.")
    if not text.isprintable() and re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text):
        raise Refused("A statement has no control characters.")
    try:
        statements = sqlglot.parse(_numbered(text, dialect), read=dialect)
    except Refused:
        raise
    except Exception as error:  # noqa: BLE001 - a parser that fails in whatever way has not understood it
        raise Refused(f"The statement cannot be parsed: {_first_line(error)}") from None
    [*trees] = [tree for tree in statements if tree is not None]
    if len(trees) != 1:
        raise Refused("A request is one statement.")
    if type(trees[0]) not in allowed.QUERIES:
        raise Refused("Only SELECT is allowed, with WITH, set operations and joins.")
    return trees[0]


def _first_line(error: Exception) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().partition("\n")[0][:200] or "it is nested too deeply"


def _numbered(text: str, dialect: str) -> str:
    """The text with `?` numbered as `$1`, `$2`, …; refused where it is too long or nested too deeply to parse."""
    tokens = sqlglot.tokenize(text, read=dialect)
    if len(tokens) > MAX_TOKENS:
        raise Refused(f"A statement has at most {MAX_TOKENS:,} words.")
    depth, marks = 0, []
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth > MAX_DEPTH:
            raise Refused(f"A statement is nested at most {MAX_DEPTH} levels deep.")
        if token.token_type == TokenType.PLACEHOLDER:
            marks.append(token.start)
    pieces = [text[start + 1 : end] for start, end in zip([-1, *marks], [*marks, len(text)], strict=True)]
    return pieces[0] + "".join(f"${number}{piece}" for number, piece in enumerate(pieces[1:], 1))


def _bind(tree: exp.Expr, values: Sequence[object] | None) -> int:
    """Put the values into the places of their parameters; returns how many parameters there are."""
    places = list(tree.find_all(exp.Parameter))
    numbers = {_number(place) for place in places}
    if numbers != set(range(1, len(numbers) + 1)):
        raise Refused("Parameters are ? or $1, $2, … without a gap.")
    if values is None:
        return len(numbers)
    if len(values) != len(numbers):
        raise Refused(f"The statement has {len(numbers)} parameters, and {len(values)} values came.")
    for place in places:
        place.replace(_literal(values[_number(place) - 1]))
    return 0


def _number(place: exp.Parameter) -> int:
    if not re.fullmatch(r"[1-9][0-9]?", place.name):
        raise Refused("Parameters are ? or $1, $2, … without a gap.")
    return int(place.name)


def _literal(value: object) -> exp.Expr:
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int | float | Decimal) and math.isfinite(value):
        number = exp.Literal.number(f"{abs(value):f}" if isinstance(value, Decimal) else repr(abs(value)))
        return exp.Paren(this=exp.Neg(this=number)) if value < 0 else number
    if isinstance(value, datetime | date):
        return exp.Literal.string(value.isoformat())
    if isinstance(value, str):
        return exp.Literal.string(value)
    raise Refused(f"A parameter is a text, number, date, time, boolean or null, not {type(value).__name__}.")


def _qualify(tree: exp.Expr, views: Views) -> None:
    for table in tree.find_all(exp.Table):
        if table.name in views:
            table.set("db", exp.to_identifier(allowed.SCHEMA, quoted=True))
            table.set("catalog", None)


def _write(tree: exp.Expr) -> str:
    try:
        return tree.sql("postgres", identify=True, comments=False, unsupported_level=ErrorLevel.RAISE)
    except (SqlglotError, RecursionError, ValueError) as error:
        raise Refused(f"PostgreSQL has no such thing: {_first_line(error)}") from None
