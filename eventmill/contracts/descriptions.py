"""What each field and column means, in the words of docs/events.md: the one place that says it."""

FIELDS: dict[str, str] = {
    "app_id": "The tenant. Taken from the write key (HTTP) or the subject (NATS); another one here rejects the event.",
    "event_id": "Idempotency key within the app. A UUIDv7 is assigned where it is missing: a retry without an id "
    "cannot be recognised.",
    "event_type": "What happened: `page_view`, `screen_view`, `click`, `purchase`, … Default: `page_view` where "
    "`page_url` is given, else the event is quarantined.",
    "event_name": "A finer name. Default: `event_type`.",
    "timestamp": "When it happened, by the client's clock. Default: `received_at`, and `sent_at` is then ignored.",
    "sent_at": "When the client sent it: corrects a clock that is wrong.",
    "user_id": "The signed-in user. At least one of `user_id`, `anonymous_id` and `session_id` is required.",
    "anonymous_id": "The visitor who is not signed in. A web event without any id gets one for the day at the gateway: "
    "an HMAC of app, address and User-Agent, whose salt is destroyed afterwards.",
    "session_id": "The client's own session.",
    "source": "`web`, `mobile`, `server` or `import` (`api` means `server`). Default: what the User-Agent says, else "
    "`server`.",
    "page_url": "The page's address. Stored without query and fragment; a bare path such as `/products` stays as it "
    "is.",
    "page_path": "Its path. Default: that of `page_url`.",
    "page_title": "The page's title.",
    "referrer": "Address of the page before.",
    "utm_source": "Campaign source. Default: the parameter in `page_url`.",
    "utm_medium": "Campaign medium. Default: the parameter in `page_url`.",
    "utm_campaign": "Campaign name. Default: the parameter in `page_url`.",
    "utm_term": "Campaign term. Default: the parameter in `page_url`.",
    "utm_content": "Campaign content. Default: the parameter in `page_url`.",
    "device_type": "`desktop`, `mobile`, `tablet`, `tv` or `bot`. Default: what the User-Agent says.",
    "os": "Operating system. Default: what the User-Agent says.",
    "browser": "Browser. Default: what the User-Agent says.",
    "country": "Country. Default: that of `Em-Context`.",
    "app_version": "Version of the sending application.",
    "sdk_version": "Version of the sending library. Default: that of `Em-Context`.",
    "locale": "Language and region of the client, such as `de-AT`.",
    "time_zone": "IANA time zone of the client.",
    "duration_ms": "How long it took, e.g. screen time.",
    "is_bot": "Whether a machine did it. Default: what the User-Agent says. Bots are kept and flagged, never dropped.",
    "schema_version": "Version of this contract. A higher minor version is accepted, a higher major one quarantined.",
    "opt_out": "`true`: the device wants not to be counted; the event is left out, and only their number is kept.",
    "properties": "Everything else. A field with an unknown name joins it; where `properties` has the name already, "
    "it goes under `_top_level`.",
}

# Columns of the lake that no client sends.
DERIVED: dict[str, str] = {
    "event_time": "When it happened by our rules; every metric uses it.",
    "received_at": "When the gateway saw it; for direct NATS, the broker's own timestamp.",
    "page_query": "The query that was cut off `page_url`.",
    "referrer_host": "Host of `referrer` where it is another site than the page's.",
    "channel": "Where the visit came from (see Channels); null where nothing tells.",
    "click_id": "Name of the advertiser's parameter in `page_url`, such as `gclid`; its value stays in `page_query`.",
    "plan_violation": "How the event breaks the app's tracking plan, where it is kept nevertheless.",
    "shifted": "Whether `event_time` lies outside the home hour.",
    "event_date": "UTC date of the home hour; partition column.",
    "event_hour": "UTC hour (0 to 23) of the home hour; partition column.",
    "stream_seq": "Sequence of the envelope in the stream: the copy of a duplicate with the lowest one counts.",
    "row_no": "Place of the event in its envelope, from 0.",
}

QUARANTINE: dict[str, str] = {
    "app_id": "The app of the key or subject, whether or not it exists.",
    "event_id": "The event's id, where it could be told.",
    "reason": "Code of the broken rule (see Reasons).",
    "path": "JSON path of what is wrong, in the sender's own names.",
    "message": "What was wrong there, and the rule that it broke.",
    "raw": "The event's bytes, whole, as they were sent.",
    "received_at": "When the gateway or the broker saw it.",
    "history": "Whether it was sent as history.",
    "context": "The envelope's defaults, as JSON.",
    "stream_seq": "Sequence of the envelope in the stream.",
    "row_no": "Place of the event in its envelope, from 0.",
    "received_date": "UTC date of `received_at`; partition column.",
}

LIMITS: dict[str, str] = {
    "MAX_EVENT_BYTES": "Bytes of an event.",
    "MAX_REQUEST_BYTES": "Bytes of an HTTP request, after decompression (then 413).",
    "MAX_REQUEST_EVENTS": "Events of an HTTP request (then 413).",
    "MAX_NESTING": "Levels of nested objects and arrays in an event.",
    "MAX_HEADER_BYTES": "Bytes of an envelope's `Em-Sections`.",
    "MAX_EVENT_ID": "Characters of `event_id`.",
    "MAX_EVENT_TYPE": "Characters of `event_type`.",
    "MAX_EVENT_NAME": "Characters of `event_name`.",
    "MAX_ID": "Characters of `user_id`, `anonymous_id` and `session_id`.",
    "SCHEMA_MAJOR": "Highest major version of `schema_version`.",
    "DEFAULT_SCHEMA_VERSION": "`schema_version` of an event that names none.",
    "CLOCK_TOLERANCE": "Difference between `sent_at` and `received_at` beyond which the clock is corrected.",
    "MAX_FUTURE": "How far `event_time` may be ahead of `received_at`.",
    "DEFAULT_RETENTION_DAYS": "Days after which an event is too old, unless its app says otherwise; 0 is never.",
}

HEADERS: dict[str, str] = {
    "Nats-Msg-Id": "A UUID per envelope; send a retry under the same one, and the broker stores it once within "
    "2 minutes.",
    "Em-Received-At": "RFC 3339 with offset: when the gateway saw the request. Leave it out: the broker's own "
    "timestamp then holds.",
    "Em-History": "`true`: the events are history, and never too old.",
    "Em-Context": "JSON object of defaults for fields that the events leave out: `source`, `device_type`, `os`, "
    "`browser`, `country`, `sdk_version`, `schema_version` (strings) and `is_bot` (boolean).",
    "Em-Sections": "Of an envelope in which the gateway joins several requests, JSON: the distinct contexts, and per "
    "request the number of its events, microseconds from `Em-Received-At`, the number of its context, whether it is "
    "history, and how many events the app's filters left out.",
    "schema-version": "Default of `schema_version`.",
}
