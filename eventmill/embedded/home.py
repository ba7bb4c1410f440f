"""EVENTMILL_HOME: its folders, its layout version, and the space it has."""

import json
import os
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import eventmill
from eventmill.errors import EventmillError, VersionError
from eventmill.settings import Settings

# Raised when an older program could not use the folders any more.
LAYOUT = 1
FOLDERS = ("dagster", "lake", "logs", "nats", "run", "secrets", "state")
MIN_FREE_BYTES = 1024**3


def prepare(settings: Settings) -> None:
    """Create the home's folders and note who wrote it.

    Raises VersionError for a home written by a newer version, EventmillError where it cannot be written.
    """
    check_version(settings.home)
    try:
        # Root's PostgreSQL runs as another user, who has to pass through, but not to look around.
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
        for folder in FOLDERS:
            (settings.home / folder).mkdir(exist_ok=True, mode=0o700)
        content = {"layout": LAYOUT, "eventmill": eventmill.__version__}
        _replace(settings.home / "version", json.dumps(content) + "\n")
    except OSError as error:
        raise EventmillError(
            f"{settings.home} cannot be written: {error.strerror}.", "Set EVENTMILL_HOME to a directory of yours."
        ) from error


def keep_history_start(settings: Settings) -> Settings:
    """The settings with the history start of this home's first start, unless EVENTMILL_HISTORY_START names another.

    The default moves with the calendar; partitions must not, or numbers of the oldest days could not be computed
    again. Call after `prepare`. Raises EventmillError for an unreadable file.
    """
    path = settings.home / "history-start"
    if "history_start" in settings.model_fields_set or not path.exists():
        _replace(path, f"{settings.history_start}\n")
        return settings
    text = path.read_text(encoding="ascii").strip()
    try:
        return settings.model_copy(update={"history_start": date.fromisoformat(text)})
    except ValueError as error:
        raise EventmillError(
            f"{path} does not hold a date: {text[:50]!r}.", "Set EVENTMILL_HISTORY_START, which replaces the file."
        ) from error


def _replace(path: Path, text: str) -> None:
    """Write a file in one step: cut off by a full disk, it would refuse every later start."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def check_version(home: Path) -> None:
    """Raise VersionError when a newer eventmill wrote this home."""
    written = written_by(home)
    if written is None:
        return
    layout, version = written
    if layout > LAYOUT or _ordered(version) > _ordered(eventmill.__version__):
        raise VersionError(
            f"{home} was written by eventmill {version} (layout {layout}); this is {eventmill.__version__} "
            f"(layout {LAYOUT}), which could damage it.",
            f"Start eventmill {version} or newer, or set EVENTMILL_HOME to another directory.",
        )


def written_by(home: Path) -> tuple[int, str] | None:
    """Layout and version of the eventmill that started last on this home, None for a fresh one."""
    try:
        content: dict[str, Any] = json.loads((home / "version").read_text(encoding="utf-8"))
        return int(content["layout"]), str(content["eventmill"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise EventmillError(
            f"{home / 'version'} is not a version file of eventmill.",
            "Set EVENTMILL_HOME to another directory, or remove that file if the directory is eventmill's.",
        ) from error


def free_bytes(home: Path) -> int:
    """Free space of the file system that holds the home, or will."""
    existing = next(path for path in (home, *home.parents) if path.exists())
    return shutil.disk_usage(existing).free


def check_space(home: Path) -> None:
    """Raise EventmillError when less than 1 GB is free."""
    free = free_bytes(home)
    if free < MIN_FREE_BYTES:
        raise EventmillError(
            f"Only {free // 1024**2} MB are free where {home} lies; eventmill needs {MIN_FREE_BYTES // 1024**2} MB.",
            "Make space, or set EVENTMILL_HOME to a directory on a larger disk.",
        )


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
