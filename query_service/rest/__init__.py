"""The REST transport: reads parameters, calls the query path, writes JSON."""
