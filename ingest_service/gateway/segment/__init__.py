"""Segment's HTTP API: its messages become our events, so that its SDKs work against the gateway unchanged."""
