"""Files of history, line by line: opened, surveyed before anything is sent, and turned into envelope lines."""

import gzip
import hashlib
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from eventmill.contracts import unparsable
from eventmill.contracts.limits import MAX_REQUEST_BYTES
from eventmill.errors import EventmillError

MAX_LINE_BYTES = MAX_REQUEST_BYTES
_GZIP = b"\x1f\x8b"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)


class LineFormat(Protocol):
    """How a line of the file becomes an event."""

    def happened_at(self, line: bytes) -> datetime | None:
        """When the line's event happened; None where the line does not tell."""

    def encode(self, line: bytes, number: int, event_id: str) -> bytes:
        """The envelope line of line `number` (from 1)."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first pass found: lines that are not blank, how many of them have a time, and the earliest time (UTC)."""

    lines: int
    timed: int
    earliest: datetime | None


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number (from 1) and bytes, without the line end, of each line that is not blank; gzip and zstandard are undone.

    Raises EventmillError where the file cannot be read, is damaged, or has a line that no log has.
    """
    try:
        with _opened(path) as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    message = f"Line {number:,} of {path} is longer than {MAX_LINE_BYTES:,} bytes. Nothing was stored."
                    raise EventmillError(message, "Is this a text file of one event a line?")
                if line.strip():
                    yield number, line.removesuffix(b"\n").removesuffix(b"\r")
    except _DAMAGED as error:
        raise EventmillError(f"{path} is damaged: {error}", "Fetch the file again.") from error
    except OSError as error:
        raise EventmillError(f"{path} cannot be read: {error.strerror or error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic.startswith(_GZIP):
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield io.BufferedReader(unpacked)
        elif magic == _ZSTANDARD:
            with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as reader:
                yield io.BufferedReader(reader)
        else:
            yield file


def survey(path: Path, line_format: LineFormat) -> Survey:
    """Read the whole file once, sending nothing. Raises EventmillError as `lines_of` does."""
    lines = timed = 0
    earliest: datetime | None = None
    for _, line in lines_of(path):
        lines += 1
        if (instant := line_format.happened_at(line)) is not None:
            timed += 1
            earliest = instant if earliest is None or instant < earliest else earliest
    return Survey(lines, timed, None if earliest is None else earliest.astimezone(UTC))


def refuse_too_old(path: Path, found: Survey, history_start: date, command: Callable[[date], str]) -> None:
    """Raise EventmillError where the file begins before the first partition; `command` says how to move that."""
    if found.earliest is None or found.earliest.date() >= history_start:
        return
    begins = found.earliest.date()
    raise EventmillError(
        f"{path} begins on {begins}, before {history_start}, where history starts (EVENTMILL_HISTORY_START)."
        " Nothing was stored.",
        f"Stop eventmill, start it with\n  {command(begins)}\nand import again.",
    )


def encoded_lines(path: Path, line_format: LineFormat, app_id: str, in_quarantine: Set[str]) -> Iterator[bytes]:
    """Envelope lines of the file. Their ids depend on app, bytes and repeats alone: a second import adds nothing.

    A broken line is left out where its id is `in_quarantine`: rows of the quarantine are not told apart by their ids.
    """
    seen: Counter[int] = Counter()
    for number, line in lines_of(path):
        # A hash in place of the line keeps a file of millions in memory; a collision would still give different ids.
        key = int.from_bytes(hashlib.blake2b(line, digest_size=8).digest())
        seen[key] += 1
        event_id = event_id_of(app_id, line, seen[key])
        encoded = line_format.encode(line, number, event_id)
        if event_id not in in_quarantine or unparsable.unwrap(encoded) is None:
            yield encoded


def event_id_of(app_id: str, line: bytes, occurrence: int) -> str:
    """Id of the `occurrence`-th (from 1) appearance of `line` in a file of the app."""
    return hashlib.sha256(b"\0".join((app_id.encode(), line, str(occurrence).encode()))).hexdigest()[:32]
