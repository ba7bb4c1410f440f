"""The closed list of widgets, checked when a dashboard is saved.

A widget is `{"kind", "title", "size", …}`. `number`, `timeseries`, `bar` and `table` have a `question` of version 2,
`funnel` and `retention` name a saved definition, `text` has a text.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from eventmill.analysis.local_days import INTERVALS
from eventmill.errors import DefinitionError
from query_service.query.definitions import MODES
from query_service.query.errors import InvalidParameter
from query_service.query.model import Tenant
from query_service.query.spec import parse

MAX_WIDGETS = 50
MAX_TITLE = 200
MAX_TEXT = 10_000
MAX_REFERENCE = 200
SIZES = ("small", "medium", "large", "full")
QUESTION_KINDS = ("number", "timeseries", "bar", "table")
KINDS = (*QUESTION_KINDS, "funnel", "retention", "text")

Widget = Mapping[str, Any]


def checked_widgets(given: object, tenant: Tenant, now: datetime) -> list[dict[str, Any]]:
    """The widgets as they are saved, with their defaults. Raises DefinitionError that names the place and the rule."""
    if not isinstance(given, list) or len(given) > MAX_WIDGETS:
        raise DefinitionError("widgets", f"a list of at most {MAX_WIDGETS} widgets")
    return [_checked(one, f"widgets[{place}]", tenant, now) for place, one in enumerate(given)]


def _checked(given: object, place: str, tenant: Tenant, now: datetime) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise DefinitionError(place, "a JSON object")
    kind = given.get("kind")
    if kind not in KINDS:
        raise DefinitionError(f"{place}.kind", f"one of {', '.join(KINDS)}")
    own = {"question": _question} if kind in QUESTION_KINDS else _OWN[kind]
    if unknown := set(given) - {"kind", "title", "size", *own}:
        raise DefinitionError(f"{place}.{min(unknown)}", f"no field of a {kind}: kind, title, size, {', '.join(own)}")
    title = given.get("title", "")
    if not isinstance(title, str) or len(title) > MAX_TITLE or not title.isprintable():
        raise DefinitionError(f"{place}.title", f"a text of at most {MAX_TITLE} printable characters")
    size = given.get("size", "medium")
    if size not in SIZES:
        raise DefinitionError(f"{place}.size", f"one of {', '.join(SIZES)}")
    checked = {name: check(given.get(name), f"{place}.{name}", tenant, now) for name, check in own.items()}
    return {"kind": kind, "title": title, "size": size} | checked


def _question(given: object, place: str, tenant: Tenant, now: datetime) -> dict[str, Any]:
    """A question of version 2 without app and page: the dashboard's app is asked, from the first row on."""
    if not isinstance(given, dict):
        raise DefinitionError(place, "a question of version 2, as of POST /api/v2/query")
    for name in ("app_id", "cursor"):
        if given.get(name) is not None:
            raise DefinitionError(f"{place}.{name}", "left out: the dashboard's app is asked, from the first row on")
    question = {name: value for name, value in given.items() if value is not None}
    try:
        parse(question, tenant, now)
    except InvalidParameter as error:
        raise DefinitionError(f"{place}.{error.field}", error.rule.rstrip(".")) from None
    return question


def _reference(given: object, place: str, _tenant: Tenant, _now: datetime) -> str:
    if not isinstance(given, str) or not 1 <= len(given) <= MAX_REFERENCE or not given.isprintable():
        raise DefinitionError(place, "the id or identifier of a saved one")
    return given


def _text(given: object, place: str, _tenant: Tenant, _now: datetime) -> str:
    if not isinstance(given, str) or not given.strip() or len(given) > MAX_TEXT or "\x00" in given:
        raise DefinitionError(place, f"1 to {MAX_TEXT} characters")
    return given


def _one_of(allowed: Sequence[str], default: str) -> Callable[[object, str, Tenant, datetime], str]:
    def check(given: object, place: str, _tenant: Tenant, _now: datetime) -> str:
        if given is None:
            return default
        if given not in allowed:
            raise DefinitionError(place, f"one of {', '.join(allowed)}")
        return str(given)

    return check


_OWN: Mapping[str, Mapping[str, Callable[[object, str, Tenant, datetime], Any]]] = {
    "funnel": {"funnel": _reference},
    "retention": {"cohort": _reference, "interval": _one_of(INTERVALS, "week"), "mode": _one_of(MODES, "on")},
    "text": {"text": _text},
}
