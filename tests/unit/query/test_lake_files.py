"""Which files of the lake there are, followed through its logs; and files that an older version wrote."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from prometheus_client import CollectorRegistry

from eventmill import delta_log
from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit, DataFile
from eventmill.lake import EVENTS, LakeTable, create_tables
from eventmill.settings import Settings
from query_service.lake.service import Lake
from query_service.lake.table_files import LakeFile, TableFiles
from query_service.query import spec as specs
from query_service.query.model import Tenant
from tests.lake_of import HandMadeLake, event

AT = datetime(2026, 5, 12, 10, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def lake(new_directory: Callable[[], Path]) -> HandMadeLake:
    return HandMadeLake(new_directory() / "lake", clock=lambda: AT)


def fresh(table: LakeTable) -> dict[str, LakeFile]:
    files = TableFiles(table)
    files.refresh()
    return {file.path: file for file in files.files()}


def removed(file: LakeFile) -> DataFile:
    values = {"event_date": str(file.partition[0]), "event_hour": str(file.partition[1])}
    return DataFile(file.path.removeprefix("events/"), 1, values, 0, "")


def test_what_follows_the_log_is_what_a_new_look_finds(lake: HandMadeLake) -> None:
    followed = TableFiles(lake.table)
    followed.refresh()
    assert (followed.version, list(followed.files())) == (0, [])
    for number in range(3):
        lake.append([event(f"e{number}", AT + number * HOUR, user_id="u"), event(f"f{number}", AT, app_id="peak")])
        followed.refresh()
        assert {file.path: file for file in followed.files()} == fresh(lake.table)
    first, *_ = followed.files()
    assert (first.first_us, first.last_app) == (int(AT.timestamp()) * 1_000_000, "shop")
    lake.table.append(Commit(removes=[removed(first)], is_data_change=False), lake.table.version())
    followed.refresh()
    assert first.path not in {file.path for file in followed.files()}
    assert {file.path: file for file in followed.files()} == fresh(lake.table)
    assert followed.complete_through == AT


def test_a_log_that_was_cleaned_up_is_read_anew(lake: HandMadeLake) -> None:
    followed = TableFiles(lake.table)
    followed.refresh()
    for number in range(3):
        lake.append([event(f"e{number}", AT + number * HOUR, user_id="u")])
    DeltaTable(str(lake.table.directory)).create_checkpoint()
    for version in range(3):
        delta_log.log_path(lake.table.directory, version).unlink()
    followed.refresh()
    assert followed.version == 3
    assert {file.path: file for file in followed.files()} == fresh(lake.table)


def test_a_table_that_is_not_there_has_no_files(new_directory: Callable[[], Path]) -> None:
    assert fresh(LakeTable(new_directory(), EVENTS)) == {}


async def test_files_that_lack_columns_are_read_all_the_same(new_directory: Callable[[], Path]) -> None:
    settings = Settings(home=new_directory(), query_lake_workers=1)
    create_tables(settings)
    made = HandMadeLake(settings.home / "lake", version=LakeTable(settings.home / "lake", EVENTS).version())
    made.append([event("e1", AT, user_id="u1", channel="email")])
    old = pa.Table.from_pylist(
        [event("e2", AT + HOUR, user_id="u2") | {"stream_seq": 9, "row_no": 0}], schema=EVENTS.file_columns
    ).drop_columns(["channel", "referrer_host", "locale"])
    values = {"event_date": str(AT.date()), "event_hour": str(AT.hour + 1)}
    file = write_data_file(made.table.directory, old, values, EVENTS.statistics)
    made.table.append(Commit(adds=[file]), made.version)
    lake = Lake(settings, CollectorRegistry())
    lake.pool.start()
    try:
        asked: dict[str, Any] = {"metrics": ["events"], "dimensions": ["channel"]}
        range_ = [(AT - HOUR / 2).isoformat(), (AT + 2 * HOUR).isoformat()]
        spec = specs.parse({**asked, "date_range": range_}, Tenant("shop", ZoneInfo("UTC")), AT + 3 * HOUR)
        rows = (await lake.queries.run(spec)).rows
    finally:
        await lake.close()
    assert {row["channel"]: row["events"] for row in rows} == {"email": 1, None: 1}
