"""The place where archived files lie: a local directory or an object store."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from eventmill import delta_log
from eventmill.errors import EventmillError, SettingsError
from eventmill.settings import Settings

_BLOCK_BYTES = 1024 * 1024


class ArchiveError(EventmillError):
    """The archive does not answer, or does not hold what was written to it."""


@dataclass(frozen=True, slots=True)
class ArchiveStore:
    """Files by their path below the archive's root. `directory` is set where that is one on this machine."""

    filesystem: pafs.FileSystem
    root: str
    directory: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> "ArchiveStore":
        """The archive of EVENTMILL_ARCHIVE_URL. Raises SettingsError for an address that nobody can open."""
        address = settings.archive_address
        parts = urlsplit(address)
        if parts.scheme in {"", "file"}:
            directory = Path(unquote(parts.path) if parts.scheme else address).expanduser().resolve()
            return cls(pafs.LocalFileSystem(), str(directory), directory)
        try:
            filesystem, root = pafs.FileSystem.from_uri(address)
        except (pa.ArrowException, ValueError, OSError) as error:
            # The address may hold a key: only its scheme is named.
            raise SettingsError(
                f"EVENTMILL_ARCHIVE_URL ({parts.scheme}://…) cannot be opened: {type(error).__name__}",
                "Give a directory, s3://bucket/prefix, gs://bucket/prefix or abfss://….",
            ) from error
        return cls(filesystem, root.rstrip("/"))

    def put(self, path: str, file: Path) -> None:
        """Store a local file under `path`; durable, and never visible in half. Raises ArchiveError."""
        try:
            if self.directory is None:
                self._upload(path, file)
            else:
                _copy(file, self.directory / path, self.directory)
        except OSError as error:
            raise ArchiveError(f"{path} could not be written to the archive: {error}") from error

    def _upload(self, path: str, file: Path) -> None:
        with file.open("rb") as source, self.filesystem.open_output_stream(f"{self.root}/{path}") as target:
            while block := source.read(_BLOCK_BYTES):
                target.write(block)

    def open(self, path: str) -> pa.NativeFile:
        """A file of the archive for reading at any place. Raises ArchiveError where it is not there."""
        try:
            return self.filesystem.open_input_file(f"{self.root}/{path}")
        except OSError as error:
            raise ArchiveError(f"{path} cannot be read from the archive: {error}") from error

    def sha256(self, path: str) -> str:
        """Digest of a file's bytes as they are read back. Raises ArchiveError."""
        digest = hashlib.sha256()
        with self.open(path) as source:
            try:
                while block := source.read(_BLOCK_BYTES):
                    digest.update(block)
            except OSError as error:
                raise ArchiveError(f"{path} cannot be read from the archive: {error}") from error
        return digest.hexdigest()

    def delete(self, path: str) -> None:
        """Delete a file; one that is not there is no error."""
        name = f"{self.root}/{path}"
        try:
            if self.filesystem.get_file_info(name).type != pafs.FileType.NotFound:
                self.filesystem.delete_file(name)
        except OSError as error:
            raise ArchiveError(f"{path} could not be deleted from the archive: {error}") from error

    def paths(self) -> Iterator[str]:
        """Every file below the root."""
        chosen = pafs.FileSelector(self.root, allow_not_found=True, recursive=True)
        for info in self.filesystem.get_file_info(chosen):
            if info.type == pafs.FileType.File:
                yield info.path[len(self.root) + 1 :]


def file_sha256(file: Path) -> str:
    """Digest of a local file's bytes."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _copy(file: Path, target: Path, root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    delta_log.make_directories(target.parent, root)
    unfinished = target.with_name(f".{target.name}.tmp")
    unfinished.unlink(missing_ok=True)
    with file.open("rb") as source, unfinished.open("xb") as copy:
        while block := source.read(_BLOCK_BYTES):
            copy.write(block)
    delta_log.sync_file(unfinished)
    unfinished.replace(target)
    delta_log.sync_directory(target.parent)
