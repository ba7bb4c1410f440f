"""Finds a Chromium for the page tests, or installs one: `python tests/browser.py` prints its path.

The system's own comes first, then one that Playwright installed below .venv, then Debian's package (as root),
then Playwright's download.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
DOWNLOADS = Path(sys.prefix) / "browsers"


def find() -> Path | None:
    """Path of a Chromium that is here already."""
    for name in NAMES:
        if path := shutil.which(name):
            return Path(path)
    if MACOS.exists():
        return MACOS
    patterns = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")
    return next((path for pattern in patterns for path in sorted(DOWNLOADS.glob(pattern))), None)


def install() -> None:
    """Try to install one; the installers show what they do."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        click.echo("No Chromium here: installing Debian's package …")
        package = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
        if _succeeds(package) or (_succeeds(["apt-get", "update"]) and _succeeds(package)):
            return
    click.echo("No Chromium here: downloading Playwright's …")
    _succeeds([sys.executable, "-m", "playwright", "install", "chromium"])


def _succeeds(command: list[str]) -> bool:
    variables = {"DEBIAN_FRONTEND": "noninteractive", "PLAYWRIGHT_BROWSERS_PATH": str(DOWNLOADS)}
    return subprocess.run(command, env={**os.environ, **variables}, check=False).returncode == 0


def main() -> int:
    """Make sure that there is one."""
    if find() is None:
        install()
    browser = find()
    if browser is None:
        click.echo("Error: no Chromium could be installed for the page tests.", err=True)
        click.echo("Install Chromium or Chrome by hand, then run `make test` again.", err=True)
        return 1
    click.echo(f"Browser for the page tests: {browser}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
