"""Rollups: exact aggregates of hours and days, computed by DuckDB, kept in Postgres."""
