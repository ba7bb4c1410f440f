"""Synthetic events: realistic, and the same for the same seed. Pure: nothing here reads a clock or sends anything."""
