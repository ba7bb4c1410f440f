"""What is revenue in an event's properties."""

from decimal import Decimal

import duckdb
import pytest

from analytics_pipeline.engines import duckdb_sql


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param('{"revenue": 12.5, "currency": "eur"}', [("EUR", Decimal("12.5"))], id="a number"),
        pytest.param('{"revenue": "0.1"}', [("", Decimal("0.1"))], id="text that is one, in no currency"),
        pytest.param('{"value": 3, "currency": "USD"}', [("USD", Decimal(3))], id="a value in a currency"),
        pytest.param('{"value": 3}', [], id="a value in none"),
        pytest.param('{"revenue": -2, "currency": "USD"}', [("USD", Decimal(-2))], id="a refund"),
        pytest.param('{"revenue": "12,50", "value": 3, "currency": "USD"}', [], id="no number"),
        pytest.param('{"revenue": 1e30}', [], id="more than there is"),
    ],
)
def test_revenue_of_an_event(properties: str, expected: list[tuple[str, Decimal]]) -> None:
    with duckdb.connect() as duck:
        duckdb_sql.run(duck, "macros", folder="days")
        rows = duck.execute(
            "select currency_of(properties), amount_of(properties) from (select $1 as properties)"
            " where amount_of(properties) is not null",
            [properties],
        ).fetchall()
    assert rows == expected
