"""The files of the pages in memory: named by their content, compressed once."""

import gzip
import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import zstandard

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
# Below this an answer is one packet anyway.
LEAST_BYTES = 600
ZSTD_LEVEL = 15
# What the browser is told to fetch at once: these, and all that they import. Other pages come when they are opened.
FIRST = ("app/main.js", "app/pages/overview.js")
_IMPORTED = re.compile(rb'\bfrom\s*"(\.{1,2}/[^"]+\.js)"')


@dataclass(frozen=True, slots=True)
class Asset:
    """A file: its bytes by content coding, the empty name being none; `etag` names the bytes without coding."""

    media_type: str
    bodies: Mapping[str, bytes]
    etag: str

    def chosen(self, accept_encoding: str) -> tuple[str, bytes]:
        """The smallest coding that a browser takes, and the bytes in it."""
        taken = {
            name.strip().lower()
            for name, _, weight in (one.partition(";") for one in accept_encoding.split(","))
            if weight.replace(" ", "") not in {"q=0", "q=0.0"}
        }
        known = [(coding, body) for coding, body in self.bodies.items() if not coding or coding in taken]
        return min(known, key=lambda one: len(one[1]))


@dataclass(frozen=True, slots=True)
class Assets:
    """Every file by its path. `version` names all of them together: what lies below it never changes."""

    by_path: Mapping[str, Asset]
    version: str

    def find(self, path: str) -> tuple[Asset, bool] | None:
        """The file of a path and whether the path names its version; None where there is no such file."""
        version, _, rest = path.partition("/")
        if version == self.version and rest in self.by_path:
            return self.by_path[rest], True
        return (self.by_path[path], False) if path in self.by_path else None


def load(replacements: Mapping[str, str]) -> Assets:
    """All files of this package that a browser asks for; in HTML the replacements' keys give way to their values."""
    texts = {path: entry.read_bytes() for path, entry in _walk(files("query_service.dashboard"), "")}
    version = hashlib.blake2b(
        b"".join(path.encode() + texts[path] for path in sorted(texts)), digest_size=6
    ).hexdigest()
    preloaded = _closure(texts, FIRST)
    values = {
        **replacements,
        "{{version}}": version,
        "{{preload}}": "\n".join(f'<link rel="modulepreload" href="/assets/{version}/{path}">' for path in preloaded),
    }
    pages = {path: _filled(body, values) for path, body in texts.items() if path.endswith(".html")}
    return Assets({path: _asset(path, body) for path, body in (texts | pages).items()}, version)


def _filled(body: bytes, values: Mapping[str, str]) -> bytes:
    for placeholder, value in values.items():
        body = body.replace(placeholder.encode(), value.encode())
    return body


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, f"{path}/")
        elif entry.name.rpartition(".")[2] in TYPES:
            yield path, entry


def _closure(texts: Mapping[str, bytes], first: Iterable[str]) -> list[str]:
    """The scripts and what they import by their place, each once, importers first."""
    found: dict[str, None] = {}
    waiting = list(first)
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            places = (match.decode() for match in _IMPORTED.findall(texts[path]))
            waiting += [posixpath.normpath(posixpath.join(posixpath.dirname(path), place)) for place in places]
    return list(found)


def _asset(path: str, body: bytes) -> Asset:
    bodies = {"": body}
    if len(body) >= LEAST_BYTES:
        bodies["gzip"] = gzip.compress(body, 9, mtime=0)
        bodies["zstd"] = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body)
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    return Asset(TYPES[path.rpartition(".")[2]], bodies, etag)
