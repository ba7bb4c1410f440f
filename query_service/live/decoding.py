"""Envelopes of many apps to tables of events, by the rules that the writer applies."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa
import structlog

from eventmill.contracts.decode import AppRules
from eventmill.contracts.envelope import EnvelopeError
from eventmill.contracts.subjects import app_of
from eventmill.envelopes.decoding import DecodedEnvelope, decode_envelope
from eventmill.envelopes.events_table import events_table
from eventmill.envelopes.runs import decode_run, runs
from eventmill.envelopes.source import Envelope
from query_service.live.window import SCHEMA

log = structlog.get_logger(__name__)


def decode(
    envelopes: Sequence[Envelope], rules: Mapping[str, AppRules | None], history_start: datetime
) -> dict[str, pa.Table]:
    """The events to store of each app, with the columns of SCHEMA in the stream's order; apps without any left out.

    What the writer rejects or leaves out is not among them. `rules` has every app of the envelopes, None for an app
    that does not exist.
    """
    by_app: dict[str, list[DecodedEnvelope]] = {}
    for run in runs(envelopes):
        app_id = app_of(run[0].subject)
        if (known := rules[app_id]) is not None:
            by_app.setdefault(app_id, []).extend(_decoded(run, known, history_start))
    found = {app_id: events_table(decoded, SCHEMA) for app_id, decoded in by_app.items()}
    return {app_id: table for app_id, table in found.items() if table.num_rows}


def _decoded(run: Sequence[Envelope], rules: AppRules, history_start: datetime) -> list[DecodedEnvelope]:
    try:
        if together := decode_run(run, rules, history_start):
            return together
    except Exception as error:  # noqa: BLE001 - which envelope caused it is found one by one
        log.warning("run cannot be decoded", first=run[0].sequence, last=run[-1].sequence, error=str(error))
    return [one for envelope in run if (one := _alone(envelope, rules, history_start)) is not None]


def _alone(envelope: Envelope, rules: AppRules, history_start: datetime) -> DecodedEnvelope | None:
    try:
        return decode_envelope(envelope, rules, history_start)
    except EnvelopeError:
        return None  # the writer quarantines it as a whole
    except Exception as error:  # noqa: BLE001 - the writer keeps what it cannot decode; the window goes on without it
        log.warning("envelope cannot be decoded", sequence=envelope.sequence, error=str(error))
        return None
