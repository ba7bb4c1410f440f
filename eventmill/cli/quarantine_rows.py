"""By what the commands of the quarantine choose rows."""

from datetime import datetime
from typing import Any

import click

from eventmill.cli.instants import Instant
from eventmill.contracts.reasons import Reason
from eventmill.errors import EventmillError
from eventmill.lake import QUARANTINE, LakeTable, lake_directory
from eventmill.quarantine import Quarantine, QuarantineFilter, QuarantineId
from eventmill.settings import Settings


def filter_options(command: Any) -> Any:
    """By what rows are chosen."""
    for option in (
        click.option("--until", type=Instant(), help="Received before; as --since."),
        click.option("--since", type=Instant(), help="Received from then on: 2026-11-01, 2026-11-01T12:00Z, 7d."),
        click.option(
            "--reason",
            "reasons",
            type=click.Choice([reason.value for reason in Reason]),
            multiple=True,
            metavar="REASON",
            help="Reason code (docs/events.md lists them); repeatable.",
        ),
        click.option("--app", "app_id", metavar="APP", help="The app's id."),
    ):
        command = option(command)
    return command


def open_quarantine(settings: Settings) -> Quarantine:
    """The quarantine as it is now. Raises LakeError where it was not made yet."""
    return Quarantine(LakeTable(lake_directory(settings), QUARANTINE))


def filter_of(
    *,
    app_id: str | None,
    reasons: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    ids: tuple[str, ...] = (),
) -> QuarantineFilter:
    """The options' filter. Raises EventmillError where no row can match, or an id is none."""
    if since is not None and until is not None and since >= until:
        raise EventmillError("--since must be before --until.")
    return QuarantineFilter(app_id, reasons, since, until, tuple(QuarantineId.parse(text) for text in ids))
