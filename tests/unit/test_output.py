"""What commands print of what others have sent."""

import json
from datetime import UTC, datetime

import pytest

from eventmill.cli.output import print_fields, print_rows, visible

HOSTILE = "\x1b[2J[bold]x[/bold]\r\x07\u202e\x9b31m"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (7, "7"), ("naïve Δ 日本", "naïve Δ 日本"), ("a\nb", "a\nb"), ("\x1b[31m\t", "\\x1b[31m\\t")],
)
def test_only_what_steers_a_terminal_is_escaped(value: object, shown: str) -> None:
    assert visible(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "yes"),
        (False, "no"),
        (datetime(2026, 11, 22, 19, 8, 42, 37141, tzinfo=UTC), "2026-11-22T19:08:42+00:00"),
        (["user_id", "properties.price"], "user_id, properties.price"),
        ({"is_bot": False}, '{"is_bot": false}'),
    ],
)
def test_values_read_as_people_write_them(value: object, shown: str) -> None:
    assert visible(value) == shown


def test_neither_terminal_codes_nor_markup_of_a_client_are_interpreted(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"raw": HOSTILE}, as_json=False)
    print_rows([{"message": HOSTILE}], ("message",), as_json=False)
    printed = capsys.readouterr().out
    assert printed.count("\\x1b[2J[bold]x[/bold]\\r\\x07\\u202e\\x9b31m") == 2
    assert all(character.isprintable() or character == "\n" for character in printed)


def test_an_id_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"id": "123456789-2499-660e1f4a9f538", "message": "m" * 500, "path": "$." + "p" * 60}
    print_rows([row], ("id", "path", "message"), as_json=False)
    assert row["id"] in capsys.readouterr().out


def test_json_holds_all_fields_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"id": 1, "other": HOSTILE}], ("id",), as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"id": 1, "other": HOSTILE}]
