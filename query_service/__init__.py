"""The query service: one path from a question to an answer, and the transports that carry it."""
