"""`eventmill …`: one file per command group, loaded when it is called."""

from eventmill.cli.group import main

__all__ = ["main"]
