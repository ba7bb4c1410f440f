"""Why an event is quarantined: a closed list. A reason's rule is part of the answer a client gets."""

from enum import StrEnum


class Reason(StrEnum):
    """Code stored with a quarantined event and shown in answers and metrics."""

    MALFORMED_JSON = "malformed_json"
    NOT_AN_OBJECT = "not_an_object"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    WRONG_TYPE = "wrong_type"
    TOO_LONG = "too_long"
    OUT_OF_RANGE = "out_of_range"
    BAD_TIMESTAMP = "bad_timestamp"
    INVALID_SOURCE = "invalid_source"
    UNSUPPORTED_SCHEMA_VERSION = "unsupported_schema_version"
    APP_MISMATCH = "app_mismatch"
    UNKNOWN_APP = "unknown_app"
    MISSING_IDENTITY = "missing_identity"
    MISSING_EVENT_TYPE = "missing_event_type"
    TOO_OLD = "too_old"
    BEFORE_HISTORY_START = "before_history_start"
    PLAN_VIOLATION = "plan_violation"
    UNPARSABLE_LINE = "unparsable_line"
    POISON_ENVELOPE = "poison_envelope"

    @property
    def rule(self) -> str:
        """The rule that was broken, in one sentence."""
        return RULES[self]


RULES: dict[Reason, str] = {
    Reason.MALFORMED_JSON: "An event is one valid JSON value in UTF-8.",
    Reason.NOT_AN_OBJECT: "An event is a JSON object; `properties` is one too.",
    Reason.TOO_LARGE: "An event has at most 32 KB (32,768 bytes).",
    Reason.TOO_DEEP: "An event nests at most 16 levels.",
    Reason.WRONG_TYPE: "A field has the type that the contract gives it; ids are strings.",
    Reason.TOO_LONG: "A field has at most the length that the contract gives it.",
    Reason.OUT_OF_RANGE: "`duration_ms` is an integer from 0 to 2^63-1.",
    Reason.BAD_TIMESTAMP: "`timestamp` and `sent_at` are RFC 3339 with an offset, in the years 1 to 9999.",
    Reason.INVALID_SOURCE: "`source` is web, mobile, server (or its alias api) or import.",
    Reason.UNSUPPORTED_SCHEMA_VERSION: "`schema_version` is semantic (1.2.0) and its major version is at most 1.",
    Reason.APP_MISMATCH: "`app_id`, where given, is the app of the key or of the subject.",
    Reason.UNKNOWN_APP: "The subject's app exists.",
    Reason.MISSING_IDENTITY: "At least one of `user_id`, `anonymous_id` and `session_id` is given.",
    Reason.MISSING_EVENT_TYPE: "`event_type` is given, or `page_url`, which makes it a page_view.",
    Reason.TOO_OLD: "`event_time` lies within the app's `retention_days`, unless sent as history.",
    Reason.BEFORE_HISTORY_START: "History starts at the first partition (EVENTMILL_HISTORY_START).",
    Reason.PLAN_VIOLATION: "`properties` follow the app's tracking plan, where it says that others are quarantined.",
    Reason.UNPARSABLE_LINE: "An imported line has the form of the file's format.",
    Reason.POISON_ENVELOPE: "An envelope has the form of the contract, and can be decoded.",
}
