"""Questions that the lake answers: sandboxed DuckDB processes, what they read, and what they compute."""
