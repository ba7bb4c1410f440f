"""The live window: the last 60 minutes of every app in memory, read from the stream."""
