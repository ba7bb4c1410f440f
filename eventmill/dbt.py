"""Runs dbt, which builds the marts and their documentation, with what it needs to know from the settings."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from eventmill import warehouse
from eventmill.control.migrate import set_version
from eventmill.errors import EventmillError
from eventmill.settings import Settings

PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
COMPONENT = "marts"
_VERSION = 1
_DEFINING = ("*.sql", "*.yml", "*.md")
_MADE_BY_DBT = ("target", "logs", "dbt_packages")


def dbt_environment(settings: Settings) -> dict[str, str]:
    """The variables that dbt_project/profiles.yml reads; whoever runs dbt exports them."""
    address = conninfo_to_dict(settings.database_address)
    return {
        "EVENTMILL_DBT_HOST": str(address.get("host") or "127.0.0.1"),
        "EVENTMILL_DBT_PORT": str(address.get("port") or 5432),
        "EVENTMILL_DBT_USER": str(address.get("user") or ""),
        "EVENTMILL_DBT_PASSWORD": str(address.get("password") or ""),
        "EVENTMILL_DBT_DBNAME": str(address.get("dbname") or address.get("user") or ""),
        "EVENTMILL_DBT_SSLMODE": str(address.get("sslmode") or "prefer"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def marts_definition() -> str:
    """Hash of everything that defines the marts: equal hashes, equal views."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _DEFINING for path in PROJECT.rglob(pattern)}):
        name = path.relative_to(PROJECT)
        if name.parts[0] not in _MADE_BY_DBT:
            digest.update(f"{name.as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()[:16]


def build_marts(settings: Settings) -> None:
    """Create or replace the views of the schemas `staging` and `marts`, and note their definition.

    Readers see the old view or the new one. Raises EventmillError with dbt's own words where a model fails.
    """
    definition, target = marts_definition(), settings.home / "dbt" / "target"
    run_dbt(settings, ["run"], target)
    if not (kept := _manifest_directory(settings)).exists():
        # Else Dagster's start would parse the project once more.
        _move_into_place(Path(shutil.copytree(target, _unfinished(kept), ignore=_all_but_the_manifest)), kept)
    with warehouse.connect(settings) as connection:
        set_version(connection, COMPONENT, _VERSION, definition)


def ensure_marts(settings: Settings) -> bool:
    """`build_marts` unless the database has this program's marts already; returns whether it built."""
    with warehouse.connect(settings) as connection:
        row = connection.execute(
            "select details from control.schema_versions where component = %s", [COMPONENT]
        ).fetchone()
    if row is not None and row[0] == marts_definition():
        return False
    build_marts(settings)
    return True


def manifest(settings: Settings) -> Path:
    """Path of dbt's manifest of this program's marts, from which Dagster and the API read what there is.

    Parses the project where the manifest is missing or of another definition. Raises EventmillError where that fails.
    """
    directory = _manifest_directory(settings)
    path = directory / "manifest.json"
    if not path.exists():
        unfinished = _unfinished(directory)
        run_dbt(settings, ["parse"], unfinished)
        _move_into_place(unfinished, directory)
    return path


def _manifest_directory(settings: Settings) -> Path:
    return settings.home / "dbt" / "manifest" / marts_definition()


def _unfinished(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.{os.getpid()}")


def _all_but_the_manifest(_directory: str, names: list[str]) -> list[str]:
    return [name for name in names if name != "manifest.json"]


def _move_into_place(unfinished: Path, directory: Path) -> None:
    """At once: another process may be reading, or have made its own."""
    try:
        unfinished.rename(directory)
    except OSError:
        if not directory.exists():
            raise
        shutil.rmtree(unfinished)


def docs_page(settings: Settings) -> Path:
    """The one HTML file with the documentation of every metric; the query service serves it at /docs/metrics."""
    return settings.home / "dbt" / "docs" / "index.html"


def generate_docs(settings: Settings) -> Path:
    """Write the documentation of the marts to `docs_page` (some 2.5 MB, replaced at once) and return its path.

    The marts must be built. Raises EventmillError with dbt's own words where that fails.
    """
    target = settings.home / "dbt" / "docs-target"
    run_dbt(settings, ["docs", "generate", "--static"], target)
    page = docs_page(settings)
    page.parent.mkdir(parents=True, exist_ok=True)
    (target / "static_index.html").replace(page)
    _docs_definition(settings).write_text(marts_definition(), encoding="ascii")
    return page


def ensure_docs(settings: Settings) -> bool:
    """`generate_docs` unless the page is there and describes this program's marts; returns whether it generated."""
    noted = _docs_definition(settings)
    if docs_page(settings).exists() and noted.exists() and noted.read_text(encoding="ascii") == marts_definition():
        return False
    generate_docs(settings)
    return True


def _docs_definition(settings: Settings) -> Path:
    return docs_page(settings).with_name("definition")


def run_dbt(settings: Settings, arguments: list[str], target: Path) -> None:
    """Run one dbt command in a process of its own; artifacts go to `target`, logs below the home.

    Raises EventmillError with the end of dbt's output where it fails.
    """
    places = {
        "--project-dir": PROJECT,
        "--profiles-dir": PROJECT,
        "--target-path": target,
        "--log-path": settings.log_dir / "dbt",
    }
    options = [str(text) for option in places.items() for text in option]
    result = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", *arguments, *options, "--no-use-colors"],
        env={**os.environ, **dbt_environment(settings)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=PROJECT,
    )
    if result.returncode != 0:
        raise EventmillError(
            f"dbt {arguments[0]} failed:\n{result.stdout[-4000:].strip()}",
            f"The whole log is in {settings.log_dir / 'dbt'}.",
        )
