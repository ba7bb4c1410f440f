"""Who uses the synthetic site: people with a country, devices and habits, a few of them far more active."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

Choice = TypeVar("Choice")

# Shares roughly as public browser and country statistics give them for a shop in several countries.
COUNTRIES = {"US": 34, "DE": 12, "GB": 10, "IN": 9, "FR": 8, "BR": 6, "CA": 5, "JP": 4, "AU": 4, "NL": 3, "NP": 1}
DESKTOPS = {
    ("desktop", "Windows", "Chrome"): 44,
    ("desktop", "Mac OS X", "Chrome"): 14,
    ("desktop", "Mac OS X", "Safari"): 12,
    ("desktop", "Windows", "Edge"): 12,
    ("desktop", "Windows", "Firefox"): 6,
    ("desktop", "Linux", "Firefox"): 4,
}
PHONES = {
    ("mobile", "iOS", "Mobile Safari"): 44,
    ("mobile", "Android", "Chrome Mobile"): 40,
    ("mobile", "Android", "Samsung Internet"): 7,
    ("tablet", "iOS", "Mobile Safari"): 6,
    ("tablet", "Android", "Chrome"): 3,
}
APP_VERSIONS = {"5.2.1": 55, "5.2.0": 22, "5.1.4": 14, "4.9.8": 9}
PHONE_SHARE = 0.55
MEMBER_SHARE = 0.3
# A power of a uniform number: the busiest tenth of the people makes about half of the visits.
HEAVY_TAIL = 3.2


@dataclass(frozen=True, slots=True)
class Person:
    """A visitor. `user_id` is theirs from the start (`is_member`) or once they sign up."""

    rank: int
    anonymous_id: str
    user_id: str
    is_member: bool
    country: str
    device: tuple[str, str, str]
    phone: tuple[str, str, str]
    app_version: str


class Population:
    """`size` people, each always the same for the same seed."""

    def __init__(self, seed: int, size: int) -> None:
        self._seed = seed
        self._size = size
        self._person = lru_cache(maxsize=65_536)(self._make)

    def pick(self, rng: random.Random) -> Person:
        """Somebody who starts a session now."""
        return self._person(int(self._size * rng.random() ** HEAVY_TAIL))

    def _make(self, rank: int) -> Person:
        rng = random.Random(f"{self._seed}/person/{rank}")  # noqa: S311 - test data, not secrets
        phone = choose(rng, PHONES)
        return Person(
            rank=rank,
            anonymous_id=f"anon-{rng.getrandbits(64):016x}",
            user_id=f"user-{self._seed}-{rank}",
            is_member=rng.random() < MEMBER_SHARE,
            country=choose(rng, COUNTRIES),
            device=phone if rng.random() < PHONE_SHARE else choose(rng, DESKTOPS),
            phone=phone,
            app_version=choose(rng, APP_VERSIONS),
        )


def choose(rng: random.Random, weights: Mapping[Choice, int]) -> Choice:
    """One of the keys, as often as its weight says."""
    return rng.choices(list(weights), list(weights.values()))[0]
