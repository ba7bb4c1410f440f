"""Rows as CSV, Arrow and NDJSON, and which of them a client asks for."""

import csv
import io
from typing import Any

import pyarrow as pa
import pytest

from query_service.rest.formats import ARROW, CSV, JSON, NDJSON, chosen, to_arrow, to_csv, to_ndjson

ROWS: list[dict[str, Any]] = [
    {"timestamp": "2026-11-19T00:00:00-05:00", "page_url": "/a,b", "page_views": 3, "previous": {"page_views": None}},
    {"timestamp": "2026-11-20T00:00:00-05:00", "page_url": None, "page_views": 0, "previous": {"page_views": 2}},
]
META = {"range": {"time_zone": "America/New_York"}, "source": "rollup"}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", JSON),
        ("application/json", JSON),
        ("text/csv", CSV),
        ("text/*", CSV),
        ("Text/CSV; charset=utf-8", CSV),
        ("application/x-ndjson", NDJSON),
        ("application/vnd.apache.arrow.stream", ARROW),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("application/json;q=0.5, text/csv", CSV),
        ("application/*;q=0.2, application/json;q=0, text/csv;q=0.1", ARROW),
        ("text/csv;q=0", None),
        ("text/html", None),
        ("text/csv;q=nonsense", None),
        ("", None),
    ],
)
def test_the_client_s_preference_decides(accept: str, media_type: str | None) -> None:
    assert chosen(accept) == media_type


def test_csv_has_a_header_and_lines_of_rfc_4180() -> None:
    assert to_csv(ROWS, META) == (
        b"timestamp,page_url,page_views,previous.page_views\r\n"
        b'2026-11-19T00:00:00-05:00,"/a,b",3,\r\n'
        b"2026-11-20T00:00:00-05:00,,0,2\r\n"
    )


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", '=HYPERLINK("http://a")'])
def test_csv_holds_no_formula(value: str) -> None:
    (_, (cell,)) = csv.reader(io.StringIO(to_csv([{"page_url": value}], META).decode(), newline=""))
    assert cell == f"'{value}"


def test_csv_leaves_numbers_and_other_texts_alone() -> None:
    content = to_csv([{"change": -1.5, "page_url": "a=b-c", "is_other": True}], META)
    assert content.splitlines()[1] == b"-1.5,a=b-c,true"


def test_arrow_has_types_and_what_the_answer_says_of_itself() -> None:
    table = pa.ipc.open_stream(to_arrow(ROWS, META)).read_all()
    assert table.schema.field("timestamp").type == pa.timestamp("us", tz="America/New_York")
    assert table["page_views"].to_pylist() == [3, 0]
    assert table["previous.page_views"].to_pylist() == [None, 2]
    assert b'"source":"rollup"' in table.schema.metadata[b"meta"]


def test_ndjson_has_an_object_per_line() -> None:
    assert to_ndjson(ROWS, META).count(b"\n") == 2


def test_no_rows_are_nothing() -> None:
    assert (to_csv([], META), to_ndjson([], META)) == (b"", b"")
    assert pa.ipc.open_stream(to_arrow([], META)).read_all().num_rows == 0
