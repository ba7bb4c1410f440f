"""Rows that are named are deleted, and no others of their period."""

from datetime import UTC, datetime

import psycopg
import pyarrow as pa
import pytest

from analytics_pipeline.refresh import Refresher
from analytics_pipeline.stores import rollups
from tests.lake_of import NOW, HandMadeLake, event

pytestmark = pytest.mark.integration


def test_a_value_that_is_not_told_apart_any_more_goes_alone(
    lake: HandMadeLake, refresher: Refresher, connection: psycopg.Connection
) -> None:
    lake.append([event("e1", NOW, page_url="/a"), event("e2", NOW, page_url="/b")])
    refresher.refresh_open()
    pages = "select value, traffic from rollups.metric where dimension = 'page_url' and grain = 'hour' order by 1, 2"
    before = connection.execute(pages).fetchall()

    query = "select {} from rollups.metric where grain = 'hour' and value = '/a' and traffic = 'human'"
    names = ", ".join(rollups.METRIC.keys)
    table = connection.execute(query.format(names)).fetchall()
    gone = pa.table({name: [row[i] for row in table] for i, name in enumerate(rollups.METRIC.keys)})
    empty = pa.table({name: pa.array([], pa.string()) for name in rollups.METRIC.columns})
    with connection.transaction():
        written = rollups.write(connection, rollups.METRIC, empty, [], datetime.now(UTC), gone=gone)

    assert (written.deleted, set(before) - set(connection.execute(pages).fetchall())) == (1, {("/a", "human")})
