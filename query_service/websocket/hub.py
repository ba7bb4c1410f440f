"""Which questions are followed, by how many: a topic for each, and a bounded number of connections."""

import contextlib
from collections.abc import Callable, Hashable, Iterator
from typing import Protocol

from query_service.websocket.messages import GOING_AWAY, TRY_AGAIN_LATER, Refusal
from query_service.websocket.topic import Follower, Question, Topic

MAX_CLIENTS = 1_000


class Counted(Protocol):
    """A counter."""

    def inc(self) -> None:
        """Add one."""
        ...


class Hub:
    """Topics by the key of their question."""

    def __init__(self, max_clients: int = MAX_CLIENTS) -> None:
        self._max_clients = max_clients
        self._topics: dict[Hashable, Topic] = {}
        self._connections: set[Callable[[Refusal], None]] = set()
        self._is_closed = False
        # Counts connections that ended because their client took nothing.
        self.dropped: Counted | None = None

    @property
    def clients(self) -> int:
        """Connections that are open."""
        return len(self._connections)

    @property
    def subscriptions(self) -> int:
        """Subscriptions of all connections."""
        return sum(len(topic.followers) for topic in self._topics.values())

    @property
    def topics(self) -> int:
        """Questions that are followed."""
        return len(self._topics)

    @contextlib.contextmanager
    def place(self, end: Callable[[Refusal], None]) -> Iterator[None]:
        """Hold one of the places for clients, from before they have said who they are; `end` ends the connection.

        Raises Refusal 1013 where all are taken.
        """
        if self._is_closed:
            raise Refusal(GOING_AWAY, "The service stops.")
        if len(self._connections) >= self._max_clients:
            raise Refusal(TRY_AGAIN_LATER, f"All {self._max_clients:,} places are taken.")
        self._connections.add(end)
        try:
            yield
        finally:
            self._connections.discard(end)

    def follow(self, question: Question, follower: Follower) -> Callable[[], None]:
        """Show a question's answers to a follower, until what is returned is called."""
        topic = self._topics.get(question.key)
        if topic is None:
            topic = self._topics[question.key] = Topic(question, self._forget)
            topic.join(follower)
            topic.start()
        else:
            topic.join(follower)

        def leave() -> None:
            topic.followers.discard(follower)
            if not topic.followers:
                self._forget(topic)
                topic.stop()

        return leave

    def note_dropped(self) -> None:
        """A connection ended because its client took nothing."""
        if self.dropped is not None:
            self.dropped.inc()

    def note_events(self, app_id: str) -> None:
        """An app has new events."""
        self._touch(app_id, is_live=True)

    def note_update(self, app_id: str) -> None:
        """An app's aggregates have changed."""
        self._touch(app_id, is_live=False)

    def close(self) -> None:
        """End all connections."""
        self._is_closed = True
        for end in list(self._connections):
            end(Refusal(GOING_AWAY, "The service stops."))
        for topic in list(self._topics.values()):
            topic.stop()
        self._topics.clear()

    def _touch(self, app_id: str, *, is_live: bool) -> None:
        for topic in self._topics.values():
            if topic.question.app_id == app_id and topic.is_live == is_live:
                topic.touch()

    def _forget(self, topic: Topic) -> None:
        if self._topics.get(topic.question.key) is topic:
            del self._topics[topic.question.key]
