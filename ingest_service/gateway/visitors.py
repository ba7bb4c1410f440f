"""Ids of web visitors without cookies, from the day's salt."""

from collections.abc import Awaitable, Callable
from datetime import date

import psycopg
import structlog

from eventmill.contracts.visitors import daily_id
from eventmill.errors import NotReadyError

LoadSalt = Callable[[date], Awaitable[bytes]]

logger = structlog.get_logger(__name__)


class Visitors:
    """Knows today's salt. Around midnight, while Postgres is down, yesterday's serves on."""

    def __init__(self, load_salt: LoadSalt) -> None:
        self._load_salt = load_salt
        self._day: date | None = None
        self._salt: bytes | None = None

    async def renew(self, day: date) -> None:
        """Have the salt of `day` (UTC) at hand, where the store answers."""
        if self._day == day:
            return
        try:
            self._salt = await self._load_salt(day)
        except (psycopg.Error, OSError, TimeoutError) as error:
            logger.warning("no new visitor salt", day=day.isoformat(), error=str(error) or type(error).__name__)
        else:
            self._day = day

    def id_of(self, app_id: str, address: str, user_agent: str) -> str:
        """The visitor's id of the day. Raises NotReadyError where no salt could be had since the start."""
        if self._salt is None:
            raise NotReadyError("The store of visitor salts does not answer.")
        return daily_id(self._salt, app_id, address, user_agent)
