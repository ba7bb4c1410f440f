"""The Dagster code location: turns the lake into rollups and marts."""
