"""The WebSocket transport: today's numbers of an app, again whenever they change."""
