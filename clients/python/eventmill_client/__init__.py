"""Client of eventmill: `Client` asks the query service and follows its numbers live, `Tracker` sends events."""

from eventmill_client.problems import ProblemError
from eventmill_client.query import Answer, Client, LiveRefusedError, Update
from eventmill_client.tracker import Tracker

__all__ = ["Answer", "Client", "LiveRefusedError", "ProblemError", "Tracker", "Update"]
