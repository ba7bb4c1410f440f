"""DAGSTER_HOME below EVENTMILL_HOME: its dagster.yaml, its storage in Postgres, its environment."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg

import eventmill
from eventmill.errors import EventmillError
from eventmill.settings import Settings

SCHEMA = "dagster"


def project_file(name: str) -> Path:
    """A file that lies beside the package in the repository. Raises EventmillError where it is missing."""
    for directory in (Path(eventmill.__file__).parent.parent, Path.cwd()):
        if (directory / name).is_file():
            return directory / name
    raise EventmillError(f"{name} is missing.", "Run eventmill from its repository, with everything checked out.")


def directory(settings: Settings) -> Path:
    """DAGSTER_HOME."""
    return settings.home / "dagster"


def environment(settings: Settings) -> dict[str, str]:
    """What Dagster's processes need beside the settings. FileNotFoundError before PostgreSQL was set up."""
    return {"DAGSTER_HOME": str(directory(settings)), "EVENTMILL_DAGSTER_DATABASE_URL": storage_address(settings)}


def storage_address(settings: Settings) -> str:
    """Address of Dagster's own tables: the warehouse's, through psycopg2, with the schema `dagster` first."""
    # Without +psycopg2, SQLAlchemy 2.1 would take psycopg 3, whose NOTIFY Dagster cannot read.
    address = settings.database_address.replace("postgres://", "postgresql://", 1)
    address = address.replace("postgresql://", "postgresql+psycopg2://", 1)
    separator = "&" if "?" in address else "?"
    return f"{address}{separator}options={quote(f'-c search_path={SCHEMA}')}"


def prepare(settings: Settings) -> None:
    """Copy the repository's dagster.yaml to DAGSTER_HOME. Raises EventmillError where it is missing."""
    directory(settings).mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(project_file("dagster.yaml"), directory(settings) / "dagster.yaml")


def migrate(settings: Settings, connection: psycopg.Connection, base: Mapping[str, str] = os.environ) -> bool:
    """Bring Dagster's tables to the installed Dagster's version; whether there was something to do.

    Done once, here, since webserver, daemon and code server would create the tables at the same time.
    Raises EventmillError where Dagster cannot.
    """
    prepare(settings)
    installed = importlib.metadata.version("dagster")
    connection.execute(f"create schema if not exists {SCHEMA}")
    connection.execute(f"create table if not exists {SCHEMA}.eventmill_migrated (version text primary key)")
    done = connection.execute(f"select version from {SCHEMA}.eventmill_migrated").fetchall()  # noqa: S608 - constant
    connection.commit()
    if done == [(installed,)]:
        return False
    command = [sys.executable, "-m", "dagster", "instance", "migrate"]
    variables = {**base, **environment(settings), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise EventmillError(f"Dagster's tables could not be migrated:\n{result.stderr.strip()}", "")
    connection.execute(f"delete from {SCHEMA}.eventmill_migrated")  # noqa: S608 - constant
    connection.execute(f"insert into {SCHEMA}.eventmill_migrated values (%s)", [installed])  # noqa: S608 - constant
    connection.commit()
    return True
