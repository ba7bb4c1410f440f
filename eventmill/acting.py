"""Who acts, for the audit log: the command line says it once; services leave it empty and say it by request."""

from contextvars import ContextVar

# `cli:<user>`; what is done without one is not an administrator's.
ACTOR: ContextVar[str] = ContextVar("eventmill_actor", default="")
