"""The query parameters of the REST endpoints, as the API's documentation shows them."""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.params import Parameter

from query_service.query import model
from query_service.query.errors import InvalidParameter

_START = "First day, YYYY-MM-DD in the app's time zone; 30 days ago by default."
_END = "Day after the last one (exclusive); tomorrow by default."

AppId = Annotated[str | None, Parameter(description="Needed where the key covers several apps.")]
Start = Annotated[str | None, Parameter(description=_START)]
End = Annotated[str | None, Parameter(description=_END)]
HourOrDayStart = Annotated[
    str | None,
    Parameter(
        description=f"{_START} With granularity=hour also the start of an hour as RFC 3339; yesterday by default."
    ),
]
HourOrDayEnd = Annotated[
    str | None, Parameter(description=f"{_END} With granularity=hour also the start of an hour as RFC 3339.")
]
HourStart = Annotated[
    str | None,
    Parameter(
        description="First day, YYYY-MM-DD in the app's time zone, or the start of an hour as RFC 3339; 7 days ago by"
        " default."
    ),
]
ComparedMetric = Annotated[
    str | None,
    Parameter(
        description="`page_views` (the default), `events`, `unique_visitors` or `unique_sessions`; `*` a row for each."
    ),
]
Flagged = Annotated[str | None, Parameter(description="`true`: anomalies only.")]
Source = Annotated[
    str | None,
    Parameter(
        description="`web`, `mobile`, `server` or `import`; `all` (the default) gives one exact row over all, "
        "`*` a row for each."
    ),
]
EventName = Annotated[
    str | None,
    Parameter(description="One event name; `all` (the default) gives one exact row over all, `*` a row for each."),
]
EventType = Annotated[str | None, Parameter(description="One event type; all by default.")]
PageUrl = Annotated[str | None, Parameter(description="One page; all by default.")]
Granularity = Annotated[str | None, Parameter(description="`hour` or `day` (the default).")]
AnyGranularity = Annotated[
    str | None,
    Parameter(description="`hour`, `day` (the default), `week`, `month`; `auto` takes the one of few points."),
]
Limit = Annotated[
    str | None, Parameter(description=f"Most rows of an answer: {model.DEFAULT_ROWS}, up to {model.MAX_ROWS}.")
]
PageLimit = Annotated[
    str | None, Parameter(description=f"Most pages of an answer: {model.DEFAULT_PAGES}, up to {model.MAX_PAGES}.")
]
PageCursor = Annotated[str | None, Parameter(description="`meta.next_cursor` of the answer before.")]

_NOT_PARAMETERS = frozenset({"path", "covered", "reader", "state", "request", "reference"}) | {
    *("key_id", "dashboard_id", "share_id", "annotation_id", "alert_id"),  # parts of the path
}


async def refuse_unknown(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Litestar guard: a misspelt parameter must not be answered as if it had not been sent.

    A coroutine, like every guard here: Litestar hands a plain function to another thread.
    """
    if not connection.scope["query_string"]:
        return
    known = _known(handler.fn)
    for name, values in connection.query_params.dict().items():
        if name not in known:
            rule = f"One of: {', '.join(known)}." if known else "This endpoint takes no parameters."
            raise InvalidParameter(name, f"There is no parameter {name!r}.", rule)
        if len(values) > 1:
            raise InvalidParameter(name, f"{name} came {len(values)} times.", "Once.")


# By its function: guards are given a new copy of the handler each time.
@lru_cache(maxsize=256)
def _known(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(name for name in inspect.signature(function).parameters if name not in _NOT_PARAMETERS)
