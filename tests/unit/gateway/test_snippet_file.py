"""The snippet that the gateway serves is small, and is what its source says."""

import gzip
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ROOT / "clients" / "snippet"
BUILT = ROOT / "ingest_service" / "gateway" / "static" / "em.js"


@pytest.fixture(scope="module")
def packages() -> Path:
    """The pinned minifier and type checker of package-lock.json; installed where that is possible."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Node here to build the snippet with")
    modules = SOURCES / "node_modules"
    if not (modules / ".bin" / "esbuild").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        installed = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, timeout=120, check=False)
        if installed.returncode != 0:
            pytest.skip(f"the snippet's packages cannot be installed here: {installed.stderr[-200:]}")
    return modules / ".bin"


def test_it_is_small() -> None:
    assert len(gzip.compress(BUILT.read_bytes(), 9)) < 4_096


def test_it_was_built_from_the_present_source() -> None:
    digest = hashlib.sha256((SOURCES / "em.src.js").read_bytes()).hexdigest()[:16]
    assert BUILT.read_text(encoding="utf-8").startswith(f"/*! eventmill em.js {digest} */\n"), "run `make snippet`"


def test_it_needs_no_policy_for_inline_code_and_no_cookie() -> None:
    text = BUILT.read_text(encoding="utf-8")
    assert [word for word in ("eval(", "Function(", "innerHTML", ".cookie", "<script") if word in text] == []


def test_building_it_again_gives_the_same_bytes(packages: Path, tmp_path: Path) -> None:
    subprocess.run(["node", "build.js", tmp_path / "em.js"], cwd=SOURCES, check=True)
    assert (tmp_path / "em.js").read_bytes() == BUILT.read_bytes()


@pytest.mark.parametrize("project", ["snippet", "js"])
def test_the_types_of_the_scripts_are_right(packages: Path, project: str) -> None:
    command = [packages / "tsc", "--project", ROOT / "clients" / project]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
