"""What a worker is asked: which files to read, and what to compute of them."""

from typing import Any, Literal

import msgspec

Task = Literal["rows", "copies", "new_copies", "funnel", "funnel_people", "retention", "retention_people", "row_people"]
Value = str | int | float | bool | None


class EventFiles(msgspec.Struct, frozen=True):
    """Events of one app in `[start_us, end_us)` (microseconds since 1970), without their copies.

    `paths` and `identity_paths` are relative to the lake; `edges` are paths of files in which other times lie too.
    The table `excluded_rows` (place), where the job has it, says which rows are copies.
    """

    app_id: str
    start_us: int
    end_us: int
    paths: tuple[str, ...]
    edges: tuple[str, ...] = ()
    identity_paths: tuple[str, ...] = ()
    # Only events of these types matter; none says that all do.
    event_types: tuple[str, ...] = ()


class Job(msgspec.Struct, frozen=True):
    """One question. `app_id` is whose turn it takes; `days` are files of day tables by the table's name.

    `tables` names the Arrow tables that come with it; `seconds` and `max_rows` are its limits.
    """

    task: Task
    app_id: str
    arguments: dict[str, Any] = {}
    events: EventFiles | None = None
    days: dict[str, tuple[str, ...]] = {}
    tables: tuple[str, ...] = ()
    seconds: float = 15.0
    max_rows: int = 100_000


class Statement(msgspec.Struct, frozen=True):
    """SQL with question marks, and their values in order."""

    sql: str
    values: tuple[Value, ...] = ()


class Limits(msgspec.Struct, frozen=True):
    """What a worker may use: the first message that it gets."""

    lake: str
    memory: str
    threads: int
