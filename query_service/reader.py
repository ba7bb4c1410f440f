"""Who reads, however they proved it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever may read these apps. `subject` names the credential to people: `key:<prefix>` or `oidc:<subject>`."""

    app_ids: tuple[str, ...]
    kind: Literal["read", "admin"]
    may_see_people: bool
    subject: str
