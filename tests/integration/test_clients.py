"""The JavaScript and the Python client against a real query service, which stops and starts again under them."""

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, sync_playwright

from eventmill.control.apps import create_app
from eventmill.embedded.nats import NatsServer
from eventmill.settings import Settings
from eventmill_client import Client, LiveRefusedError, ProblemError, Update
from tests.browser import find
from tests.streams import make_stream
from tests.workers import free_ports

pytestmark = pytest.mark.integration

JS = Path(__file__).resolve().parents[2] / "clients" / "js" / "eventmill.js"


class Service:
    """A query service that can be stopped and started on the same port."""

    def __init__(self, settings: Settings) -> None:
        self.url = f"http://127.0.0.1:{settings.http_port}"
        variables = {
            "HOME": str(settings.home),
            "DATABASE_URL": str(settings.database_url),
            "NATS_URL": str(settings.nats_url),
            "HTTP_PORT": str(settings.http_port),
        }
        self._environment = {**os.environ, **{f"EVENTMILL_{name}": value for name, value in variables.items()}}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return once it is ready."""
        self._process = subprocess.Popen([sys.executable, "-m", "query_service"], env=self._environment)
        for _ in range(300):
            try:
                if httpx.get(f"{self.url}/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass  # not listening yet
            time.sleep(0.1)
        raise AssertionError("the query service did not become ready")

    def stop(self) -> None:
        """End it as a supervisor does; open connections must not hold it up."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(30) == 0
            self._process = None


@pytest.fixture(scope="module")
def keys(module_rollups: Any) -> dict[str, str]:
    """The keys of the app `shop`, which has 3 events today."""
    with psycopg.connect(module_rollups.address) as connection:
        _, shop = create_app(connection, "Shop", app_id="shop")
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for traffic in ("all", "human"):
        place = {"local_date": start.date(), "period_start": start, "utc_offset_minutes": 0}
        module_rollups.metric(traffic, "total", None, events=3, **place)
    return {"read": shop.read_key, "write": shop.write_key}


@pytest.fixture(scope="module")
def service(
    module_rollups: Any, keys: dict[str, str], new_directory: Callable[[], Path], nats_server: NatsServer
) -> Iterator[Service]:
    (port,) = free_ports(1)
    nats_url = f"nats://127.0.0.1:{nats_server.port}"
    settings = Settings(home=new_directory(), database_url=module_rollups.address, nats_url=nats_url, http_port=port)
    make_stream(settings)
    service = Service(settings)
    service.start()
    yield service
    service.stop()


@pytest.fixture
def page(service: Service) -> Iterator[Page]:
    """A page of the query service's own origin with the client in `client`, as a front end of one's own would be."""
    path = find()
    assert path is not None, "no Chromium here: run `make test`, or python tests/browser.py"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.route("**/eventmill.js", lambda route: route.fulfill(path=JS, content_type="text/javascript"))
        # Any document of that origin which brings no policy.
        page.goto(f"{service.url}/health/live")
        page.evaluate("async () => { window.client = await import('/eventmill.js'); }")
        yield page
        browser.close()


def test_the_python_client_asks_and_names_what_was_wrong(service: Service, keys: dict[str, str]) -> None:
    with Client(service.url, keys["read"], "shop") as client:
        answer = client.query("metrics/daily", source=None)
        assert [row["events"] for row in answer.data] == [3]
        assert answer.meta["exact"] is True
        assert client.query({"metrics": ["events"], "date_range": "today"}).data == [{"events": 3}]
        with pytest.raises(ProblemError) as refused:
            client.query("/api/metrics/daily", limit=0)
    problem = refused.value
    assert (problem.status, problem.field) == (400, "limit")
    assert problem.rule is not None
    assert "from 1 to" in problem.rule


def test_the_python_client_follows_numbers_through_a_restart(service: Service, keys: dict[str, str]) -> None:
    updates: queue.Queue[Update] = queue.Queue()
    following = Client(service.url, keys["read"]).live()

    def follow() -> None:
        seen = 0
        for update in following:
            updates.put(update)
            seen += update.data is not None and not update.is_stale
            if seen == 2:
                return

    thread = threading.Thread(target=follow)
    thread.start()
    first = updates.get(timeout=20)
    assert first.data is not None
    assert (first.is_stale, first.data[0]["events"]) == (False, 3)
    service.stop()
    assert updates.get(timeout=20) == Update(first.data, first.meta, is_stale=True)
    service.start()
    again = updates.get(timeout=20)
    assert (again.is_stale, again.data) == (False, first.data)
    thread.join(20)
    following.close()


def test_the_python_client_follows_several_questions_over_one_connection(
    service: Service, keys: dict[str, str]
) -> None:
    asked = {"now": {"window": "10m"}, "today": {"query": {"metrics": ["events"], "date_range": "today"}}}
    following = Client(service.url, keys["read"], "shop").follow(asked)
    found = dict(next(following) for _ in range(2))
    following.close()
    assert found["today"].data == [{"events": 3}]
    assert (found["now"].data["total_views"], found["now"].meta["source"]) == (0, "live")


def test_the_python_client_raises_where_a_followed_question_is_refused(service: Service, keys: dict[str, str]) -> None:
    following = Client(service.url, keys["read"], "shop").follow({"a": {"query": {"metrics": ["nonsense"]}}})
    with pytest.raises(ProblemError) as refused:
        next(following)
    assert refused.value.field == "metrics[0]"


def test_the_python_client_ends_where_trying_again_is_useless(service: Service, keys: dict[str, str]) -> None:
    with pytest.raises(LiveRefusedError) as refused:
        next(Client(service.url, keys["write"]).live())
    assert refused.value.code == 4403


def test_the_javascript_client_asks_and_names_what_was_wrong(
    page: Page, service: Service, keys: dict[str, str]
) -> None:
    found = page.evaluate(
        """async ([url, key]) => {
            const eventmill = new client.Eventmill({url, key, appId: 'shop'});
            const {data, meta} = await eventmill.query('metrics/daily', {source: undefined});
            const error = await eventmill.query('metrics/daily', {limit: 0}).catch(error => error);
            return {events: data[0].events, exact: meta.exact, isProblem: error instanceof client.ProblemError,
                status: error.status, field: error.field,
                asked: (await eventmill.query({metrics: ['events'], date_range: 'today'})).data};
        }""",
        [service.url, keys["read"]],
    )
    assert found == {
        "events": 3,
        "exact": True,
        "isProblem": True,
        "status": 400,
        "field": "limit",
        "asked": [{"events": 3}],
    }


def test_the_javascript_client_follows_numbers_through_a_restart(
    page: Page, service: Service, keys: dict[str, str]
) -> None:
    page.evaluate(
        """([url, key]) => {
            window.updates = [];
            window.endIt = new client.Eventmill({url, key}).live(update => updates.push(update));
        }""",
        [service.url, keys["read"]],
    )
    page.wait_for_function("updates.length === 1")
    service.stop()
    page.wait_for_function("updates.length === 2")
    service.start()
    page.wait_for_function("updates.length === 3")
    page.evaluate("endIt()")
    seen = page.evaluate("updates.map(update => [update.isStale, update.data[0].events, update.error])")
    assert seen == [[False, 3, None], [True, 3, None], [False, 3, None]]


def test_the_javascript_client_follows_several_questions_and_changes_one(
    page: Page, service: Service, keys: dict[str, str]
) -> None:
    page.evaluate(
        """([url, key]) => {
            const eventmill = new client.Eventmill({url, key, appId: 'shop'});
            const follow = (name, asked) => eventmill.live(asked, update => (updates[name] = update));
            window.updates = {};
            window.today = follow('today', {query: {metrics: ['events'], date_range: 'today'}});
            follow('now', {window: '5m'});
            follow('bad', {query: {metrics: ['nonsense']}});
        }""",
        [service.url, keys["read"]],
    )
    page.wait_for_function("updates.today && updates.now && updates.bad")
    assert page.evaluate("[updates.today.data, updates.now.data.total_views, updates.bad.error.field]") == [
        [{"events": 3}],
        0,
        "metrics[0]",
    ]
    page.evaluate("today.change({query: {metrics: ['page_views'], date_range: 'today'}})")
    page.wait_for_function("'page_views' in updates.today.data[0]")
    page.evaluate("today(); updates = {}")


def test_the_javascript_client_ends_where_trying_again_is_useless(page: Page, service: Service) -> None:
    page.evaluate(
        """url => {
            window.updates = [];
            new client.Eventmill({url, key: 'em_r_nonsense'}).live(update => updates.push(update));
        }""",
        service.url,
    )
    page.wait_for_function("updates.length === 1")
    assert page.evaluate("[updates[0].isStale, updates[0].error.code, updates[0].error.message]") == [
        True,
        4401,
        "The key is unknown, expired or revoked.",
    ]


def test_the_javascript_client_runs_in_node(service: Service, keys: dict[str, str]) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node here")
    program = """const {Eventmill} = await import(process.argv[1]);
        const [, , url, key] = process.argv;
        console.log((await new Eventmill({url, key}).query('metrics/today')).data[0].events);"""
    command = [node, "--input-type=module", "--eval", program, JS.as_uri(), service.url, keys["read"]]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "3"


def test_the_javascript_client_says_that_live_needs_a_websocket(page: Page) -> None:
    said = page.evaluate(
        """() => {
            const without = new client.Eventmill({url: location.origin, key: 'em_r_x', WebSocket: null});
            try { without.live(() => {}); } catch (error) { return error.message; }
        }"""
    )
    assert said.startswith("This runtime has no WebSocket")
