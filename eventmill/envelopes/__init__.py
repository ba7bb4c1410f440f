"""Reads envelopes from the stream in order and turns them into rows: the same way for writer and live window."""
