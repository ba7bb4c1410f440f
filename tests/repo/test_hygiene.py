"""What no committed file may hold, whoever wrote it."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("eventmill", "ingest_service", "analytics_pipeline", "query_service")
MAX_LINES = 350
# Libraries of others, as they publish them.
VENDORED = "query_service/dashboard/vendor/"
# Put together here, so that this file itself holds none of them.
MACHINE_PATHS = tuple(f"/{name}/" for name in ("work", "root", "home/runner", "Users"))
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")
INDEX_HOST = re.compile(r"https?://[^\s\"']*(?:pypi|pythonhosted|index-url|artifactory|/simple)", re.IGNORECASE)
INSTALLATION_FILES = ("constraints.txt", "pyproject.toml", "Makefile", "Dockerfile", ".ci/run", "docker-compose.yml")


def committed_files() -> list[Path]:
    """Every file that git tracks or would track, and that is still there."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def texts() -> dict[str, str]:
    """Name → text of every committed file that is text."""
    found = {}
    for path in committed_files():
        content = path.read_bytes()
        if b"\0" not in content[:8192] and not content.startswith(b"\x1f\x8b"):
            found[path.relative_to(ROOT).as_posix()] = content.decode("utf-8")
    return found


@pytest.fixture(scope="module")
def committed() -> dict[str, str]:
    return texts()


def python_files(committed: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in committed.items() if name.endswith(".py")}


def test_no_file_names_an_index_or_registry(committed: dict[str, str]) -> None:
    offenders = [name for name in INSTALLATION_FILES if name in committed and INDEX_HOST.search(committed[name])]
    offenders += [name for name, text in committed.items() if "--index" + "-url" in text or "PIP_" + "INDEX" in text]
    assert offenders == []


def test_every_dependency_is_pinned_exactly(committed: dict[str, str]) -> None:
    lines = [line for line in committed["constraints.txt"].splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.!+-]+", line)] == []


def test_no_file_names_a_path_of_somebodys_machine(committed: dict[str, str]) -> None:
    pattern = re.compile("|".join(rf"(?<![\w.}}~$-]){re.escape(path)}" for path in MACHINE_PATHS))
    assert [name for name, text in committed.items() if pattern.search(text)] == []


def test_nothing_is_left_for_later(committed: dict[str, str]) -> None:
    ours = {name: text for name, text in committed.items() if not name.startswith(VENDORED)}
    assert [name for name, text in ours.items() if UNFINISHED.search(text)] == []


def test_no_module_is_longer_than_one_thing(committed: dict[str, str]) -> None:
    assert {
        name: lines for name, text in python_files(committed).items() if (lines := text.count("\n")) > MAX_LINES
    } == {}


def test_every_module_of_a_package_says_what_it_is_for(committed: dict[str, str]) -> None:
    modules = {name: text for name, text in python_files(committed).items() if name.startswith(PACKAGES)}
    assert [name for name, text in modules.items() if ast.get_docstring(ast.parse(text)) is None] == []


def test_test_folders_are_no_packages(committed: dict[str, str]) -> None:
    assert [name for name in committed if name.startswith("tests/") and name.endswith("__init__.py")] == []


def test_dagster_definitions_keep_their_annotations(committed: dict[str, str]) -> None:
    postponed = "from __future__ import " + "annotations"  # breaks the types that Dagster reads (dagster #26837)
    definitions = {name: text for name, text in committed.items() if name.startswith("analytics_pipeline/defs/")}
    assert [name for name, text in definitions.items() if postponed in text] == []
