"""Reads questions that come as JSON; of one that comes again, remembers what it meant."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from query_service.query import spec_fields
from query_service.query.json_body import json_object
from query_service.query.model import Tenant
from query_service.query.spec import FIELDS, QuerySpec, parse

MAX_BODY_BYTES = 64 * 1024
# Of longer ones, and of more than so many, nothing is remembered.
_LONGEST, _MOST = 4 * 1024, 2_000


@dataclass(slots=True)
class Asked:
    """A question as it came, and what it meant: to an app, in a minute."""

    fields: Mapping[str, Any]
    spec: QuerySpec | None = None
    minute: datetime | None = None

    @property
    def app_id(self) -> str | None:
        """The app that it names. Raises InvalidParameter."""
        spec_fields.refuse_unknown(self.fields, FIELDS)
        return spec_fields.name("app_id", self.fields.get("app_id"))

    def meant(self, tenant: Tenant, now: datetime) -> QuerySpec:
        """The question, checked. Raises InvalidParameter."""
        # Words are of days and hours, which begin with a minute in every zone; only `5m` and its like end now.
        minute = now.replace(second=0, microsecond=0)
        if self.spec is None or self.minute != minute or self.spec.tenant != tenant or self.spec.window is not None:
            self.spec, self.minute = parse(self.fields, tenant, now), minute
        return self.spec


class QuestionReader:
    """The questions that came last, by their bytes."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Asked] = OrderedDict()

    def read(self, body: bytes) -> Asked:
        """The question in a body. Raises InvalidParameter where it is no JSON object."""
        known = self._known.get(body)
        if known is None:
            known = Asked(json_object(body, "metrics", MAX_BODY_BYTES))
            if len(body) <= _LONGEST:
                self._known[body] = known
                if len(self._known) > _MOST:
                    self._known.popitem(last=False)
        return known
