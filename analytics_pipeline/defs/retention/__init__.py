"""Retention, upkeep of lake and stream, and of Dagster's own database."""
