"""The contract: what an event is, how it travels, how it is stored. The words are those of docs/events.md."""
