"""The vocabulary that the ingest service, the analytics pipeline and the query service share."""

__version__ = "0.1.0"
