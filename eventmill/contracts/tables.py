"""Names of the lake's tables and of the schema of the rollups in Postgres."""

EVENTS = "events"
QUARANTINE = "quarantine"
IDENTITY_MAP = "identity_map"
SESSIONS = "sessions"
ACTOR_DAYS = "actor_days"
SESSION_DAYS = "session_days"
ACTOR_FIRST = "actor_first"

ROLLUPS = "rollups"
