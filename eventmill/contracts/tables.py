"""Names of the lake's tables and of the schema of the rollups in Postgres."""

EVENTS = "events"
QUARANTINE = "quarantine"
IDENTITY_MAP = "identity_map"

ROLLUPS = "rollups"
