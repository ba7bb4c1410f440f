"""HTTP in, envelopes out: answers each event, and says yes only to what the broker has on disk."""
