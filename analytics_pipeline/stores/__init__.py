"""Where results go in Postgres."""
