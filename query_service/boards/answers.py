"""What a widget shows: the answer of the query path, or of a saved definition."""

from query_service.boards.widgets import QUESTION_KINDS, Widget
from query_service.query.definitions import DefinitionAnswer, DefinitionQueries
from query_service.query.path import QueryPath
from query_service.query.query_answer import encode


class WidgetAnswers:
    """Answers widgets of an app, numbers only: no widget shows single persons."""

    def __init__(self, path: QueryPath, definitions: DefinitionQueries) -> None:
        self._path, self._definitions = path, definitions

    async def answer(self, widget: Widget, app_id: str) -> bytes:
        """`{data, meta}` as JSON; a text has no rows. Raises as the query path does, and UnknownDefinitionError."""
        kind = widget["kind"]
        if kind in QUESTION_KINDS:
            return (await self._path.query({**widget["question"], "app_id": app_id}, (app_id,))).encoded.body
        if kind == "text":
            return encode([], None).body
        found = await self._of_definition(widget, app_id)
        return encode(found.data, found.meta).body

    async def _of_definition(self, widget: Widget, app_id: str) -> DefinitionAnswer:
        tenant = await self._path.tenant({"app_id": app_id}, (app_id,))
        if widget["kind"] == "funnel":
            return await self._definitions.funnel(tenant, widget["funnel"])
        asked = {"interval": widget["interval"], "mode": widget["mode"]}
        return await self._definitions.retention(tenant, widget["cohort"], asked)
