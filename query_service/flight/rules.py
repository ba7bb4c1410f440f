"""The rules that a statement's tree has to keep; they name what is allowed."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from sqlglot import exp

from query_service.flight import allowed
from query_service.flight.refusals import Refused

MAX_RELATIONS = 16
MAX_LITERAL = 4_000
# n operands make a text at most 3^(n/3) times as long: 24 of them a few megabytes.
MAX_JOINED_TEXTS = 24
_INTERVAL = re.compile(r"[-+0-9a-zA-Z .:]{1,60}")

Views = Mapping[str, Collection[str]]


def check_tree(tree: exp.Expr, views: Views) -> None:
    """Raise Refused unless every node is of the lists and every name is a view's or the statement's own."""
    nodes = list(tree.walk())
    for node in nodes:
        if type(node) not in allowed.NODES:
            raise _unknown(node)
        if check_node := _CHECKS.get(type(node)):
            check_node(node)
    _check_names(tree, views)
    if sum(type(node) is exp.Table for node in nodes) > MAX_RELATIONS:
        raise Refused(f"A statement reads at most {MAX_RELATIONS} views.")
    joined = sum(
        len(node.expressions) if isinstance(node, exp.Concat | exp.ConcatWs) else 2
        for node in nodes
        if isinstance(node, exp.Concat | exp.ConcatWs | exp.DPipe)
    )
    if joined > MAX_JOINED_TEXTS:
        raise Refused(f"A statement joins at most {MAX_JOINED_TEXTS} texts.")


def _unknown(node: exp.Expr) -> Refused:
    if isinstance(node, exp.Func | exp.Dot):
        name = node.sql_names()[0].lower() if isinstance(node, exp.Func) else node.sql("postgres")[:60]
        return Refused(f"The function {name} is not allowed. Allowed are {', '.join(allowed.FUNCTION_NAMES)}.")
    return Refused(f"{_words(type(node).__name__)} is not allowed: only SELECT with ordinary clauses and operators.")


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).upper()


def _check_anonymous(node: exp.Expr) -> None:
    if node.name.lower() not in allowed.NAMED_FUNCTIONS:
        allowed_names = ", ".join(allowed.FUNCTION_NAMES)
        raise Refused(f"The function {node.name[:60]} is not allowed. Allowed are {allowed_names}.")


def _check_type(node: exp.Expr) -> None:
    name = getattr(node.this, "name", None)
    if name not in allowed.TYPES or node.args.get("kind") is not None:
        types = ", ".join(sorted(allowed.TYPES))
        raise Refused(f"A cast to {node.sql('postgres')[:60]} is not allowed. Allowed are {types}.")


def _check_word(node: exp.Expr) -> None:
    if node.name.upper() not in allowed.WORDS:
        raise Refused(f"{node.name[:60]!r} is no unit of time.")


def _check_literal(node: exp.Expr) -> None:
    if len(node.name) > MAX_LITERAL:
        raise Refused(f"A text has at most {MAX_LITERAL:,} characters.")
    if "\x00" in node.name:
        raise Refused("A text has no NUL.")


def _check_interval(node: exp.Expr) -> None:
    if node.this is not None and not (isinstance(node.this, exp.Literal) and _INTERVAL.fullmatch(node.name)):
        raise Refused("An interval is written as INTERVAL '7 days'.")


def _check_with(node: exp.Expr) -> None:
    if node.args.get("recursive"):
        raise Refused("WITH RECURSIVE is not allowed.")


def _check_star(node: exp.Expr) -> None:
    if any(node.args.values()):
        raise Refused("* stands alone: name the columns instead of EXCLUDE or REPLACE.")


def _check_group(node: exp.Expr) -> None:
    if node.args.get("all") is not None:
        raise Refused("GROUP BY ALL is not allowed: name the columns.")


def _check_table(node: exp.Expr) -> None:
    if not isinstance(node.this, exp.Identifier):
        raise Refused("FROM names a view or a subquery, no function.")
    extra = {name for name, value in node.args.items() if value} - {"this", "db", "catalog", "alias", "joins"}
    if extra:
        raise Refused(f"{_words(extra.pop())} of a view is not allowed.")


_CHECKS: dict[type[exp.Expr], Callable[[exp.Expr], None]] = {
    exp.Anonymous: _check_anonymous,
    exp.DataType: _check_type,
    exp.Var: _check_word,
    exp.Literal: _check_literal,
    exp.Interval: _check_interval,
    exp.With: _check_with,
    exp.Star: _check_star,
    exp.Group: _check_group,
    exp.Table: _check_table,
}


def _check_names(tree: exp.Expr, views: Views) -> None:
    """Every relation is a view or a CTE of the statement, every column one of a view or named by the statement."""
    ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
    for name in ctes:
        if name.startswith(("pg_", allowed.PREFIX)):
            raise Refused(f"WITH {name[:60]}: a name of your own begins with neither pg_ nor {allowed.PREFIX}.")
    for table in tree.find_all(exp.Table):
        _check_relation(table, views, ctes)
    named = set(_given_names(tree))
    if gathering := named & allowed.GATHERING:
        raise Refused(f"{gathering.pop()} cannot be a name.")
    known = named.union(*(views[name] for name in views))
    for column in tree.find_all(exp.Column):
        if column.catalog or column.db not in {"", allowed.SCHEMA}:
            raise Refused(f"{column.sql('postgres')[:60]}: a column is written as view.column.")
        if not isinstance(column.this, exp.Star) and column.name not in known:
            raise Refused(f"There is no column {column.name[:60]!r} in these views.")


def _check_relation(table: exp.Table, views: Views, ctes: Collection[str]) -> None:
    of_ours = (table.catalog, table.db) in {("", ""), ("", allowed.SCHEMA), (allowed.CATALOG, allowed.SCHEMA)}
    if (of_ours and table.name in views) or (table.name in ctes and not table.db and not table.catalog):
        return
    raise Refused(f"There is no view {table.sql('postgres')[:60]}. There are {', '.join(sorted(views))}.")


def _given_names(tree: exp.Expr) -> Iterator[str]:
    for node in tree.find_all(exp.Alias):
        yield node.alias
    for alias in tree.find_all(exp.TableAlias):
        yield alias.name
        yield from (column.name for column in alias.args.get("columns") or ())
    for table in tree.find_all(exp.Table):
        yield table.name
