"""By which way a question came, for the metrics; a transport other than REST says so before it asks."""

from contextvars import ContextVar

TRANSPORT: ContextVar[str] = ContextVar("eventmill_transport", default="rest")
