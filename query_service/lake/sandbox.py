"""The walls around a worker: what DuckDB may open, and what the process may take."""

import contextlib
import os
import resource
import signal
import sys
from pathlib import Path

import duckdb

from eventmill.analysis import relations
from query_service.lake.jobs import Limits

# Address space beside DuckDB's own memory: the interpreter, its libraries, results, and what allocators reserve.
_HEADROOM_BYTES = 3 << 30
_UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_MAX_FILES = 16_384


def connect(limits: Limits) -> duckdb.DuckDBPyConnection:
    """An in-memory database that can read the lake's directory and nothing else, with its settings locked."""
    connection = duckdb.connect(
        config={
            "threads": limits.threads,
            # Files on this machine are read sooner than they are handed to another thread.
            "async_threads": 0,
            "memory_limit": limits.memory,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    relations.prepare(connection)
    directory = str(Path(limits.lake).resolve()).replace("'", "''")
    for setting in (
        "parquet_metadata_cache = true",
        "temp_directory = ''",
        f"allowed_directories = ['{directory}/']",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"set {setting}")
    return connection


def confine(limits: Limits) -> None:
    """Bound this process: no file of any size can be written, and its address space ends somewhere."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = int(size_in_bytes(limits.memory)) + _HEADROOM_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most_files = _MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most_files), hard))
    with contextlib.suppress(OSError):  # where the system lets nobody lower a priority, it stays as it is
        os.nice(5)


def environment() -> dict[str, str]:
    """The variables that a worker gets: none with a secret, and none that a preloaded library listens to."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "SYSTEMROOT")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return found | {
        # mimalloc reserves address space by the gigabyte.
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        # Each of thousands of files is opened with the same hundreds of small pieces of memory: a thread keeps them.
        "GLIBC_TUNABLES": "glibc.malloc.tcache_count=2000",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def command() -> list[str]:
    """How a worker is started."""
    return [sys.executable, "-m", "query_service.lake.worker"]


def size_in_bytes(text: str) -> float:
    """Bytes of a size as DuckDB reads it, such as 1GB or 512MiB. Raises ValueError."""
    stripped = text.strip().upper()
    unit = next((unit for unit in sorted(_UNITS, key=len, reverse=True) if stripped.endswith(unit)), None)
    if unit is None:
        msg = f"{text!r} is no size such as 1GB"
        raise ValueError(msg)
    return float(stripped.removesuffix(unit)) * _UNITS[unit]
