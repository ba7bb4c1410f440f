"""Dagster definitions, a folder a topic."""
