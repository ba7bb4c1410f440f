"""Saved dashboards: what their widgets may be, and what a shared one answers."""
