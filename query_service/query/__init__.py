"""One query path: model → sql → executor → answer. No transport, no HTTP."""
