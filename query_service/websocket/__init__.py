"""The WebSocket transport: answers to questions, again whenever they change. docs/live.md has every message."""
