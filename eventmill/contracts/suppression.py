"""People who were erased and whose future events are left out. Their ids are known as salted hashes alone."""

import hashlib
from dataclasses import dataclass


def digest(salt: bytes, actor: str) -> bytes:
    """SHA-256 of an id and its kind (`u…` or `a…`) with the installation's salt."""
    return hashlib.sha256(salt + actor.encode()).digest()


@dataclass(frozen=True, slots=True)
class Suppression:
    """Hashes of suppressed ids, and their salt."""

    salt: bytes
    digests: frozenset[bytes]

    def covers(self, user_id: str | None, anonymous_id: str | None) -> bool:
        """Whether one of an event's ids is suppressed."""
        return bool(
            (user_id and digest(self.salt, f"u{user_id}") in self.digests)
            or (anonymous_id and digest(self.salt, f"a{anonymous_id}") in self.digests)
        )
