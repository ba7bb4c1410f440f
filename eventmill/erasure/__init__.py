"""Erases a person from every store, and says what was there, what is left, and why."""
