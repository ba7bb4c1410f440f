"""Installs Segment's SDKs for Node and the browser, where Node is here: `python tests/sdk/install.py`."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

HERE = Path(__file__).resolve().parent
LOCK = HERE / "package-lock.json"
MODULES = HERE / "node_modules"
# What the modules were installed from; an interrupted installation leaves none.
STAMP = MODULES / ".installed"


def is_installed() -> bool:
    """Whether the modules are those of the lock file."""
    return STAMP.exists() and STAMP.read_text(encoding="utf-8") == _digest()


def why_missing() -> str | None:
    """Why tests of these SDKs cannot run; None where they can."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "Node.js is not installed"
    return (
        None if is_installed() else "Segment's SDKs are not installed: run `make test`, or python tests/sdk/install.py"
    )


def _digest() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def main() -> int:
    """Install what is not there yet."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        click.echo("No Node.js here: the tests of Segment's SDKs for Node and the browser are skipped.")
        return 0
    if not is_installed():
        click.echo("Installing Segment's SDKs for the tests …")
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        if subprocess.run(command, cwd=HERE, env={**os.environ, "CI": "true"}, check=False).returncode != 0:
            click.echo("Error: npm could not install them; see above.", err=True)
            return 1
        STAMP.write_text(_digest(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
