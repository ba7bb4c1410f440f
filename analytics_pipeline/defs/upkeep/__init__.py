"""Scheduled upkeep: comparison with the lake."""
