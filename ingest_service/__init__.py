"""Takes events in: the gateway (HTTP to the broker) and the writer (broker to the lake)."""
