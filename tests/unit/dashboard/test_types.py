"""The dashboard's scripts have the types that their comments say."""

import shutil
import subprocess
from pathlib import Path

import pytest

CHECKED = Path(__file__).resolve().parents[3] / "clients" / "dashboard"


def test_the_types_of_the_dashboard_are_right() -> None:
    if shutil.which("npm") is None:
        pytest.skip("no Node here to check types with")
    if not (CHECKED / "node_modules" / ".bin" / "tsc").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        installed = subprocess.run(command, cwd=CHECKED, capture_output=True, text=True, timeout=120, check=False)
        if installed.returncode != 0:
            pytest.skip(f"the type checker cannot be installed here: {installed.stderr[-200:]}")
    checked = subprocess.run(
        ["npm", "run", "--silent", "check"], cwd=CHECKED, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
