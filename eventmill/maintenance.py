"""Starts a round of upkeep of lake and stream in a child process, whose memory goes with it."""

import json
import os
import subprocess
import sys
from typing import Any

from eventmill.embedded.processes import environment
from eventmill.errors import EventmillError
from eventmill.settings import Settings

COMMAND = (sys.executable, "-m", "ingest_service.writer.maintenance")


def run_maintenance(settings: Settings) -> dict[str, Any]:
    """Run a round and return what it did: per table files before and after, and what was purged, deleted and failed.

    Raises EventmillError where the child ended without a report.
    """
    variables = environment(settings, os.environ)
    done = subprocess.run(COMMAND, env=variables, capture_output=True, text=True, check=False)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.strip().splitlines()[-3:]
        raise EventmillError(f"Maintenance ended with code {done.returncode}.", "\n".join(lines)) from None
    return report
