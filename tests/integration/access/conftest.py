"""One query service for all tests of this folder: it takes an issuer's tokens, and has three days of a shop."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import psycopg
import pytest

from eventmill.control import backfills
from eventmill.control.web_sessions import revoke_subject
from eventmill.settings import Settings
from tests import oidc_issuer
from tests.oidc_issuer import AUDIENCE, CLIENT, CLIENT_SECRET, running_issuer
from tests.shop_service import Service, fill, make_apps

Send = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def issuer() -> Iterator[oidc_issuer.Issuer]:
    """An issuer whose tokens the service takes; a test that changes it changes it back."""
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def service(
    session_rollups: Any, start_lasting_query_service: Callable[..., Settings], issuer: oidc_issuer.Issuer
) -> Service:
    """The service, and keys for it; the shop has a backfill and a day that was restated.

    What a test makes of the shop stays for those after it.
    """
    keys = make_apps(session_rollups.address)
    fill(session_rollups)
    for hour in range(3):
        restated = {"app_id": "shop", "table_name": "metric", "grain": "hour", "metric": "events", "rows_changed": 1}
        restated |= {"period_start": datetime(2026, 3, 8, 12 + hour, tzinfo=UTC), "local_date": date(2026, 3, 8)}
        restated |= {"value_before": 1, "value_after": 2, "cause": "late_events"}
        session_rollups.insert("rollups.restatement", restated | {"restated_at": datetime(2026, 3, 9, tzinfo=UTC)})
    with psycopg.connect(session_rollups.address) as connection:
        for app_id in ("shop", "rival"):
            backfills.begin(connection, [app_id], date(2026, 3, 7), date(2026, 3, 8))
        revoke_subject(connection, "mallory")
    own = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "oidc_client_id": CLIENT}
    own |= {"oidc_client_secret": CLIENT_SECRET, "query_requests_per_second": "500"}
    settings = start_lasting_query_service(session_rollups.address, **own)
    return Service(f"http://127.0.0.1:{settings.http_port}", settings, keys)


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[httpx.Client]:
    """Keeps no cookies and its connections: making a client for each request takes most of a test's time."""
    with httpx.Client(base_url=service.url) as client:
        yield client


@pytest.fixture(scope="session")
def send(service: Service, client: httpx.Client) -> Send:
    """Asks the service with a key, the shop's admin key unless told otherwise."""

    def send(method: str, path: str, key: str = "admin", **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {service.keys.get(key, key)}"} | request.pop("headers", {})
        return client.request(method, path, headers=headers, **request)

    return send
