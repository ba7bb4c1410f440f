"""Why a statement is not run, and how each error reads at the client.

Flight's own errors carry their words alone; any other exception would show the client where our files lie.
"""

import re
from typing import Any, NoReturn

import psycopg
import structlog
from adbc_driver_manager import Error as AdbcError
from pyarrow import flight

from eventmill.errors import NotReadyError
from query_service.problems import Forbidden, Unauthorized

logger = structlog.get_logger(__name__)

# SQLSTATE classes that speak about the statement: data, features, syntax and names.
_ABOUT_THE_STATEMENT = ("22", "0A", "42", "21", "54")
_NO_RESOURCES = "53"
_CANCELLED = "57014"


class Refused(Exception):  # noqa: N818 - it refuses; nothing went wrong
    """The statement breaks a rule; the message names it and what is allowed."""


class NoTicket(Exception):  # noqa: N818 - it is simply not there
    """A ticket or handle is unknown, forged, expired, or somebody else's: nobody is told which."""


class CutOff(Exception):  # noqa: N818 - a limit did what it is for
    """The query reached a limit, which the message names."""


class Busy(Exception):  # noqa: N818 - it passes
    """Other queries are running, and none ended in time."""


def raise_for_client(error: Exception) -> NoReturn:
    """Raise what the client sees of any error; what it may not see is logged."""
    raise _flight_error(error) from None


def _flight_error(error: Exception) -> Any:
    if isinstance(error, flight.FlightError):
        return error
    for kind, made in _ANSWERS:
        if isinstance(error, kind):
            return made(str(error))
    if isinstance(error, NoTicket):
        text = "There is no such ticket or prepared statement for this credential, or not any more: ask for a new one."
        return flight.FlightServerError(text)
    if isinstance(error, NotReadyError):
        logger.warning("not ready", error=error.message, hint=error.hint)
        return flight.FlightUnavailableError("The numbers cannot be read now; try again later.")
    if isinstance(error, psycopg.Error | AdbcError):
        return _database_error(error)
    logger.error("request failed", exc_info=error)
    return flight.FlightInternalError("The request failed; the service's log says why.")


def _database_error(error: psycopg.Error | AdbcError) -> Any:
    code = error.sqlstate or ""
    if code.startswith(_ABOUT_THE_STATEMENT):
        return flight.FlightServerError(f"PostgreSQL refuses the statement: {_said(error)}")
    if code == _CANCELLED:
        return flight.FlightTimedOutError("The query took too long; ask for less.")
    if code.startswith(_NO_RESOURCES):
        logger.warning("query needs too much", error=_said(error))
        return flight.FlightServerError("The query needs more memory or temporary files than one may; ask for less.")
    logger.error("database failed", error=_said(error), sqlstate=code)
    return flight.FlightUnavailableError("The numbers cannot be read now; try again later.")


def _said(error: psycopg.Error | AdbcError) -> str:
    """PostgreSQL's one line, without the statement around it."""
    if isinstance(error, psycopg.Error):
        return error.diag.message_primary or type(error).__name__
    found = re.search(r"ERROR:\s+(.*)", str(error))
    return found[1] if found else type(error).__name__


_ANSWERS: list[tuple[type[Exception], Any]] = [
    (Refused, flight.FlightServerError),
    (CutOff, flight.FlightTimedOutError),
    (Busy, flight.FlightUnavailableError),
    (Unauthorized, flight.FlightUnauthenticatedError),
    (Forbidden, flight.FlightUnauthorizedError),
]
