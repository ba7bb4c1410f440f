"""What is computed from the lake's events, as SQL for DuckDB: shared by the pipeline and the query service."""
