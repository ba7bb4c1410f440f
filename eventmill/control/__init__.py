"""Apps, credentials and saved definitions, and the versioned schemas of Postgres."""
