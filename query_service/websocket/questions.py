"""What can be followed: today's totals, a question of version 2, the live summary."""

from collections.abc import Mapping
from typing import Any

from query_service.live.overview import LiveAnswer, LiveOverview, checked_window
from query_service.query.answer import Answer
from query_service.query.errors import InvalidParameter, UnknownApp
from query_service.query.path import QueryPath
from query_service.query.query_answer import QueryAnswer
from query_service.reader import Reader
from query_service.websocket import messages
from query_service.websocket.messages import Subscribe
from query_service.websocket.topic import Question, Snapshot

# Words of `date_range` that end now.
_WINDOWS = ("5m", "10m", "60m")
# They move with the clock.
_INSTANTS = ("window_start", "window_end", "updated_at")


class Questions:
    """Makes questions of subscriptions, for whoever may ask them. Raises InvalidParameter or UnknownApp."""

    def __init__(self, path: QueryPath, overview: LiveOverview) -> None:
        self._path, self._overview = path, overview

    def of(self, asked: Subscribe, reader: Reader) -> Question:
        """The question of a subscription that has an id."""
        if asked.live == (asked.query is not None):
            raise InvalidParameter(
                "query", "A subscription is either a query or live.", 'Give "query" or "live": true.'
            )
        if asked.query is None:
            return self._summary(covered_app(asked.app_id, reader), asked.window, reader)
        return self._query({"app_id": asked.app_id, **asked.query}, reader)

    def today(self, app_id: str) -> Question:
        """The running day's totals."""

        async def ask() -> Snapshot:
            return _plain(await self._path.today({"app_id": app_id}, (app_id,)))

        return Question(("today", app_id), app_id, ask)

    def _query(self, asked: Mapping[str, Any], reader: Reader) -> Question:
        app_id = covered_app(asked["app_id"], reader)
        asked = {**asked, "app_id": app_id}
        is_moving = asked.get("date_range") in _WINDOWS

        async def ask() -> Snapshot:
            answer = await self._path.query(asked, (app_id,))
            return Snapshot(answer.encoded.body, _content(answer, is_moving=is_moving), answer.meta, answer.meta.source)

        key = ("query", messages.encode(sorted(asked.items())))
        return Question(key, app_id, ask)

    def _summary(self, app_id: str, word: str | None, reader: Reader) -> Question:
        window, may_see_people = checked_window(word), reader.may_see_people

        async def ask() -> Snapshot:
            answer = await self._overview.answer(app_id, window, may_see_people=may_see_people, is_newest=True)
            return Snapshot(messages.encode(answer), _summarised(answer), answer.meta, "live")

        key = ("live", app_id, window, may_see_people)
        return Question(key, app_id, ask)


def covered_app(app_id: object, reader: Reader) -> str:
    """The app that is meant: the one named, else the only one. Raises InvalidParameter or UnknownApp."""
    if app_id is None:
        if len(reader.app_ids) != 1:
            rule = f"One of: {', '.join(reader.app_ids)}."
            raise InvalidParameter("app_id", "The key covers several apps: app_id says which.", rule)
        return reader.app_ids[0]
    if not isinstance(app_id, str):
        raise InvalidParameter("app_id", "app_id is not a text.", "The id of an app.")
    if app_id not in reader.app_ids:
        raise UnknownApp(app_id)
    return app_id


def _plain(answer: Answer) -> Snapshot:
    return Snapshot(messages.encode(answer), _content(answer, is_moving=False), answer.meta)


def _content(answer: Answer | QueryAnswer, *, is_moving: bool) -> Any:
    """What makes an answer another one: its numbers and what they rest on; instants move on all the time."""
    meta = answer.meta
    covered = None if is_moving else meta.range
    return answer.data, meta.late_pending, meta.definition_version, meta.exact, covered


def _summarised(answer: LiveAnswer) -> Any:
    counters = {name: value for name, value in answer.data["counters"].items() if name not in _INSTANTS}
    return {**answer.data, "counters": counters}, answer.meta.is_rebuilt
