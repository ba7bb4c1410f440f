"""Runs PostgreSQL, which refuses root, as an unprivileged user: no new account, no opened directory."""

import os
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from eventmill.errors import EventmillError

# `nobody`: initdb wants a user that has a name, and this one exists everywhere.
NOBODY = 65534
FOR_ANYONE = stat.S_IROTH | stat.S_IXOTH
CAPABILITY_BITS = {"dac_read_search": 2, "dac_override": 1}
RUN_AS_USER = "Start eventmill as an ordinary user, or set EVENTMILL_DATABASE_URL to a PostgreSQL of your own."


class Owner(NamedTuple):
    """A user and a group by number."""

    uid: int
    gid: int


def owner_of(data: Path) -> Owner:
    """Who owns that directory, `nobody` where it does not exist yet or is root's."""
    if not data.exists() or data.stat().st_uid == 0:
        return Owner(NOBODY, NOBODY)
    return Owner(data.stat().st_uid, data.stat().st_gid)


def is_root() -> bool:
    """Whether this process is root, whose PostgreSQL has to run as someone else."""
    return os.geteuid() == 0


def command_prefix(paths: Sequence[Path], owner: Owner) -> list[str]:
    """What to put before a command so that it runs as `owner` and can still reach `paths`.

    Empty when this process is not root. Raises EventmillError where that cannot be arranged.
    """
    if not is_root():
        return []
    setpriv = shutil.which("setpriv")
    if sys.platform != "linux" or setpriv is None:
        raise EventmillError("PostgreSQL refuses to run as root, and `setpriv` is not here to lower it.", RUN_AS_USER)
    prefix = [setpriv, f"--reuid={owner.uid}", f"--regid={owner.gid}", "--clear-groups", "--pdeathsig=INT"]
    if all(_is_open(path, owner) for path in paths):
        return [*prefix, "--inh-caps=-all", "--"]
    capability = _held_capability(paths, owner)
    # Without no_setuid_fixup, access(2) ignores the capability, and postgres calls its own binary invalid.
    securebits = "--securebits=+no_setuid_fixup"
    return [*prefix, f"--inh-caps=-all,+{capability}", f"--ambient-caps=-all,+{capability}", securebits, "--"]


def _is_open(path: Path, owner: Owner) -> bool:
    """Whether any user may pass through every directory above `path` and use `path` itself."""
    target = path.resolve()
    if not all(stat.S_IMODE(directory.stat().st_mode) & stat.S_IXOTH for directory in target.parents):
        return False
    return target.stat().st_uid == owner.uid or target.stat().st_mode & FOR_ANYONE == FOR_ANYONE


def _held_capability(paths: Sequence[Path], owner: Owner) -> str:
    """The narrowest capability we hold that makes `paths` usable."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    permitted = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapPrm"))
    # Reading past closed directories is enough, unless the program itself may not be executed by others.
    may_execute = all(path.stat().st_uid == owner.uid or path.stat().st_mode & stat.S_IXOTH for path in paths)
    for capability, bit in CAPABILITY_BITS.items():
        if permitted >> bit & 1 and (may_execute or capability == "dac_override"):
            return capability
    raise EventmillError(
        "PostgreSQL refuses to run as root, and an unprivileged user cannot reach its files here.",
        RUN_AS_USER,
    )
