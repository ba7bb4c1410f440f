"""Starts nats-server and PostgreSQL from their wheels, and supervises every process of `eventmill up`."""
