"""`POST /api/v2/query`: any metric by period and dimensions, with filters, order, pages and comparison."""

from dataclasses import dataclass
from typing import Any

from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.spec import Example, OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

from query_service.query.catalog import METRICS
from query_service.query.date_words import COMPARISONS, RANGE_RULE
from query_service.query.path import QueryPath
from query_service.query.periods import AUTO
from query_service.query.query_answer import QueryAnswer
from query_service.query.spec import DEFAULT_ROWS, MAX_ROWS
from query_service.query.spec_fields import GRANULARITIES
from query_service.rest.disconnect import unless_gone
from query_service.rest.problems import PROBLEMS
from query_service.rest.responses import READS_BY_POST

PATH = "/v2/query"

EXAMPLES = {
    "days": Example(
        summary="30 days by day, beside the 30 days before",
        value={
            "metrics": ["page_views", "unique_visitors"],
            "date_range": "30d",
            "granularity": "day",
            "compare": "previous_period",
        },
    ),
    "top": Example(
        summary="The ten pages with the most views this week",
        value={"metrics": ["page_views", "bounce_rate"], "dimensions": ["page_url"], "date_range": "week", "limit": 10},
    ),
    "filtered": Example(
        summary="Today by hour, from Germany",
        value={
            "metrics": ["events"],
            "filters": [["is", "country", ["DE"]]],
            "date_range": "today",
            "granularity": AUTO,
        },
    ),
}


def _text(description: str, **more: Any) -> Schema:
    return Schema(type=OpenAPIType.STRING, description=description, **more)


def _list(description: str, items: Schema | None = None, **more: Any) -> Schema:
    items = items or Schema(type=OpenAPIType.STRING)
    return Schema(type=OpenAPIType.ARRAY, description=description, items=items, **more)


_ANY_PAIR = Schema(type=OpenAPIType.ARRAY)
QUESTION = Schema(
    type=OpenAPIType.OBJECT,
    required=["metrics"],
    additional_properties=False,
    properties={
        "app_id": _text("Needed where the key covers several apps."),
        "metrics": _list("What to count.", Schema(type=OpenAPIType.STRING, enum=METRICS), min_items=1, max_items=10),
        "dimensions": _list("What to cut it by: fields of events or sessions, or `properties.<name>`.", max_items=3),
        "filters": _list("Conditions `[op, field, [values]]`, which all hold.", _ANY_PAIR, max_items=20),
        "date_range": Schema(description=f"{RANGE_RULE} 30d by default."),
        "granularity": _text("Null gives totals; auto chooses by the range.", enum=[*GRANULARITIES, AUTO]),
        "compare": Schema(description=f"{', '.join(COMPARISONS)}, or [from, to]."),
        "order_by": _list("Pairs `[metric, dimension or timestamp, asc or desc]`.", _ANY_PAIR),
        "limit": Schema(
            type=OpenAPIType.INTEGER,
            minimum=1,
            maximum=MAX_ROWS,
            description=f"Rows of a page: {DEFAULT_ROWS}, or all periods with a granularity.",
        ),
        "cursor": _text("`meta.next_cursor` of the page before."),
        "include_bots": Schema(type=OpenAPIType.BOOLEAN, description="Count bots in every metric; false by default."),
        "goal": _text("Identifier or id of a saved goal; the metrics of goals need it."),
    },
)


@dataclass
class QuestionOperation(Operation):
    """Describes the body, which the handler reads itself: its refusals name the field and what it may be."""

    def __post_init__(self) -> None:
        """Keep the body where the generator found none."""
        if self.request_body is None:
            described = OpenAPIMediaType(schema=QUESTION, examples={**EXAMPLES})
            self.request_body = RequestBody(content={"application/json": described}, required=True)


@post(
    PATH,
    status_code=200,
    summary="Any metric by period and dimensions",
    responses=PROBLEMS,
    operation_class=QuestionOperation,
    opt={READS_BY_POST: True},
)
async def query(
    request: Request[Any, Any, Any], state: State, covered: NamedDependency[tuple[str, ...]]
) -> QueryAnswer:
    """Rows `{timestamp, <dimension>…, <metric>…, previous, change_percent}`.

    `timestamp` only with a granularity: every period of the range is there, 0 for counts and null for ratios where
    nothing happened, null for periods that have not begun. A dimension is null where it is not set; `is_other` marks
    the row of what lies beyond the 1,000 largest values. `previous` and `change_percent` only with `compare`.
    """
    path: QueryPath = state.path
    return await unless_gone(request.receive, path.query_json(await request.body(), covered))
