"""News reach a webhook once, whatever happens on the way."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import psycopg
import pytest

from analytics_pipeline import webhooks
from analytics_pipeline.stores import incidents
from analytics_pipeline.stores.incidents import Finding
from eventmill.control.webhooks import Webhook, create_webhook
from eventmill.settings import Settings
from tests.lake_of import NOW, Clock

pytestmark = pytest.mark.integration
KEY = ("shop", "events are low")


@dataclass
class Receiver:
    """An HTTP server that answers with `answers` in order, then 200, and keeps what it took."""

    answers: list[int] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(content) for _, content in self.requests]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            status = found.answers.pop(0) if found.answers else 200
            found.requests.append(({name.lower(): value for name, value in self.headers.items()}, content))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/services/T0/token"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hook(connection: psycopg.Connection, receiver: Receiver) -> Webhook:
    return create_webhook(connection, receiver.url, app_id="shop", is_signed=True)


def fire(connection: psycopg.Connection, **finding: Any) -> None:
    incidents.settle(connection, "alert", {KEY: Finding("shop: <b>low</b> & slow", ["events < 10"], **finding)}, NOW)


def pending(connection: psycopg.Connection) -> int:
    row = connection.execute("select count(*) from control.delivery where next_attempt_at is not null").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.usefixtures("hook")
def test_a_receiver_that_fails_twice_gets_each_news_once(
    settings: Settings, connection: psycopg.Connection, receiver: Receiver, clock: Clock
) -> None:
    receiver.answers = [500, 503]
    fire(connection)
    assert webhooks.deliver(settings, clock).postponed == 1
    assert webhooks.deliver(settings, clock) == webhooks.Sent()  # not due yet
    clock.now += timedelta(seconds=10)
    assert webhooks.deliver(settings, clock).postponed == 1
    clock.now += timedelta(seconds=20)
    assert webhooks.deliver(settings, clock).delivered == 1
    clock.now += timedelta(days=1)
    assert webhooks.deliver(settings, clock) == webhooks.Sent()
    ids = {headers["webhook-id"] for headers, _ in receiver.requests}
    assert (len(receiver.requests), len(ids)) == (3, 1)


@pytest.mark.usefixtures("hook")
def test_an_incident_is_told_once_when_it_opens_and_once_when_it_ends(
    settings: Settings, connection: psycopg.Connection, receiver: Receiver, clock: Clock
) -> None:
    for _ in range(3):
        fire(connection)
        webhooks.deliver(settings, clock)
    for _ in range(3):
        incidents.settle(connection, "alert", {}, NOW)
        webhooks.deliver(settings, clock)
    assert [body["eventmill"]["state"] for body in receiver.bodies] == ["opened", "resolved"]


@pytest.mark.usefixtures("hook")
def test_the_body_is_one_that_slack_shows_and_no_name_can_mention_anyone(
    settings: Settings, connection: psycopg.Connection, receiver: Receiver, clock: Clock
) -> None:
    fire(connection, details={"value": 7})
    webhooks.deliver(settings, clock)
    (body,) = receiver.bodies
    assert body["text"] == "🔴 shop: &lt;b&gt;low&lt;/b&gt; &amp; slow"
    assert body["blocks"][0] == {
        "type": "section",
        "text": {"type": "mrkdwn", "text": f"*{body['text']}*\n• events &lt; 10"},
    }
    assert (body["eventmill"]["app_id"], body["eventmill"]["details"]["value"]) == ("shop", 7)


def test_a_receiver_can_verify_the_signature(
    settings: Settings, connection: psycopg.Connection, receiver: Receiver, clock: Clock, hook: Webhook
) -> None:
    fire(connection)
    webhooks.deliver(settings, clock)
    ((headers, content),) = receiver.requests
    key = base64.b64decode(str(hook.secret).removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.usefixtures("hook")
def test_what_was_not_sent_before_a_crash_is_sent_after_it(
    settings: Settings,
    connection: psycopg.Connection,
    receiver: Receiver,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fire(connection)
    monkeypatch.setattr(webhooks, "_note", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        webhooks.deliver(settings, clock)
    monkeypatch.undo()
    assert webhooks.deliver(settings, clock).delivered == 1
    # The receiver had it already, and can tell: it is the same delivery.
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize("status", [400, 410])
def test_a_body_that_will_never_be_taken_is_given_up_and_does_not_hold_up_the_next(
    status: int, settings: Settings, connection: psycopg.Connection, receiver: Receiver, clock: Clock
) -> None:
    receiver.answers = [status]
    fire(connection)
    assert webhooks.deliver(settings, clock).failed == 1
    incidents.settle(connection, "alert", {}, NOW)
    assert webhooks.deliver(settings, clock).delivered == 1
    assert connection.execute("select last_error from control.delivery where failed_at is not null").fetchall() == [
        (f"answered {status}",)
    ]


@pytest.mark.usefixtures("hook")
def test_after_a_day_it_is_given_up(
    settings: Settings, connection: psycopg.Connection, receiver: Receiver, clock: Clock
) -> None:
    receiver.answers = [302, 302]
    fire(connection)
    assert webhooks.deliver(settings, clock).postponed == 1
    clock.now += timedelta(days=1)
    assert webhooks.deliver(settings, clock).failed == 1
    assert pending(connection) == 0


def test_a_webhook_that_is_down_does_not_hold_up_another(
    settings: Settings, connection: psycopg.Connection, receiver: Receiver, clock: Clock
) -> None:
    create_webhook(connection, "http://127.0.0.1:1/nobody", app_id="shop")
    create_webhook(connection, receiver.url)
    fire(connection)
    assert webhooks.deliver(settings, clock) == webhooks.Sent(delivered=1, postponed=1)


def test_no_address_is_written_to_the_log(
    settings: Settings, connection: psycopg.Connection, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    create_webhook(connection, "http://127.0.0.1:1/services/T0/token", app_id="shop", is_signed=True)
    fire(connection)
    webhooks.deliver(settings, clock)
    assert "did not take" in caplog.text
    assert "token" not in caplog.text + str(connection.execute("select last_error from control.delivery").fetchall())


@pytest.mark.usefixtures("hook")
def test_private_addresses_are_refused_where_the_operator_says_so(
    settings: Settings, connection: psycopg.Connection, receiver: Receiver, clock: Clock
) -> None:
    fire(connection)
    strict = settings.model_copy(update={"webhook_private_addresses": False})
    assert webhooks.deliver(strict, clock).postponed == 1
    assert receiver.requests == []


def test_news_go_to_the_webhooks_of_their_app_that_take_their_kind(
    settings: Settings, connection: psycopg.Connection, receiver: Receiver, clock: Clock
) -> None:
    create_webhook(connection, receiver.url, app_id="peak")
    create_webhook(connection, receiver.url, app_id="shop", kinds=["silence"])
    fire(connection)
    assert pending(connection) == 0
    named = create_webhook(connection, receiver.url, app_id="peak", kinds=[])
    incidents.announce(connection, "alert", ("shop", "x"), Finding("x", webhook_id=named.webhook_id), NOW)
    webhooks.deliver(settings, clock)
    assert [body["eventmill"]["title"] for body in receiver.bodies] == ["x"]
