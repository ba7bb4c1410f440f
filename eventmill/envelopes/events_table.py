"""Decoded envelopes as one Arrow table of events, column by column."""

from collections.abc import Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any

import pyarrow as pa

from eventmill.contracts.schema import EVENTS_SCHEMA
from eventmill.envelopes.decoding import DecodedEnvelope
from eventmill.envelopes.usual import Portion, usual_table

_PLACE = ("stream_seq", "row_no")


def events_table(envelopes: Sequence[DecodedEnvelope], schema: pa.Schema = EVENTS_SCHEMA) -> pa.Table:
    """All events of the envelopes, in the stream's order, with the columns of `schema`: EVENTS_SCHEMA, or some of it,
    `stream_seq` and `row_no` among them."""
    portions = [
        Portion(envelope.sequence, [section.context for section in envelope.sections], envelope.usual)
        for envelope in envelopes
        if len(envelope.usual)
    ]
    others = _others_table(envelopes, schema)
    if not portions:
        return others
    usual = _with_own_sequences(usual_table(portions, schema), envelopes)
    if others.num_rows == 0:
        return usual
    return pa.concat_tables([usual, others]).sort_by([("stream_seq", "ascending"), ("row_no", "ascending")])


def _with_own_sequences(usual: pa.Table, envelopes: Sequence[DecodedEnvelope]) -> pa.Table:
    """Give the events of several messages that were decoded as one the sequence of their own message."""
    if all(envelope.sequences is None for envelope in envelopes):
        return usual
    sequences = [
        pa.array(envelope.sequences or [envelope.sequence] * len(envelope.sections), pa.int64()).take(
            envelope.usual.spans
        )
        for envelope in envelopes
        if len(envelope.usual)
    ]
    index = usual.column_names.index("stream_seq")
    return usual.set_column(index, usual.schema.field(index), pa.concat_arrays(sequences))


def _others_table(envelopes: Sequence[DecodedEnvelope], schema: pa.Schema) -> pa.Table:
    events = [event for envelope in envelopes for event in envelope.others]
    columns: dict[str, Any] = {name: list(map(attrgetter(name), events)) for name in schema.names if name not in _PLACE}
    columns["stream_seq"] = [
        sequence for envelope in envelopes for sequence in repeat(envelope.sequence, len(envelope.others))
    ]
    columns["row_no"] = [row for envelope in envelopes for row in envelope.other_rows]
    return pa.table(columns, schema=schema)
