"""The answer to a question of version 2, and its JSON, written once however many ask."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from query_service.query.answer import BOTS, Meta
from query_service.query.model import Tenant
from query_service.query.rollup_reader import Fresh, Reading
from query_service.query.sources import LakeResult, LiveResult
from query_service.query.spec import QuerySpec
from query_service.query.table import Table, written

_ENCODER = msgspec.json.Encoder(enc_hook=str)
# They move on with the clock, and change no number.
_MOVING = ("as_of", "complete_through", "last_event_at")


class QueryMeta(Meta, kw_only=True):
    """What an answer of version 2 says of itself.

    `why` the source was chosen. `floor`: raw events before it have left the lake, so a range that begins earlier is not
    exact. `currencies` are those of `revenue`, which is null where there are several: rows have it by currency then.
    """

    granularity: str | None
    why: str
    compare_range: Mapping[str, str] | None = None
    floor: str | None = None
    currencies: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Resting:
    """What the rows of one range rest on."""

    source: str
    why: str
    fresh: Fresh
    complete_through: datetime | None
    late_pending: int = 0
    definition_version: str | None = None
    is_exact: bool = True
    currencies: Sequence[str] | None = None

    @classmethod
    def of_rollups(cls, reading: Reading, why: str) -> "Resting":
        """Rows of the rollups are exact."""
        fresh, currencies = reading.fresh, sorted(reading.cells.currencies) or None
        through, late, version = fresh.complete_through, fresh.late_pending, fresh.definition_version
        return cls("rollup", why, fresh, through, late, version, currencies=currencies)

    @classmethod
    def of_lake(cls, result: LakeResult, fresh: Fresh, why: str) -> "Resting":
        """Rows of events are as complete as the lake; those of its day tables as complete as their periods too."""
        through, late = result.complete_through, 0
        if result.tables:
            known = [at for at in (through, fresh.complete_through) if at is not None]
            through, late = (min(known) if len(known) == 2 else None), fresh.late_pending
        return cls("lake", why, fresh, through, late, result.definition_version, result.exact)

    @classmethod
    def of_live(cls, result: LiveResult, fresh: Fresh, why: str) -> "Resting":
        """What the stream brought, counted once as far as the window remembers."""
        return cls("live", why, fresh, result.complete_through, is_exact=False)


@dataclass(frozen=True, slots=True)
class Encoded:
    """An answer as JSON, and what names its numbers."""

    body: bytes
    etag: str


class SharedAnswer(msgspec.Struct, kw_only=True, dict=True):
    """Shared between requests: never changed."""

    data: Any
    meta: Any

    @cached_property
    def encoded(self) -> Encoded:
        """The answer as JSON; equal numbers and definitions have equal names, whenever they were computed."""
        return encode(self.data, self.meta)


class QueryAnswer(SharedAnswer, kw_only=True, dict=True):
    """Rows in the question's order and what they rest on."""

    data: Sequence[Mapping[str, Any]]
    meta: QueryMeta


def answered(spec: QuerySpec, found: Table, before: Table | None, resting: Resting) -> QueryAnswer:
    """The question's page of a table, beside the table that it is compared with."""
    rows, has_more = written(spec, found, before)
    fresh = resting.fresh
    meta = QueryMeta(
        as_of=fresh.as_of,
        complete_through=resting.complete_through,
        late_pending=resting.late_pending,
        source=resting.source,
        exact=resting.is_exact,
        definition_version=resting.definition_version,
        mixed=fresh.is_mixed,
        bots="counted" if spec.include_bots else BOTS,
        range=spec.range.echo(),
        next_cursor=spec.cursor_after(len(rows)) if has_more else None,
        last_event_at=fresh.last_event_at,
        silent_since=fresh.silent_since,
        granularity=spec.granularity,
        why=resting.why,
        compare_range=None if spec.compare_range is None else spec.compare_range.echo(),
        floor=_floor(spec.tenant) if resting.source == "lake" and not resting.is_exact else None,
        currencies=resting.currencies,
    )
    return QueryAnswer(data=rows, meta=meta)


def _floor(tenant: Tenant) -> str | None:
    return None if tenant.lake_floor is None else tenant.lake_floor.astimezone(tenant.time_zone).isoformat()


def encode(data: Any, meta: Any) -> Encoded:
    """`{"data": …, "meta": …}` and its weak ETag; `meta` is a struct, a data class, a mapping, or None for none."""
    rows = _ENCODER.encode(data)
    if meta is None:
        return Encoded(b'{"data":' + rows + b"}", _name(rows))
    fields = fields_of(meta)
    lasting = {name: value for name, value in fields.items() if name not in _MOVING}
    body = b'{"data":' + rows + b',"meta":' + _ENCODER.encode(fields) + b"}"
    return Encoded(body, _name(rows + _ENCODER.encode(lasting)))


def fields_of(meta: Any) -> Mapping[str, Any]:
    """What an answer says of itself, by name."""
    if isinstance(meta, msgspec.Struct):
        return msgspec.structs.asdict(meta)
    return meta if isinstance(meta, Mapping) else asdict(meta)


def _name(content: bytes) -> str:
    return f'W/"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
