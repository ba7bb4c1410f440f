"""The body of a webhook: Slack's `text` and `blocks`, and the same for programs in `eventmill`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

# Slack takes 3,000 characters in a block.
MAX_TEXT = 2_900
SIGNS = {"opened": "🔴", "resolved": "🟢", "notice": "🔵", "test": "🔵"}
WORDS = {"opened": "", "resolved": "Resolved: ", "notice": "", "test": ""}


def message(
    state: str, kind: str, app_id: str | None, title: str, lines: list[str], details: Mapping[str, Any], at: datetime
) -> dict[str, Any]:
    """A body that Slack's and compatible incoming webhooks show. `state`: opened, resolved, notice or test."""
    headline = f"{SIGNS[state]} {WORDS[state]}{title}"
    text = "\n".join([f"*{escaped(headline)}*", *(f"• {escaped(line)}" for line in lines)])
    footer = " · ".join(filter(None, ["eventmill", kind, app_id, at.isoformat(timespec="seconds")]))
    return {
        "text": escaped(headline)[:MAX_TEXT],
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": text[:MAX_TEXT]}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": escaped(footer)}]},
        ],
        "eventmill": {
            "state": state,
            "kind": kind,
            "app_id": app_id,
            "title": title,
            "at": at.isoformat(),
            "details": dict(details),
        },
    }


def escaped(text: str) -> str:
    """As Slack asks for it: an event's name must not become a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
