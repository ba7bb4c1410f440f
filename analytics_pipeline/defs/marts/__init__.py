"""Marts: dbt's views over the rollups, and their documentation."""
