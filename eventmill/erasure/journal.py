"""What an erasure must remember until it has ended: the ids, which it removes itself from the stores that tell them."""

import json
import os
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from eventmill import delta_log
from eventmill.erasure.person import Person
from eventmill.settings import Settings


@dataclass(frozen=True, slots=True)
class Begun:
    """An erasure that has begun: who, since when, and what was there."""

    erasure_id: uuid.UUID
    started_at: datetime
    person: Person
    session_keys: frozenset[str]
    before: dict[str, int]
    floor: datetime | None

    def save(self, path: Path) -> None:
        """Write it, durable and readable by its owner alone."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = path.with_name(f".{path.name}.tmp")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(self._encoded(), file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        delta_log.sync_directory(path.parent)

    def _encoded(self) -> dict[str, Any]:
        return {
            "erasure_id": str(self.erasure_id),
            "started_at": self.started_at.isoformat(),
            "app_id": self.person.app_id,
            "user_id": self.person.user_id,
            "anonymous_ids": sorted(self.person.anonymous_ids),
            "shared": sorted(self.person.shared),
            "session_keys": sorted(self.session_keys),
            "before": self.before,
            "floor": self.floor.isoformat() if self.floor else None,
        }


def path_of(settings: Settings, app_id: str, subject_sha256: str) -> Path:
    """Where the journal of an erasure lies."""
    return settings.state_dir / "erasures" / f"{app_id}-{subject_sha256[:16]}.json"


def load(path: Path) -> Begun | None:
    """An erasure that was cut off; None where there is none."""
    if not path.exists():
        return None
    saved = json.loads(path.read_text(encoding="utf-8"))
    person = Person(saved["app_id"], saved["user_id"], frozenset(saved["anonymous_ids"]), frozenset(saved["shared"]))
    return Begun(
        uuid.UUID(saved["erasure_id"]),
        datetime.fromisoformat(saved["started_at"]),
        person,
        frozenset(saved["session_keys"]),
        saved["before"],
        datetime.fromisoformat(saved["floor"]) if saved["floor"] else None,
    )
