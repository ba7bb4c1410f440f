"""Whoever asks whichever way gets the same cells: fifty questions over five transports."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest

from eventmill import stream
from eventmill.control import flight_access
from eventmill.settings import Settings
from tests.flight_service import serving
from tests.integration.conformance import questions, questions_of_values, site
from tests.integration.conformance.asking import Services
from tests.integration.conformance.words import TRANSPORTS, Question
from tests.integration.conftest import Rollups

pytestmark = pytest.mark.integration
QUESTIONS: tuple[Question, ...] = (
    *questions.NOW,  # first: what happened five minutes ago is forgotten
    *questions.BY_DAY,
    *questions.OTHER_PERIODS,
    *questions.TOTALS,
    *questions_of_values.BY_VALUE,
    *questions_of_values.FILTERED,
    *questions_of_values.OVER_TIME,
)


@pytest.fixture(scope="module")
def services(
    module_rollups: Rollups, start_query_service: Callable[..., Settings], new_directory: Callable[[], object]
) -> Iterator[Services]:
    home = str(new_directory())
    keys = site.build(Settings(home=home, database_url=module_rollups.address, demo=False))
    settings = start_query_service(module_rollups.address, lake_url=f"{home}/lake")
    with psycopg.connect(module_rollups.address) as connection:
        flight_access.prepare(connection)
    with (
        serving(settings, keys) as flight,
        httpx.Client(base_url=f"http://127.0.0.1:{settings.http_port}", timeout=60) as http,
    ):
        found = Services(http, flight, module_rollups.address, keys)
        asyncio.run(_happen_now(settings))
        _wait_for_now(found)
        yield found


async def _happen_now(settings: Settings) -> None:
    client = await stream.connect(settings, "test")
    for number in range(5):
        one = {"event_id": f"now-{number}", "event_type": "click", "anonymous_id": f"a{number % 3}"}
        await client.jetstream().publish("events.york", json.dumps(one).encode())
    await client.close()


def _wait_for_now(services: Services) -> None:
    asked = {"metrics": ["events"], "date_range": "5m"}
    for _ in range(200):
        if services.post("york", "/api/v2/query", asked)["data"] == [{"events": 5}]:
            return
        time.sleep(0.1)
    raise AssertionError("the live window has not got the events")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_every_transport_gives_the_same_cells(services: Services, question: Question) -> None:
    answers = list(services.answers(question))
    first, expected = answers[0]
    assert bool(expected) != question.is_empty, (first, expected)
    assert {*question.shows} <= {cell for row in expected for cell in row}
    for way, found in answers[1:]:
        assert found == expected, f"{way} beside {first}"


def test_there_are_fifty_questions_and_each_names_the_transports_that_have_no_words_for_it() -> None:
    assert len({question.name for question in QUESTIONS}) == 50
    for question in QUESTIONS:
        said = {transport for way in question.ways for transport in way.transports}
        assert said | set(question.lacks) == set(TRANSPORTS), question.name
        assert not said & set(question.lacks), question.name
