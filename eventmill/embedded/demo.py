"""The demo app that a first `eventmill up` creates, and the file with its keys."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from eventmill import warehouse
from eventmill.control import apps
from eventmill.errors import EventmillError
from eventmill.settings import Settings

APP_ID = "demo"


def keys_file(settings: Settings) -> Path:
    """0600 file with the demo app's keys: `{app_id, write_key, read_key, admin_key}`."""
    return settings.home / "demo-keys.json"


def keys(settings: Settings) -> dict[str, str] | None:
    """The demo app's keys, None before it was created."""
    try:
        content: dict[str, str] = json.loads(keys_file(settings).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content


def ensure_app(settings: Settings) -> None:
    """Create the demo app unless it exists; issue new keys when the file with its keys is gone."""
    with warehouse.connect(settings) as connection:
        known = {app.app_id for app in apps.list_apps(connection) if app.deleted_at is None}
        if APP_ID in known and keys_file(settings).exists():
            return
        if APP_ID in known:
            issued = apps.IssuedKeys(
                write_key=apps.rotate_key(connection, APP_ID, "write"),
                read_key=apps.rotate_key(connection, APP_ID, "read"),
                admin_key=apps.rotate_key(connection, APP_ID, "admin"),
            )
        else:
            _, issued = apps.create_app(connection, "Demo", app_id=APP_ID)
        # Written before the commit: keys that were committed and not written could never be shown again.
        _write(keys_file(settings), {"app_id": APP_ID, **asdict(issued)})
        connection.commit()


def _write(path: Path, content: dict[str, str]) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise EventmillError(f"{path} cannot be written: {error.strerror}.", "Check EVENTMILL_HOME.") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    unfinished.replace(path)
