"""`python -m tests.benchmarks NAME [OPTIONS]`: runs one of the benchmarks."""

import runpy
import sys
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))

if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
    sys.exit(f"usage: python -m tests.benchmarks {{{'|'.join(NAMES)}}} [OPTIONS]")
runpy.run_module(f"tests.benchmarks.{sys.argv.pop(1)}", run_name="__main__")
