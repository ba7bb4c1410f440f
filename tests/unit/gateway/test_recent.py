"""Ids seen lately."""

from ingest_service.gateway.recent import RecentIds


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_id_is_known_in_its_own_app_only() -> None:
    recent = RecentIds()
    recent.add([("shop", "e")])
    assert recent.known([("shop", "e")]) == [True]
    assert recent.known([("blog", "e")]) == [False]


def test_an_id_is_forgotten_after_ten_minutes() -> None:
    clock = Clock()
    recent = RecentIds(clock=clock)
    recent.add([("shop", "e")])
    clock.now = 599.0
    assert recent.known([("shop", "e")]) == [True]
    clock.now = 600.0
    assert recent.known([("shop", "e")]) == [False]


def test_the_oldest_ids_make_room() -> None:
    recent = RecentIds(max_ids=2)
    recent.add([("shop", "1"), ("shop", "2"), ("shop", "3")])
    assert recent.known([("shop", each) for each in "123"]) == [False, True, True]
