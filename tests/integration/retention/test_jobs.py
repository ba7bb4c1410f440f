"""What Dagster's schedules run."""

import os
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from analytics_pipeline import commits
from analytics_pipeline.defs.retention.jobs import RETENTION
from analytics_pipeline.defs.retention.schedules import schedules
from eventmill.embedded.processes import environment
from eventmill.settings import Settings
from tests.lake_of import HandMadeLake, event

pytestmark = pytest.mark.integration


def test_retention_is_due_at_two_and_archives_what_is_old(
    settings: Settings, connection: psycopg.Connection, lake: HandMadeLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {schedule.name: schedule.cron_schedule for schedule in schedules()}["retention_schedule"] == "0 2 * * *"
    now = datetime.now(UTC)
    lake.append([event("old", now - timedelta(days=31), user_id="u"), event("new", now, user_id="u")])
    commits.notice(settings, connection, 0, now)
    connection.execute("update rollups.periods set dirty_since = null")
    for name, value in environment(settings, os.environ).items():
        monkeypatch.setenv(name, value)
    assert RETENTION.execute_in_process().success
    assert connection.execute("select state, rows from control.archive_part").fetchall() == [("archived", 1)]
    assert lake.table.snapshot().files.num_rows == 1
