"""The embedded PostgreSQL: its data directory, its command and when it is ready."""

import os
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

from eventmill.embedded import binaries, unprivileged
from eventmill.embedded.children import Server
from eventmill.errors import EventmillError
from eventmill.settings import Settings

CONFIGURATION = """\
# Written by eventmill at every start; changes made here are lost.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 100
shared_buffers = '128MB'
max_wal_size = '1GB'
min_wal_size = '80MB'
fsync = on
synchronous_commit = on
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, ymd'
lc_messages = 'C'
# Analytical queries go to DuckDB; compiling the short ones that come here costs more than it saves.
jit = off
# A join or sort that somebody's query spills must not fill the disk; per process.
temp_file_limit = '8GB'
"""
# The superuser has no password, so nobody can log in as it.
ACCESS_RULES = "# Written by eventmill at every start.\nhost all all 127.0.0.1/32 scram-sha-256\n"
INIT_OPTIONS = [
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth=reject",
]


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A PostgreSQL from the wheel: data in `directory`/data, role and database `eventmill`."""

    directory: Path
    password_file: Path
    log: Path
    port: int

    @classmethod
    def of(cls, settings: Settings) -> "PostgresServer":
        """The embedded server that these settings describe."""
        return cls(
            settings.home / "postgres",
            settings.pg_password_file,
            settings.log_dir / "postgres.log",
            settings.pg_port,
        )

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.directory / "data"

    def data_major(self) -> str | None:
        """The major version that wrote the data directory, None before the first start."""
        version_file = self.data / "PG_VERSION"
        return version_file.read_text(encoding="ascii").strip() if version_file.exists() else None

    def check_major(self) -> None:
        """Raise EventmillError when another major version of PostgreSQL wrote the data directory."""
        found = self.data_major()
        if found is not None and found != str(binaries.POSTGRES_MAJOR):
            raise EventmillError(
                f"{self.data} was written by PostgreSQL {found}, and this eventmill runs PostgreSQL "
                f"{binaries.POSTGRES_MAJOR}.",
                "Go back to the eventmill that wrote it. Or dump its schema control with pg_dump of PostgreSQL "
                f"{found}, move {self.directory} away, run `eventmill up`, load the dump and run "
                "`eventmill reconcile`: every number is computed again from the lake.",
            )

    def prepare(self) -> None:
        """Create data directory, role, database and password where missing, and write the configuration.

        Raises EventmillError for a data directory of another major, a missing wheel, or a failing initdb.
        """
        self.check_major()
        self._make_directory()
        if self.data_major() is None:
            self._initialise()
        elif not self.password_file.exists():
            self._run_sql(self.data, [f"alter role eventmill password '{self._new_password()}'"])
        self._write(self.data / "postgresql.conf", CONFIGURATION.format(port=self.port))
        self._write(self.data / "pg_hba.conf", ACCESS_RULES)

    def command(self) -> list[str]:
        """Prepare the data directory and give the command that serves it; errors as `prepare`."""
        self.prepare()
        return [*self._prefix(), str(binaries.postgres_directory() / "postgres"), "-D", str(self.data)]

    def address(self, database: str = "eventmill") -> str:
        """`postgresql://…` address of one of its databases. Raises FileNotFoundError before `prepare`."""
        password = self.password_file.read_text(encoding="ascii").strip()
        return f"postgresql://eventmill:{password}@127.0.0.1:{self.port}/{database}"

    def is_ready(self) -> bool:
        """Whether it answers a query of the role `eventmill`."""
        try:
            with psycopg.connect(self.address(), connect_timeout=2, autocommit=True) as connection:
                connection.execute("select 1")
        except (psycopg.Error, FileNotFoundError):
            return False
        return True

    def server(self) -> Server:
        """A handle that starts, stops and kills it: for tools and tests."""
        # SIGTERM would wait for every client to leave; SIGINT is PostgreSQL's fast shutdown.
        return Server("postgres", self.command(), self.log, self.is_ready, signal.SIGINT)

    def _prefix(self) -> list[str]:
        paths = [self.directory, binaries.postgres_directory() / "postgres"]
        return unprivileged.command_prefix(paths, self._owner())

    def _owner(self) -> unprivileged.Owner:
        """Who runs it under root: whoever the data belongs to, as after a first start without root."""
        return unprivileged.owner_of(self.data)

    def _make_directory(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._give(self.directory)

    def _initialise(self) -> None:
        """Build the data directory aside and move it into place: a start cut off leaves no half of one."""
        unfinished = self.directory / "data.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        initdb = str(binaries.postgres_directory() / "initdb")
        self._run([initdb, "-D", str(unfinished), *INIT_OPTIONS])
        create_role = f"create role eventmill login createdb createrole password '{self._new_password()}'"
        self._run_sql(unfinished, [create_role, "create database eventmill owner eventmill"])
        unfinished.rename(self.data)

    def _new_password(self) -> str:
        password = secrets.token_urlsafe(32)
        self.password_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.password_file.unlink(missing_ok=True)
        descriptor = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(password + "\n")
        return password

    def _run_sql(self, data: Path, statements: list[str]) -> None:
        """Run statements as the superuser while the server is down: one line each."""
        # A failing statement must not put the password into an error message.
        options = ["-c", "exit_on_error=on", "-c", "log_min_error_statement=panic", "postgres"]
        command = [str(binaries.postgres_directory() / "postgres"), "--single", "-D", str(data), *options]
        self._run(command, "\n".join(statements) + "\n")

    def _run(self, command: list[str], text: str = "") -> None:
        # The working directory must be one that the unprivileged user may enter.
        result = subprocess.run(
            [*self._prefix(), *command],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.directory,
        )
        if result.returncode != 0:
            raise EventmillError(
                f"PostgreSQL could not be set up in {self.directory}:\n{result.stderr.strip()}",
                "Check that the disk has space and that the directory belongs to you.",
            )

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        self._give(path)

    def _give(self, path: Path) -> None:
        if unprivileged.is_root():
            owner = self._owner()
            os.chown(path, owner.uid, owner.gid)
