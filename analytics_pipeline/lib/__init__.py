"""Pure functions: no Dagster, no stores."""
