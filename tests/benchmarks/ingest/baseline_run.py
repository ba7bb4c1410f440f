"""Runs a baseline as a process of its own and reads what it says."""

import json
import subprocess
import sys
from typing import Any

from tests.benchmarks.ingest.room import VoidRunError

PATIENCE_SECONDS = 300


def run_baseline(name: str, *arguments: object) -> dict[str, Any]:
    """What `tests.benchmarks.baselines.<name>` prints: one JSON object. Raises VoidRunError where it fails."""
    command = [sys.executable, "-m", f"tests.benchmarks.baselines.{name}", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    if result.returncode != 0:
        raise VoidRunError(f"{name} failed:\n{result.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer
