"""`python -m tests.benchmarks.baselines.memory_flight FILE PORT`: a Flight server that sends one table from memory.

The fastest that Flight can be on this machine: no SQL, no tenant, nothing read.
"""

import sys
from pathlib import Path

import pyarrow as pa
from pyarrow import flight

BATCH_ROWS = 64 * 1024


class MemoryFlight(flight.FlightServerBase):
    """Answers every ticket with the same table."""

    def __init__(self, port: int, table: pa.Table) -> None:
        super().__init__(f"grpc://127.0.0.1:{port}")
        self._table = pa.Table.from_batches(table.combine_chunks().to_batches(BATCH_ROWS), table.schema)

    def do_get(self, _context: flight.ServerCallContext, _ticket: flight.Ticket) -> flight.FlightDataStream:
        return flight.RecordBatchStream(self._table)


if __name__ == "__main__":
    with pa.memory_map(str(Path(sys.argv[1]))) as file:
        whole = pa.ipc.open_file(file).read_all()
    MemoryFlight(int(sys.argv[2]), whole).serve()
