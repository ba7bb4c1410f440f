"""The sensors that look and send, as Dagster calls them."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg
import pytest

from analytics_pipeline import anomalies
from analytics_pipeline.defs.watch import assets, checks, jobs, sensors
from eventmill.control.alerts import create_alert
from eventmill.settings import Settings

pytestmark = pytest.mark.integration
KEY = dg.AssetKey(["rollups", "daily_metric"])


@pytest.fixture
def definitions() -> dg.Definitions:
    @dg.asset_check(asset=KEY, name="sound")
    def sound() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    return dg.Definitions(assets=[dg.AssetSpec(KEY), assets.HOURLY_ANOMALY], asset_checks=[sound])


def test_a_look_keeps_the_checks_results_and_says_something_only_when_it_changed(
    settings: Settings, connection: psycopg.Connection, definitions: dg.Definitions
) -> None:
    watch, _ = sensors.sensors(settings)
    connection.execute("insert into rollups.lake_progress (lake_version, complete_through) values (1, now())")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetCheckEvaluation(asset_key=KEY, check_name="sound", passed=False))

        def look(cursor: str | None) -> dg.SensorResult | dg.SkipReason:
            found = watch(dg.build_sensor_context(instance=instance, cursor=cursor, definitions=definitions))
            assert isinstance(found, dg.SensorResult | dg.SkipReason)
            return found

        first = look(None)
        assert isinstance(first, dg.SensorResult)
        assert [type(one).__name__ for one in first.asset_events] == [
            "AssetMaterialization",
            "AssetMaterialization",
            "AssetCheckEvaluation",
        ]
        assert isinstance(look(first.cursor), dg.SkipReason)
        connection.execute(
            "insert into rollups.hourly_anomaly values ('shop', 'events', %s, now(), 13, 0, 5, 100, -95, 100, 10, 4,"
            " false, true, now())",
            [datetime.now(UTC) - timedelta(hours=1)],
        )
        again = look(first.cursor)
        assert isinstance(again, dg.SensorResult)
        assert [one.passed for one in again.asset_events if isinstance(one, dg.AssetCheckEvaluation)] == [False]
    assert connection.execute("select check_name, has_passed from rollups.check_result").fetchall() == [
        ("sound", False)
    ]
    assert connection.execute("select title from control.incident where kind = 'check'").fetchall() == [
        ("Check sound of rollups/daily_metric fails",)
    ]


def test_one_thing_that_cannot_be_looked_at_keeps_none_of_the_others_from_it(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = {"metric": "events", "dimension": "total", "value": None, "comparison": "below", "threshold": 1}
    rule |= {"period": "hour", "for_minutes": 0, "takes_incomplete": False}
    create_alert(connection, "shop", "few", **rule)
    now = datetime.now(UTC)
    connection.execute("insert into rollups.lake_progress (lake_version, complete_through) values (1, %s)", [now])
    monkeypatch.setattr(anomalies, "update", lambda *_: 1 / 0)
    with psycopg.connect(str(settings.database_url)) as own, pytest.raises(ExceptionGroup) as errors:
        sensors.look(own, now, list)
    assert [type(error) for error in errors.value.exceptions] == [ZeroDivisionError]
    assert connection.execute("select kind from control.incident").fetchall() == [("alert",)]


def test_old_news_are_forgotten(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTMILL_HOME", str(settings.home))
    monkeypatch.setenv("EVENTMILL_DATABASE_URL", str(settings.database_url))
    connection.execute("insert into control.webhook (url, kinds) values ('https://example.com', '{}')")
    connection.execute(
        "insert into control.delivery (webhook_id, body, created_at, delivered_at)"
        " select webhook_id, '{}', now() - make_interval(days => age), now() from control.webhook,"
        " unnest(array[29, 31]) as age"
    )
    jobs.old_news.execute_in_process()
    assert connection.execute("select count(*) from control.delivery").fetchone() == (1,)


def test_every_check_that_is_scheduled_exists() -> None:
    assert {key for one in checks.checks() for key in one.check_keys} == set(checks.keys())
