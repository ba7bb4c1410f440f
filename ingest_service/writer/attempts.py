"""Counts the attempts at an envelope that cannot be decoded, across restarts."""

from pathlib import Path

import msgspec

from eventmill.delta_log import sync_directory, write_durably


class _Attempts(msgspec.Struct):
    stream: str
    sequence: int
    attempts: int


class AttemptFile:
    """A file that remembers one envelope: the stream is read in order, so only one can be in the way."""

    def __init__(self, path: Path, stream: str) -> None:
        self._path = path
        self._stream = stream

    def count(self, sequence: int) -> int:
        """Note one more attempt at `sequence`, durably, and return how many there were."""
        attempts = self._read(sequence) + 1
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".tmp")
        unfinished.unlink(missing_ok=True)
        write_durably(unfinished, msgspec.json.encode(_Attempts(self._stream, sequence, attempts)))
        unfinished.replace(self._path)
        sync_directory(self._path.parent)
        return attempts

    def _read(self, sequence: int) -> int:
        try:
            noted = msgspec.json.decode(self._path.read_bytes(), type=_Attempts)
        except (FileNotFoundError, msgspec.MsgspecError):
            return 0
        return noted.attempts if (noted.stream, noted.sequence) == (self._stream, sequence) else 0
