"""The writer on a real broker and a real lake: every event once, whatever dies."""

import pytest

pytestmark = pytest.mark.integration


async def test_everything_published_is_stored_once(bench, writer_process):
    last = await bench.publish_numbered(0, count=20)
    process = writer_process()
    await bench.wait_until_committed(last)
    last = await bench.publish_numbered(200, count=20)
    await bench.wait_until_committed(last)
    assert bench.event_ids() == [f"e{number}" for number in range(400)]
    process.terminate()
    assert process.wait(10) == 0
