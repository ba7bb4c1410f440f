"""Compares what the oracle was told with what the lake holds, read by another Delta reader than our own."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from eventmill import stream
from eventmill.lake import EVENTS, LakeTable, lake_directory, transaction_id
from eventmill.settings import Settings
from tests.chaos.plant import Plant

# In a process of its own: delta-rs and Arrow keep memory, and a test of 200 cycles would carry it along.
READ_LAKE = """
import json, os, sys
from deltalake import DeltaTable
def read(name, columns):
    return DeltaTable(f"{sys.argv[1]}/{name}").to_pyarrow_table(columns=columns).to_pydict()

events = read("events", ["event_id", "event_date", "event_hour", "received_at"])
places = zip(map(str, events["event_date"]), events["event_hour"], [at.timestamp() for at in events["received_at"]])
print(json.dumps({
    "events": list(zip(events["event_id"], places)),
    "quarantine": read("quarantine", ["event_id"])["event_id"],
}), flush=True)
# Threads of delta-rs and Arrow that still run while the interpreter ends abort the process now and then.
os._exit(0)
"""
WINDOW_SECONDS = 600


@dataclass(slots=True)
class Verdict:
    """Judges a plant by an oracle's ledgers."""

    plant: Plant
    oracle: "subprocess.Popen[bytes]"
    ledgers: Path

    def acknowledged(self) -> dict[str, str]:
        """Status by id of everything that was answered with 200."""
        return dict(line.split() for line in self._lines("acknowledged"))

    def attempted(self) -> set[str]:
        """Ids of everything that may have reached the gateway."""
        return set(self._lines("attempted"))

    def _lines(self, name: str) -> list[str]:
        path = self.ledgers / name
        # The last line may be half-written at this very moment.
        return path.read_text().rpartition("\n")[0].split("\n") if path.exists() and path.stat().st_size else []

    def await_traffic(self, events: int = 50) -> None:
        """Return once this many more events were acknowledged: the system works again, without a hand."""
        goal = self._acknowledgements() + events
        self.plant.until(lambda: self._acknowledgements() >= goal, "the gateway acknowledges nothing any more")
        assert self.oracle.poll() is None, "the oracle met an answer that it did not expect"

    def _acknowledgements(self) -> int:
        path = self.ledgers / "acknowledged"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def judge(self) -> None:
        """acknowledged ⊆ stored ∪ quarantined ⊆ attempted; ids unique; every commit's accounts balance."""
        acknowledged = self.acknowledged()
        self._await_writer()
        lake = self._read_lake()
        stored, quarantined = Counter(name for name, _ in lake["events"]), set(lake["quarantine"])
        attempted = self.attempted()
        lost = [name for name in acknowledged if name not in stored and name not in quarantined]
        assert not lost, f"{len(lost)} acknowledged events are lost: {lost[:5]}"
        invented = (stored.keys() | quarantined) - attempted
        assert not invented, f"{len(invented)} events were never sent: {sorted(invented)[:5]}"
        doubled = [name for name, copies in stored.items() if copies > 1 and not _counts_once(lake["events"], name)]
        assert not doubled, f"{len(doubled)} events are stored twice: {doubled[:5]}"
        misplaced = [name for name, status in acknowledged.items() if status == "quarantined" and name in stored]
        assert not misplaced, f"{len(misplaced)} events were called quarantined and are stored: {misplaced[:5]}"
        assert_balanced(self.plant.settings, sum(stored.values()), len(lake["quarantine"]))

    def _await_writer(self) -> None:
        name, last = asyncio.run(_stream_end(self.plant.settings))
        table = LakeTable(lake_directory(self.plant.settings), EVENTS)
        self.plant.until(
            lambda: (table.transaction_version(name) or 0) >= last,
            f"the writer did not reach sequence {last}: {self.plant.log('writer')}",
        )

    def _read_lake(self) -> dict[str, list[Any]]:
        command = [sys.executable, "-c", READ_LAKE, str(lake_directory(self.plant.settings))]
        read = subprocess.run(command, capture_output=True, text=True, check=False)
        assert read.returncode == 0, read.stderr
        return json.loads(read.stdout)


def _counts_once(events: list[Any], name: str) -> bool:
    """Whether readers count an event's copies once: of one home hour, and arrived, by the clocks of gateways that may
    have been off, too far apart for the window of recent ids."""
    copies = sorted((place for found, place in events if found == name), key=lambda place: place[2])
    is_far = all(later[2] - earlier[2] >= WINDOW_SECONDS for earlier, later in pairwise(copies))
    return is_far and len({tuple(place[:2]) for place in copies}) == 1


async def _stream_end(settings: Settings) -> tuple[str, int]:
    client = await stream.connect(settings, "chaos")
    try:
        identity = await stream.identify_stream(client.jetstream())
    finally:
        await client.close()
    return transaction_id(identity.created_at), identity.last_seq


def assert_balanced(settings: Settings, stored: int, quarantined: int) -> None:
    """Each account of each commit balances, and together they hold at least what the tables hold.

    The oracle goes on sending, so the notes may be ahead of the rows that were read.
    """
    totals: Counter[str] = Counter()
    for account in accounts(settings):
        rejected, filtered = sum(account["quarantined"].values()), sum(account["filtered"].values())
        assert account["received"] == account["stored"] + account["window_duplicate"] + rejected + filtered, account
        totals.update(stored=account["stored"], quarantined=rejected)
    assert totals["stored"] >= stored, (totals, stored)
    assert totals["quarantined"] >= quarantined, (totals, quarantined)


def accounts(settings: Settings) -> list[dict[str, Any]]:
    """The accounts in the commit notes of `events`, straight from its log."""
    log = lake_directory(settings) / EVENTS.name / "_delta_log"
    found: list[dict[str, Any]] = []
    for path in sorted(log.glob("*.json")):
        for line in path.read_text().splitlines():
            note = json.loads(line).get("commitInfo", {})
            found += _decoded(note.get("accounting", []))
    return found


def _decoded(value: Any) -> list[dict[str, Any]]:
    return json.loads(value) if isinstance(value, str) else value
