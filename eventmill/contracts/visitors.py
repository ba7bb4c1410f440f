"""Anonymous ids that the gateway gives to web visitors without cookies."""

import hashlib
import hmac

# Ids of this form hold for one UTC day: uniques that rest on them are valid per day only.
DAILY_ID_PREFIX = "daily-"
# An actor is the kind of its id, here anonymous, and the id.
DAILY_ACTOR_PREFIX = f"a{DAILY_ID_PREFIX}"


def daily_id(salt: bytes, app_id: str, address: str, user_agent: str) -> str:
    """An id that the address cannot be told from once the day's salt is destroyed."""
    message = f"{app_id}\x00{address}\x00{user_agent}".encode("utf-8", "surrogatepass")
    return DAILY_ID_PREFIX + hmac.new(salt, message, hashlib.sha256).hexdigest()[:32]
