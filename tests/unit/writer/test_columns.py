"""Rows to Arrow tables, and tables to data files."""

from datetime import UTC, datetime

from eventmill.contracts.event import StoredEvent
from eventmill.contracts.schema import EVENTS_SCHEMA, QUARANTINE_SCHEMA
from eventmill.envelopes.events_table import events_table
from eventmill.lake import EVENTS, TouchedHour
from ingest_service.writer.columns import parts, quarantine_table, touched_hours
from tests.lake_writer_bench import envelope, lines


def test_every_field_of_an_event_arrives_in_its_column() -> None:
    decoded = envelope(7, [b"bad", *lines(7, 1, page_url="https://a.example/x?utm_source=mail", duration_ms=12)])
    (row,) = events_table([decoded]).to_pylist()
    event = decoded.others[0]
    assert {name: row[name] for name in StoredEvent.__struct_fields__} == {
        name: getattr(event, name) for name in StoredEvent.__struct_fields__
    }
    assert (row["stream_seq"], row["row_no"]) == (7, 1)


def test_rejected_events_keep_bytes_place_and_context() -> None:
    (row,) = quarantine_table([envelope(3, [*lines(3, 2), b"\xff not json"])]).to_pylist()
    assert (row["raw"], row["reason"], row["stream_seq"], row["row_no"]) == (b"\xff not json", "malformed_json", 3, 2)
    assert row["received_date"] == row["received_at"].date()
    assert row["message"].endswith("(rule: An event is one valid JSON value in UTF-8.)")


def test_tables_of_nothing_have_the_schema() -> None:
    assert events_table([]).schema == EVENTS_SCHEMA
    assert quarantine_table([envelope(1, lines(1))]).schema == QUARANTINE_SCHEMA
    assert touched_hours(events_table([])) == []
    assert list(parts(events_table([]), EVENTS)) == []


def test_files_are_cut_by_home_hour_and_shifted_events_lie_apart() -> None:
    decoded = envelope(
        1,
        [
            *lines(1, 2, timestamp="2026-03-01T10:00:00Z"),
            *lines(2, 1, timestamp="2026-03-01T09:59:59.999999Z"),
            *lines(3, 1, timestamp="2026-03-01T10:59:00Z", sent_at="2026-03-01T12:30:01Z"),
        ],
    )
    found = [
        (part.partition_values, part.prefix, part.rows["event_id"].to_pylist())
        for part in parts(events_table([decoded]), EVENTS)
    ]
    hour = {"event_date": "2026-03-01"}
    assert found == [
        (hour | {"event_hour": "9"}, "part", ["2.0"]),
        (hour | {"event_hour": "10"}, "part", ["1.0", "1.1"]),
        (hour | {"event_hour": "10"}, "shifted", ["3.0"]),
    ]


def test_touched_hours_are_those_of_the_corrected_time() -> None:
    decoded = envelope(1, lines(1, 2, timestamp="2026-03-01T10:59:00Z", sent_at="2026-03-01T12:30:01Z"))
    nine = datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert touched_hours(events_table([decoded])) == [TouchedHour("shop", nine, 2)]
