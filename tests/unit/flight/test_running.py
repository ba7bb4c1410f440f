"""How many queries run at once, and what ends them."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from query_service.flight.limits import Limits
from query_service.flight.refusals import Busy, CutOff
from query_service.flight.running import Run, Runs

LIMITS = Limits(seconds=0.0, open=3, open_each=2, running=1, wait_seconds=0.01)


@pytest.fixture
def runs() -> Iterator[Runs]:
    made = Runs(LIMITS)
    yield made
    made.stop()


def test_a_credential_has_its_share_and_all_have_theirs(runs: Runs) -> None:
    with ExitStack() as places:
        places.enter_context(runs.place("a"))
        places.enter_context(runs.place("a"))
        with pytest.raises(Busy, match="2 queries of a credential"), runs.place("a"):
            pass
        places.enter_context(runs.place("b"))
        with pytest.raises(Busy, match="3 of all"), runs.place("c"):
            pass
    with runs.place("a"):
        pass


@pytest.mark.parametrize(
    ("limits", "is_gone", "reason"), [(LIMITS, False, "it may take 0 s"), (Limits(), True, "client has left")]
)
def test_a_query_that_takes_too_long_or_that_nobody_waits_for_is_cancelled(
    runs: Runs, limits: Limits, is_gone: bool, reason: str
) -> None:
    cancelled = threading.Event()
    run = Run(limits, cancelled.set, lambda: is_gone)
    with runs.watched(run), pytest.raises(CutOff, match=reason):
        wait_in(run, cancelled)


def wait_in(run: Run, cancelled: threading.Event) -> None:
    with run.waiting():
        assert cancelled.wait(10)
        raise RuntimeError("what the driver says of a query that was cancelled")


def test_turns_are_taken_one_after_the_other_and_nobody_waits_for_one_in_vain(runs: Runs) -> None:
    works, waits = (Run(Limits(), lambda: None, lambda: False) for _ in range(2))
    with runs.turn("a", works):
        waits.end("The client has left.")
        with runs.watched(waits), pytest.raises(CutOff, match="client has left"), runs.turn("b", waits):
            pass
    with runs.turn("b", works):
        pass


def test_an_error_of_its_own_is_not_called_a_cut(runs: Runs) -> None:
    run = Run(Limits(), lambda: None, lambda: False)
    with runs.watched(run), pytest.raises(RuntimeError, match="division"), run.waiting():
        raise RuntimeError("division by zero")


def test_stopping_cancels_what_runs() -> None:
    runs, cancelled = Runs(Limits()), threading.Event()
    with runs.watched(Run(Limits(), cancelled.set, lambda: False)):
        runs.stop()
    assert cancelled.is_set()
