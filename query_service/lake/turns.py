"""Whose question is next: apps take turns, and within an app the first to come is the first served."""

from collections import deque
from typing import Generic, TypeVar

from query_service.lake.errors import LakeBusy

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """A bounded queue of items by app, handed out round robin."""

    def __init__(self, most: int, most_of_app: int) -> None:
        self._most, self._most_of_app = most, most_of_app
        self._waiting: dict[str, deque[Item]] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, app_id: str, item: Item) -> None:
        """Append an item. Raises LakeBusy where the queue, or the app's part of it, is full."""
        own = self._waiting.get(app_id, ())
        if self._length >= self._most or len(own) >= self._most_of_app:
            raise LakeBusy
        self._waiting.setdefault(app_id, deque()).append(item)
        self._length += 1

    def take(self) -> Item:
        """The next item; its app goes to the end of the line. Raises LookupError where there is none."""
        app_id = next(iter(self._waiting), None)
        if app_id is None:
            raise LookupError("nobody waits")
        own = self._waiting.pop(app_id)
        item = own.popleft()
        if own:
            self._waiting[app_id] = own
        self._length -= 1
        return item

    def drop(self, app_id: str, item: Item) -> bool:
        """Take out an item that nobody waits for any more; false where it is not here."""
        own = self._waiting.get(app_id)
        if own is None or item not in own:
            return False
        own.remove(item)
        self._length -= 1
        if not own:
            del self._waiting[app_id]
        return True
