"""Ids of visitors without cookies."""

from datetime import date

import psycopg
import pytest

from eventmill.errors import NotReadyError
from ingest_service.gateway.visitors import Visitors

TODAY, TOMORROW = date(2026, 3, 1), date(2026, 3, 2)


class Salts:
    def __init__(self) -> None:
        self.is_up = True
        self.loads = 0

    async def __call__(self, day: date) -> bytes:
        self.loads += 1
        if not self.is_up:
            raise psycopg.OperationalError("down")
        return day.isoformat().encode()


async def test_an_id_holds_for_the_day_the_app_the_address_and_the_agent() -> None:
    visitors = Visitors(Salts())
    await visitors.renew(TODAY)
    first = visitors.id_of("shop", "192.0.2.1", "Firefox")
    assert first == visitors.id_of("shop", "192.0.2.1", "Firefox")
    others = [("blog", "192.0.2.1", "Firefox"), ("shop", "192.0.2.2", "Firefox"), ("shop", "192.0.2.1", "Chrome")]
    assert first not in [visitors.id_of(*other) for other in others]
    await visitors.renew(TOMORROW)
    assert first != visitors.id_of("shop", "192.0.2.1", "Firefox")


async def test_a_salt_is_loaded_once_a_day() -> None:
    salts = Salts()
    visitors = Visitors(salts)
    for day in (TODAY, TODAY, TOMORROW):
        await visitors.renew(day)
    assert salts.loads == 2


async def test_yesterdays_salt_serves_while_there_is_no_new_one() -> None:
    salts = Salts()
    visitors = Visitors(salts)
    await visitors.renew(TODAY)
    before = visitors.id_of("shop", "192.0.2.1", "Firefox")
    salts.is_up = False
    await visitors.renew(TOMORROW)
    assert visitors.id_of("shop", "192.0.2.1", "Firefox") == before


async def test_without_any_salt_nobody_can_tell() -> None:
    salts = Salts()
    salts.is_up = False
    visitors = Visitors(salts)
    await visitors.renew(TODAY)
    with pytest.raises(NotReadyError):
        visitors.id_of("shop", "192.0.2.1", "Firefox")
