"""Apps and keys on a real PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from eventmill.contracts.decode import AppRules
from eventmill.control import apps, reconciliation
from eventmill.control.credentials import authenticate, issue_key
from eventmill.control.rules import app_rules
from eventmill.errors import EventmillError

pytestmark = pytest.mark.integration


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database) as connection:
        yield connection


def test_an_app_gets_an_id_made_of_its_name(connection: psycopg.Connection) -> None:
    app, _ = apps.create_app(connection, "Müller's Shop!")
    assert app.app_id == "muller-s-shop"
    assert (app.org_id, app.time_zone, app.week_start, app.retention_days) == ("default", "UTC", 1, 90)


def test_a_second_app_of_the_same_name_gets_an_id_of_its_own(connection: psycopg.Connection) -> None:
    ids = [apps.create_app(connection, "Shop")[0].app_id for _ in range(3)]
    assert ids == ["shop", "shop-2", "shop-3"]


def test_an_id_that_is_taken_is_refused(connection: psycopg.Connection) -> None:
    apps.create_app(connection, "Shop", app_id="shop")
    with pytest.raises(EventmillError, match="exists already"):
        apps.create_app(connection, "Other", app_id="shop")


@pytest.mark.parametrize(
    ("field", "value"),
    [("time_zone", "Mars/Olympus"), ("week_start", 8), ("retention_days", -1), ("app_id", "App Id")],
)
def test_a_value_that_breaks_a_rule_is_refused(connection: psycopg.Connection, field: str, value: object) -> None:
    with pytest.raises(EventmillError, match=str(value) if field == "app_id" else field):
        apps.create_app(connection, "Shop", **{field: value})  # type: ignore[arg-type]


def test_each_key_of_a_new_app_opens_what_its_kind_says(connection: psycopg.Connection) -> None:
    app, keys = apps.create_app(connection, "Shop", retention_days=7)
    for kind, key in [("write", keys.write_key), ("read", keys.read_key), ("admin", keys.admin_key)]:
        credential = authenticate(connection, key)
        assert credential is not None
        assert (credential.kind, credential.org_id) == (kind, "default")
        assert credential.apps == {app.app_id: AppRules(app.app_id, 7)}


def test_a_key_with_one_other_letter_opens_nothing(connection: psycopg.Connection) -> None:
    _, keys = apps.create_app(connection, "Shop")
    last = "A" if keys.write_key[-1] != "A" else "B"
    assert authenticate(connection, keys.write_key[:-1] + last) is None


def test_the_secret_is_not_in_the_database(connection: psycopg.Connection) -> None:
    _, keys = apps.create_app(connection, "Shop")
    stored = connection.execute("select string_agg(c::text, ' ') from control.credential c").fetchone()
    assert stored is not None
    assert keys.write_key.split("_", 3)[3] not in stored[0]


def test_an_expired_key_opens_nothing(connection: psycopg.Connection) -> None:
    app, _ = apps.create_app(connection, "Shop")
    past = datetime.now(UTC) - timedelta(seconds=1)
    assert authenticate(connection, issue_key(connection, "default", "read", [app.app_id], expires_at=past)) is None


def test_a_key_may_cover_several_apps_of_one_organisation(connection: psycopg.Connection) -> None:
    for name in ("one", "two"):
        apps.create_app(connection, name, org_id="acme")
    credential = authenticate(connection, issue_key(connection, "acme", "write", ["two", "one"]))
    assert credential is not None
    assert credential.app_ids == ("one", "two")


def test_a_key_cannot_cover_another_organisations_app(connection: psycopg.Connection) -> None:
    apps.create_app(connection, "one", org_id="acme")
    apps.create_app(connection, "two", org_id="rival")
    with pytest.raises(ValueError, match="organisation"):
        issue_key(connection, "acme", "write", ["one", "two"])
    assert connection.execute("select count(*) from control.credential").fetchone() == (6,)


def test_rotation_ends_the_old_key_and_gives_a_new_one(connection: psycopg.Connection) -> None:
    app, keys = apps.create_app(connection, "Shop")
    new = apps.rotate_key(connection, app.app_id, "write")
    assert authenticate(connection, keys.write_key) is None
    assert authenticate(connection, new) is not None
    assert authenticate(connection, keys.read_key) is not None


def test_rotation_for_one_app_leaves_a_shared_key_its_other_apps(connection: psycopg.Connection) -> None:
    for name in ("one", "two"):
        apps.create_app(connection, name)
    shared = issue_key(connection, "default", "write", ["one", "two"])
    apps.rotate_key(connection, "one", "write")
    credential = authenticate(connection, shared)
    assert credential is not None
    assert credential.app_ids == ("two",)


def test_an_app_being_deleted_has_no_rules_and_its_keys_open_nothing(connection: psycopg.Connection) -> None:
    app, keys = apps.create_app(connection, "Shop")
    connection.execute("update control.app set deleted_at = now()")
    assert app_rules(connection) == {}
    assert authenticate(connection, keys.write_key) is None
    assert apps.get_app(connection, app.app_id).deleted_at is not None


def test_a_new_time_zone_takes_the_apps_rollups_with_it(connection: psycopg.Connection) -> None:
    for name in ("one", "two"):
        apps.create_app(connection, name)
        connection.execute(
            "insert into rollups.counted_arrival (app_id, period_start, received_hour, events, computed_at)"
            " values (%s, now(), now(), 1, now())",
            [name],
        )
        connection.execute(
            "insert into rollups.identity_count (app_id, stitched, ambiguous, computed_at) values (%s, 1, 0, now())",
            [name],
        )
    assert apps.update_app(connection, "one", time_zone="Asia/Kathmandu").time_zone == "Asia/Kathmandu"
    # Who is who does not depend on the zone.
    assert connection.execute("select count(*) from rollups.identity_count").fetchone() == (2,)
    assert connection.execute("select app_id from rollups.counted_arrival").fetchall() == [("two",)]


def test_a_time_zone_stays_while_numbers_would_be_lost_with_it(connection: psycopg.Connection) -> None:
    apps.create_app(connection, "one")
    connection.execute("update control.app set lake_floor = '2026-05-12T00:00:00Z'")
    with pytest.raises(EventmillError, match="events before 2026-05-12 00:00 UTC are archived"):
        apps.update_app(connection, "one", time_zone="Asia/Kathmandu")
    assert apps.get_app(connection, "one").time_zone == "UTC"


def test_another_first_weekday_takes_the_apps_weeks_with_it_but_for_archived_ones(
    connection: psycopg.Connection,
) -> None:
    apps.create_app(connection, "one")
    connection.execute("update control.app set lake_floor = '2026-05-12T00:00:00Z'")
    for grain, start in (("week", "2026-05-04"), ("week", "2026-05-11"), ("day", "2026-05-12")):
        connection.execute(
            "insert into rollups.periods"
            " (table_name, app_id, grain, period_start, period_end, local_date, wanted_version)"
            " values ('metric', 'one', %s, %s, %s, %s, 1)",
            [grain, f"{start}T00:00:00Z", f"{start}T01:00:00Z", start],
        )
    apps.update_app(connection, "one", week_start=7)
    rows = connection.execute("select grain, local_date::text from rollups.periods order by 2").fetchall()
    assert rows == [("week", "2026-05-04"), ("day", "2026-05-12")]
    assert reconciliation.wanted_at(connection) is not None


def test_an_update_changes_only_what_it_names(connection: psycopg.Connection) -> None:
    app, _ = apps.create_app(connection, "Shop", owner_id="me")
    after = apps.update_app(connection, app.app_id, retention_days=0)
    assert (after.retention_days, after.owner_id, after.name) == (0, "me", "Shop")


def test_an_unknown_app_is_named(connection: psycopg.Connection) -> None:
    with pytest.raises(EventmillError, match="nope"):
        apps.get_app(connection, "nope")
