"""The home hour that is being written: its ids stay in memory, so that a look for copies costs what is new in it."""

from collections.abc import Sequence

from query_service.lake.jobs import Job
from query_service.lake.relations import SEEN_IDS, Session

_HASHES = "select hash(app_id, event_id) as event_hash from hour_files"
_IS_SUSPICIOUS = f"""
    select exists(from fresh_ids group by event_hash having count(*) > 1)
        or exists(from fresh_ids semi join {SEEN_IDS} using (event_hash))
"""


def has_new_copies(session: Session, job: Job) -> bool:
    """Whether a row of the files `new` may be a copy of another one, or of one of the files `old`.

    Ids are compared by 64-bit keys: that two share one is looked into, as copies are.
    """
    old, new = (frozenset(job.arguments[name]) for name in ("old", "new"))
    # Another worker may have looked since: what this one has not seen is fresh to it.
    if session.seen is None or not session.seen <= old:
        session.seen = None
        _hash(session, sorted(old), SEEN_IDS)
        session.seen = old
    _hash(session, sorted((old | new) - session.seen), "fresh_ids")
    [(found,)] = session.connection.execute(_IS_SUSPICIOUS).fetchall()
    session.seen = None  # until all of it is there
    session.connection.execute(f"insert into {SEEN_IDS} from fresh_ids")
    session.seen = old | new
    return bool(found)


def _hash(session: Session, paths: Sequence[str], table: str) -> None:
    session.use_files("hour_files", paths)
    session.connection.execute(f"create or replace temp table {table} as {_HASHES}")
