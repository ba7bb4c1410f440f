"""Broker in, lake out: each envelope is stored once, and the table itself remembers how far."""
