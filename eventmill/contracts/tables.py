"""Names of the lake's tables and of the schemas in Postgres."""

EVENTS = "events"
QUARANTINE = "quarantine"

CONTROL = "control"
ROLLUPS = "rollups"
MARTS = "marts"
