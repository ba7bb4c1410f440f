"""The list of processes that `eventmill up` starts, and what each of them is told."""

from pathlib import Path

import pytest

from eventmill.embedded import dagster_home
from eventmill.embedded.processes import dagster, embedded_servers, environment, flow, migration, services
from eventmill.settings import Settings

EXTERNAL = {"nats_url": "nats://broker.example:4222", "database_url": "postgresql://u:p@db.example/eventmill"}


def test_both_servers_are_embedded_unless_their_address_is_given(tmp_path: Path) -> None:
    assert [one.name for one in embedded_servers(Settings(home=tmp_path))] == ["nats", "postgres"]
    assert embedded_servers(Settings(home=tmp_path, **EXTERNAL)) == []


def test_the_migration_waits_for_the_embedded_servers_and_the_services_for_the_migration(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert migration(settings).after == ("nats", "postgres")
    assert migration(settings).one_shot
    assert {one.after for one in services(settings)} == {("migrate",)}


def test_services_do_not_wait_for_dagster(tmp_path: Path) -> None:
    names = {name for one in services(Settings(home=tmp_path)) for name in one.after}
    assert not any(name.startswith("dagster") for name in names)


def test_the_code_server_which_runs_what_it_is_asked_to_listens_on_this_machine_alone() -> None:
    settings = Settings(bind="0.0.0.0", **EXTERNAL)
    (code,) = [one for one in dagster(settings) if one.name == "dagster-code"]
    assert (environment(settings, {}) | code.environment())["EVENTMILL_BIND"] == "127.0.0.1"


def test_the_demo_can_be_turned_off(tmp_path: Path) -> None:
    assert [one.name for one in flow(Settings(home=tmp_path))] == ["demo"]
    assert flow(Settings(home=tmp_path, demo=False)) == []


def test_processes_hear_every_setting_and_nothing_of_the_embedded_servers_password(tmp_path: Path) -> None:
    base = {"EVENTMILL_HTTP_PORT": "1", "EVENTMILL_DATABASE_URL": "postgresql://stale", "PATH": "/bin", "LANG": "C"}
    variables = environment(Settings(home=tmp_path, http_port=18080), base)
    assert variables["EVENTMILL_HOME"] == str(tmp_path)
    assert variables["EVENTMILL_HTTP_PORT"] == "18080"
    assert variables["LANG"] == "C"
    assert variables["PYTHONUNBUFFERED"] == "1"
    assert not {"EVENTMILL_DATABASE_URL", "EVENTMILL_NATS_URL"} & variables.keys()


def test_a_process_reads_back_the_settings_it_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Settings(home=tmp_path, demo=False, **EXTERNAL)
    for name, value in environment(told, {}).items():
        monkeypatch.setenv(name, value)
    assert Settings() == told


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_dagster_keeps_its_tables_in_a_schema_of_the_warehouse(tmp_path: Path, scheme: str) -> None:
    settings = Settings(home=tmp_path, database_url=f"{scheme}://u:p@db.example/eventmill")
    assert dagster_home.storage_address(settings) == (
        "postgresql+psycopg2://u:p@db.example/eventmill?options=-c%20search_path%3Ddagster"
    )
