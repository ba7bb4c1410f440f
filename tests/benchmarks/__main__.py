"""`python -m tests.benchmarks NAME [OPTIONS]`: runs one of the benchmarks, a module or a folder with a `__main__`."""

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(
    [path.stem for path in HERE.glob("[!_]*.py")] + [path.parent.name for path in HERE.glob("*/__main__.py")]
)

if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
    sys.exit(f"usage: python -m tests.benchmarks {{{'|'.join(NAMES)}}} [OPTIONS]")
runpy.run_module(f"tests.benchmarks.{sys.argv.pop(1)}", run_name="__main__", alter_sys=True)
