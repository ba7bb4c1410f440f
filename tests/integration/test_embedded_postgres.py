"""The embedded PostgreSQL: as root or not, in closed directories, over restarts and version changes."""

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from eventmill.embedded import binaries, unprivileged
from eventmill.embedded.children import Server
from eventmill.embedded.postgres import PostgresServer
from eventmill.errors import EventmillError
from tests.workers import free_ports

pytestmark = pytest.mark.integration
as_root = pytest.mark.skipif(not unprivileged.is_root(), reason="only root has to lower PostgreSQL's privileges")


def test_the_server_speaks_utc_and_writes_through_to_the_disk(own_postgres: tuple[PostgresServer, Server]) -> None:
    with psycopg.connect(own_postgres[0].address()) as connection:
        for setting, value in {"timezone": "UTC", "fsync": "on", "listen_addresses": "127.0.0.1"}.items():
            assert connection.execute("select current_setting(%s)", [setting]).fetchone() == (value,)


def test_the_password_is_needed_and_readable_by_the_owner_only(postgres: PostgresServer) -> None:
    assert postgres.password_file.stat().st_mode & 0o777 == 0o600
    wrong = f"postgresql://eventmill:wrong@127.0.0.1:{postgres.port}/eventmill"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_nobody_can_log_in_as_the_superuser(postgres: PostgresServer) -> None:
    address = postgres.address().replace("//eventmill:", "//postgres:")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address)


def test_a_second_start_after_a_kill_keeps_the_data(own_postgres: tuple[PostgresServer, Server]) -> None:
    postgres, server = own_postgres
    with psycopg.connect(postgres.address()) as connection:
        connection.execute("create table kept as select 7 as number")
    server.kill()
    server.start()
    with psycopg.connect(postgres.address()) as connection:
        assert connection.execute("select number from kept").fetchone() == (7,)


def test_a_lost_password_file_is_replaced_at_the_next_start(
    own_postgres: tuple[PostgresServer, Server],
) -> None:
    postgres, server = own_postgres
    server.stop()
    postgres.password_file.unlink()
    postgres.prepare()
    server.start()
    assert postgres.is_ready()


def test_a_data_directory_of_another_major_is_refused(own_postgres: tuple[PostgresServer, Server]) -> None:
    postgres, server = own_postgres
    server.stop()
    (postgres.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(EventmillError, match="written by PostgreSQL 16") as refused:
        postgres.prepare()
    assert "pg_dump of PostgreSQL 16" in refused.value.hint


def test_an_initialisation_cut_off_half_way_is_begun_anew(new_directory: Callable[[], Path]) -> None:
    home = new_directory()
    postgres = PostgresServer(home / "postgres", home / "password", home / "log", free_ports(1)[0])
    unfinished = postgres.directory / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    postgres.prepare()
    assert postgres.data_major() == "18"
    assert not unfinished.exists()


@as_root
def test_root_starts_it_below_a_directory_that_only_root_may_enter(new_directory: Callable[[], Path]) -> None:
    closed = new_directory()
    closed.chmod(0o700)
    home = closed / "home"
    postgres = PostgresServer(home / "postgres", home / "password", home / "log", free_ports(1)[0])
    server = postgres.server()
    server.start()
    assert _user_of(server) == unprivileged.NOBODY
    server.stop()


@as_root
def test_root_goes_on_with_the_data_of_an_ordinary_user(own_postgres: tuple[PostgresServer, Server]) -> None:
    postgres, server = own_postgres
    server.stop()
    for path in [postgres.directory, *postgres.directory.rglob("*")]:
        os.chown(path, 12345, 12345)
    again = postgres.server()
    again.start()
    assert _user_of(again) == 12345
    again.stop()


@as_root
def test_root_starts_it_where_the_wheels_themselves_are_closed(new_directory: Callable[[], Path]) -> None:
    closed = new_directory()
    closed.chmod(0o700)
    _copy_wheel(closed / "site")
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from eventmill.embedded.ports import free_ports
        from eventmill.embedded.postgres import PostgresServer
        home = Path(sys.argv[1])
        server = PostgresServer(home / "postgres", home / "password", home / "log", free_ports(1)[0]).server()
        server.start()
        assert str(home.parent) in " ".join(server.argv), server.argv
        server.stop()
    """)
    environment = {**os.environ, "PYTHONPATH": f"{closed / 'site'}:{Path.cwd()}"}
    subprocess.run([sys.executable, "-c", program, str(closed / "home")], env=environment, check=True)


def _user_of(server: Server) -> int:
    assert server.process is not None
    return Path(f"/proc/{server.process.pid}").stat().st_uid


def _copy_wheel(site: Path) -> None:
    package = binaries.postgres_directory().parent.parent
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / name, site / name, ignore=shutil.ignore_patterns("pginstall"))
    # As pip leaves it under umask 077.
    subprocess.run(["chmod", "-R", "go=", str(site)], check=True)
