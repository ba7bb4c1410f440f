"""`python -m eventmill.contracts.reference`: docs/events.md, made of the contract's own code."""

import sys
from collections.abc import Mapping
from datetime import timedelta

import pyarrow as pa
from msgspec import inspect

from eventmill import stream
from eventmill.contracts import descriptions, limits, schema, subjects
from eventmill.contracts.acquisition import CLICK_IDS
from eventmill.contracts.event import SOURCES, Event
from eventmill.contracts.filters import FilterKind
from eventmill.contracts.parse import ALIASES, NESTED_ALIASES
from eventmill.contracts.reasons import Reason
from eventmill.markdown import GENERATED, code, table

HEADERS = (
    subjects.HEADER_MSG_ID,
    subjects.HEADER_RECEIVED_AT,
    subjects.HEADER_HISTORY,
    subjects.HEADER_CONTEXT,
    subjects.HEADER_SECTIONS,
    subjects.HEADER_SCHEMA_VERSION,
)
# Kinds that differ from what msgspec checks while it decodes: the rest of the check needs the whole event.
_KINDS = {
    "app_id": f"string, `{subjects.APP_ID.pattern}`",
    "source": "one of " + ", ".join(code(name) for name in dict.fromkeys(SOURCES)),
    "schema_version": "semantic version",
    "properties": "JSON object",
}


def page() -> str:
    """The page as Markdown."""
    sections = [
        _INTRODUCTION,
        _fields(),
        _aliases(),
        _DERIVATIONS,
        _CHANNELS,
        _FILTERED,
        _nats(),
        _reasons(),
        _limits(),
        _lake(),
    ]
    return "\n\n".join(sections) + "\n"


_INTRODUCTION = f"""\
# Events

{GENERATED}

An event is one JSON object in UTF-8. The same rules hold over HTTP ([http_api.md](http_api.md)) and over NATS; one bad
event never fails its neighbours. All fields but an identity may be left out; `null` is as good as
absent."""

_DERIVATIONS = f"""\
## Derivations

- **Home hour**: the UTC hour of `timestamp` as sent, of `received_at` where it is missing. The lake is partitioned by
  it, so all copies of an event share it.
- **`event_time`**: `timestamp`; where `sent_at` differs from `received_at` by more than
  {limits.CLOCK_TOLERANCE.total_seconds():.0f} s, `received_at - (sent_at - timestamp)`. More than
  {limits.MAX_FUTURE.total_seconds() / 3600:.0f} h ahead of `received_at`: `received_at`. Where it leaves the home hour,
  `shifted` is set.
- **Too old**: `event_time` before `received_at` by more than the app's `retention_days`
  (default {limits.DEFAULT_RETENTION_DAYS}, 0 keeps for ever), unless the event was sent as history: `history=true` with
  an admin key over HTTP, the header `{subjects.HEADER_HISTORY}: true` over NATS, and every import.
- **Page**: the `utm_*` parameters are read from `page_url`, then its query goes to `page_query`, and its fragment goes.
- **Duplicate**: a second event with the same app and `event_id`. The copy with the lowest place in the stream counts;
  copies in one home hour count once, however far apart they arrive."""


_CHANNELS = f"""\
## Channels

`channel` says where a visit came from, by the rules of
[GA4's default channel group](https://support.google.com/analytics/answer/9756891): `direct`, `organic_search`,
`organic_social`, `organic_video`, `organic_shopping`, `paid_search`, `paid_social`, `paid_video`, `paid_shopping`,
`paid_other`, `display`, `email`, `affiliates`, `referral`, `audio`, `sms`, `mobile_push`, `cross_network`,
`unassigned`.

1. `utm_source`, `utm_medium` and `utm_campaign` decide where any of them is given. A medium with `cp`, or `ppc`,
   `retargeting` and `paid…`, is paid; a source may be a word (`google`) or a host (`www.google.com`).
2. Without them an advertiser's parameter in `page_url` does, the first of these: {", ".join(map(code, CLICK_IDS))}.
   `fbclid` is on every link from Facebook, so it means `organic_social`.
3. Without that the host of `referrer` does: a search engine, social network, video site, shop or mail service that is
   well known, else `referral`. The page's own host, with or without `www.`, is no referrer.
4. Else the visit is `direct`. An event that has none of all these and no `page_url` has no channel."""

_FILTER_KINDS = ", ".join(code(kind.value) for kind in FilterKind)
_FILTERED = f"""\
## Left out

An app can leave internal traffic out: by the client's address (at the gateway alone, which is where addresses stay;
not for history, whose sender is not whom it is about), by the host or the path of the page, because the device opted
out (`opt_out`), or because the person was erased and suppressed (`eventmill erase --suppress`). Such events are
counted, by {_FILTER_KINDS}, and not stored. A filter comes
before the rules for identity and age."""


def _fields() -> str:
    rows = [
        (code(field.name), _KINDS.get(field.name) or _kind(field.type), descriptions.FIELDS[field.name])
        for field in _event_fields()
    ]
    return "## Fields\n\n" + table(["field", "type", "meaning"], rows)


def _event_fields() -> tuple[inspect.Field, ...]:
    struct = inspect.type_info(Event)
    if not isinstance(struct, inspect.StructType):
        msg = "Event is no msgspec struct"
        raise TypeError(msg)
    return struct.fields


def _kind(kind: inspect.Type) -> str:
    """A type and its limits in words."""
    match kind:
        case inspect.UnionType(types=types):
            return next(_kind(one) for one in types if not isinstance(one, inspect.NoneType))
        case inspect.StrType(max_length=None):
            return "string"
        case inspect.StrType(max_length=length):
            return f"string, at most {length} characters"
        case inspect.IntType(ge=least):
            return f"integer from {least} to 2^63-1"
        case inspect.BoolType():
            return "boolean"
        case inspect.DateTimeType():
            return "RFC 3339 with an offset"
    msg = f"no words for {kind}"
    raise TypeError(msg)


def _aliases() -> str:
    rows = [(code(alias), code(name)) for alias, name in ALIASES.items()]
    rows += [(code(f"_metadata.{alias}"), code(name)) for alias, name in NESTED_ALIASES.items()]
    rows.append((f"header `{subjects.HEADER_SCHEMA_VERSION}` (NATS)", code("schema_version")))
    text = (
        "Where both names are given, the canonical one holds, and the alias joins `properties`. `user_pk` may be a "
        "number; all other ids are strings."
    )
    return f"## Aliases\n\n{text}\n\n" + table(["sent as", "means"], rows)


def _nats() -> str:
    text = (
        f"Subject `{subjects.SUBJECT_PREFIX}<app_id>` of the stream `{subjects.STREAM}`. A message is an envelope: one "
        f"event, a JSON array of events, or NDJSON, at most {stream.MAX_MESSAGE_BYTES:,} bytes. It is stored once the "
        "broker has confirmed it. All headers are optional."
    )
    rows = [(code(name), descriptions.HEADERS[name]) for name in HEADERS]
    return f"## Direct to NATS\n\n{text}\n\n" + table(["header", "meaning"], rows)


def _reasons() -> str:
    text = "A rejected event is kept whole in the lake table `quarantine`, with one of these codes."
    rows = [(code(reason.value), reason.rule) for reason in Reason]
    return f"## Reasons\n\n{text}\n\n" + table(["reason", "rule that was broken"], rows)


def _limits() -> str:
    rows = [(text, _value(getattr(limits, name))) for name, text in descriptions.LIMITS.items()]
    return "## Limits\n\n" + table(["limit", "value"], rows)


def _value(limit: int | str | timedelta) -> str:
    if isinstance(limit, timedelta):
        return f"{limit.total_seconds():,.0f} s"
    return f"{limit:,}" if isinstance(limit, int) else code(limit)


def _lake() -> str:
    events = _columns(schema.EVENTS_SCHEMA, descriptions.FIELDS | descriptions.DERIVED)
    quarantine = _columns(schema.QUARANTINE_SCHEMA, descriptions.QUARANTINE)
    return f"## Lake table `events`\n\n{events}\n\n## Lake table `quarantine`\n\n{quarantine}"


def _columns(columns: pa.Schema, texts: Mapping[str, str]) -> str:
    rows = [
        (code(column.name), str(column.type), "yes" if column.nullable else "no", texts[column.name])
        for column in columns
    ]
    return table(["column", "type", "may be null", "meaning"], rows)


if __name__ == "__main__":
    sys.stdout.write(page())
