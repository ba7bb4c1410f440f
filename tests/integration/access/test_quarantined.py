"""`GET /api/quarantine`: rejected events as they were sent, for administrators of their app alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyarrow as pa
import pytest

from eventmill.data_files import write_data_file
from eventmill.delta_log import Commit
from eventmill.lake import QUARANTINE, LakeTable, lake_directory
from tests.shop_service import Service

pytestmark = pytest.mark.integration
NOW = datetime.now(UTC).replace(microsecond=0)


def rejected(number: int, reason: str, app_id: str = "shop", raw: bytes = b"{}") -> dict[str, Any]:
    row = {"app_id": app_id, "event_id": f"event-{number}", "reason": reason, "path": "$.timestamp", "raw": raw}
    row |= {"message": "no instant", "received_at": NOW - timedelta(minutes=number), "history": False, "context": "{}"}
    return row | {"stream_seq": number, "row_no": 0}


@pytest.fixture(scope="module")
def quarantined(service: Service) -> Service:
    """Two rejected events of the shop, one of the rival."""
    table = LakeTable(lake_directory(service.settings), QUARANTINE)
    table.create()
    rows = [
        rejected(1, "bad_timestamp", raw=b'{"timestamp":"soon","user_id":"ada"}'),
        rejected(2, "malformed_json", raw=b"\xff" + b"x" * 5_000),
        rejected(3, "bad_timestamp", app_id="rival"),
    ]
    file = write_data_file(
        table.directory,
        pa.Table.from_pylist(rows, schema=QUARANTINE.file_columns),
        {"received_date": str(NOW.date())},
        QUARANTINE.statistics,
    )
    table.append(Commit([file]), 0)
    return service


def test_rejected_events_of_the_app_come_as_they_were_sent(quarantined: Service) -> None:
    first, second = quarantined.data("/api/quarantine", key="admin")
    assert (first["event_id"], first["reason"], first["path"]) == ("event-1", "bad_timestamp", "$.timestamp")
    assert first["sent"] == '{"timestamp":"soon","user_id":"ada"}'
    assert first["rule"]
    assert first["is_cut"] is False
    assert (second["sent"][:2], len(second["sent"]), second["is_cut"]) == ("\ufffdx", 4_000, True)


def test_one_reason_may_be_asked_for_and_a_number_of_rows(quarantined: Service) -> None:
    of_a_reason = quarantined.data("/api/quarantine", key="admin", reason="malformed_json")
    assert [row["event_id"] for row in of_a_reason] == ["event-2"]
    assert len(quarantined.data("/api/quarantine", key="admin", limit=1)) == 1
    assert quarantined.data("/api/quarantine", key="admin", start="2020-01-01", end="2020-02-01") == []
    assert quarantined.problem("/api/quarantine", key="admin", reason="nonsense")[:2] == (400, "reason")


def test_a_read_key_sees_none_of_them(quarantined: Service, client: httpx.Client) -> None:
    asked = {"Authorization": f"Bearer {quarantined.keys['read']}"}
    assert client.get("/api/quarantine", headers=asked).status_code == 403
