"""`eventmill import …`: files of history, straight to the stream, and done when the lake has them."""

import asyncio
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from eventmill import committed, stream, warehouse
from eventmill.access_log import AccessLogFormat
from eventmill.cli.progress import progress_bar
from eventmill.control import apps, history
from eventmill.control.import_salt import salt_of_app
from eventmill.errors import EventmillError
from eventmill.import_file import LineFormat, Survey, encoded_lines, refuse_too_old, survey
from eventmill.ndjson import NdjsonFormat
from eventmill.outbox import Envelope, NatsRoute, Outbox, history_envelopes, ignore_lost_connection
from eventmill.settings import Settings

WRITER_PATIENCE_SECONDS = 120.0


@dataclass(slots=True)
class Report:
    """What an import did. `quarantined` is reason → events; None where it did not wait for the writer.

    `known_broken` lines were not sent, since an earlier import of them has put them in quarantine.
    """

    app_id: str
    file: str
    lines: int
    earliest: datetime | None
    known_broken: int = 0
    sent: int = 0
    envelopes: int = 0
    retries: int = 0
    quarantined: dict[str, int] | None = None
    sequences: set[int] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        """The report for `--json`."""
        return {
            "app_id": self.app_id,
            "file": self.file,
            "lines": self.lines,
            "earliest": self.earliest.isoformat() if self.earliest else None,
            "sent": self.sent,
            "known_broken": self.known_broken,
            "envelopes": self.envelopes,
            "retries": self.retries,
            "quarantined": self.quarantined,
        }


@click.group()
def import_() -> None:
    """Import history from a file; importing the same file again changes no number."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    decorated = click.pass_obj(command)
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON."),
        click.option("--no-wait", is_flag=True, help="Do not wait until the writer has committed the events."),
        click.option("--app", "app_id", required=True, metavar="APP", help="App that the events belong to."),
        click.argument("file", type=click.Path(path_type=Path)),
    ):
        decorated = option(decorated)
    return decorated


@import_.command("access-log")
@_options
def access_log(settings: Settings, file: Path, app_id: str, no_wait: bool, as_json: bool) -> None:
    """Import a web server's log in Apache's or nginx's combined format (plain, .gz or .zst).

    Client addresses are stored nowhere: a visitor is a salted hash of address and User-Agent.
    """
    history_start, salt = _prepare(settings, app_id)
    importing = _Import(settings, app_id, file, AccessLogFormat(app_id, salt), is_quiet=as_json)
    _print(importing.run("access-log", history_start, is_waiting=not no_wait), as_json=as_json)


@import_.command("ndjson")
@_options
def ndjson(settings: Settings, file: Path, app_id: str, no_wait: bool, as_json: bool) -> None:
    """Import a file of one JSON event a line (plain, .gz or .zst), in the form that the gateway takes."""
    history_start, _ = _prepare(settings, app_id)
    importing = _Import(settings, app_id, file, NdjsonFormat(), is_quiet=as_json)
    _print(importing.run("ndjson", history_start, is_waiting=not no_wait), as_json=as_json)


def _prepare(settings: Settings, app_id: str) -> tuple[date, bytes]:
    """First date of history, and the app's salt. Raises EventmillError where the app takes no events."""
    with warehouse.connect(settings) as connection:
        if apps.get_app(connection, app_id).deleted_at is not None:
            raise EventmillError(f"App {app_id!r} is being deleted.", "`eventmill app list` shows all apps.")
        salt = salt_of_app(connection, app_id)
        return history.recorded_start(connection) or settings.history_start, salt


class _Import:
    """One file on its way into one app."""

    def __init__(self, settings: Settings, app_id: str, file: Path, line_format: LineFormat, *, is_quiet: bool) -> None:
        self._settings = settings
        self._app_id = app_id
        self._file = file
        self._format = line_format
        self._is_quiet = is_quiet

    def run(self, kind: str, history_start: date, *, is_waiting: bool) -> Report:
        """Survey the file, send it, wait for the writer. A bad file raises EventmillError before anything is sent."""
        found = self._survey(kind, history_start)
        report = Report(self._app_id, str(self._file), found.lines, found.earliest)
        with progress_bar(is_quiet=self._is_quiet) as progress:
            asyncio.run(self._send(report, progress, is_waiting=is_waiting))
        if is_waiting:
            report.quarantined = committed.quarantined(self._settings, self._app_id, report.sequences)
        return report

    def _survey(self, kind: str, history_start: date) -> Survey:
        found = survey(self._file, self._format)
        if found.lines and not found.timed:
            message = f"No line of {self._file} has the form of {kind} with a time. Nothing was stored."
            raise EventmillError(message, f"`eventmill import {kind} --help` says what it takes.")
        refuse_too_old(self._file, found, history_start, _command_that_starts_on)
        return found

    async def _send(self, report: Report, progress: Progress, *, is_waiting: bool) -> None:
        client = await stream.connect(self._settings, "eventmill import", error_cb=ignore_lost_connection)
        try:
            js = client.jetstream()
            identity = await stream.identify_stream(js)
            await self._deliver(NatsRoute(js, self._app_id), report, progress)
        finally:
            await client.close()
        if is_waiting and report.sequences:
            waiting = progress.add_task("waiting for the lake", total=None)
            last = max(report.sequences)
            await committed.wait_until_committed(
                self._settings, identity.created_at, last, patience_seconds=WRITER_PATIENCE_SECONDS
            )
            progress.update(waiting, total=1, completed=1)

    async def _deliver(self, route: NatsRoute, report: Report, progress: Progress) -> None:
        sending = progress.add_task("sending", total=report.lines)

        def acknowledged(envelope: Envelope, sequence: int) -> None:
            report.sent += len(envelope.lines)
            report.envelopes += 1
            report.sequences.add(sequence)
            progress.advance(sending, len(envelope.lines))

        known = committed.unparsable_ids(self._settings, self._app_id)
        outbox = Outbox(route, acknowledged)
        await outbox.deliver(history_envelopes(encoded_lines(self._file, self._format, self._app_id, known)))
        report.retries = outbox.retries
        report.known_broken = report.lines - report.sent


def _command_that_starts_on(day: date) -> str:
    return f"EVENTMILL_HISTORY_START={day} make up"


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{report.sent:,} of {report.lines:,} lines sent to app {report.app_id}, all durable.")
    if report.known_broken:
        console.print(f"{report.known_broken:,} broken ones are in quarantine already.")
    if report.quarantined is None:
        console.print("The writer commits them now: `eventmill status` shows it.")
        return
    in_quarantine = sum(report.quarantined.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(report.quarantined.items()))
    console.print(f"{in_quarantine:,} in quarantine{f' ({reasons})' if reasons else ''}; the others are in the lake.")
    if report.earliest is not None:
        start = shlex.quote(report.earliest.date().isoformat())
        console.print(f"The numbers follow within a minute: GET /api/metrics/daily?start={start}")
