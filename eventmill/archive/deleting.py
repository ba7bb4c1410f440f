"""An app's part of the archive goes with the app."""

from eventmill.archive import parts
from eventmill.archive.working import alone
from eventmill.settings import Settings


def delete_archive(settings: Settings, app_id: str) -> int:
    """Delete every file of the app from the archive; returns how many events were in them.

    Interrupted anywhere, the same call goes on. Raises ArchiveError where the archive does not answer.
    """
    deleted = 0
    with alone(settings) as place:
        for part in parts.list_parts(place.connection, app_id):
            place.archive.delete(part.manifest_path)
            place.archive.delete(part.path)
            parts.replace(place.connection, part, None)
            deleted += part.rows
    return deleted
