"""Names on the broker: the stream, its subjects and the headers of an envelope."""

import re

STREAM = "EVENTS"
SUBJECT_PREFIX = "events."
SUBJECTS = [f"{SUBJECT_PREFIX}*"]

# The writer says which hours a commit touched.
COMMITTED_SUBJECT = "analytics.committed"
# The pipeline says which periods of an app have new numbers.
UPDATED_SUBJECT_PREFIX = "analytics.aggregate.updated."

HEADER_MSG_ID = "Nats-Msg-Id"
HEADER_RECEIVED_AT = "Em-Received-At"
HEADER_HISTORY = "Em-History"
HEADER_CONTEXT = "Em-Context"
# An envelope of several requests: what holds for the events of each. It replaces history and context.
HEADER_SECTIONS = "Em-Sections"
# An alias that publishers of other pipelines already send.
HEADER_SCHEMA_VERSION = "schema-version"

APP_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def is_app_id(text: str) -> bool:
    """Whether `text` can name an app; such a text is always one subject token and one path segment."""
    return APP_ID.fullmatch(text) is not None


def subject_for(app_id: str) -> str:
    """Subject of an app's envelopes. Raises ValueError where `app_id` is not one."""
    if not is_app_id(app_id):
        msg = f"app_id must match {APP_ID.pattern}, got {app_id!r}"
        raise ValueError(msg)
    return SUBJECT_PREFIX + app_id


def updated_subject(app_id: str) -> str:
    """Subject on which an app's new numbers are told."""
    return UPDATED_SUBJECT_PREFIX + app_id


def app_of(subject: str) -> str:
    """App that a message on `subject` belongs to."""
    return subject.removeprefix(SUBJECT_PREFIX)
