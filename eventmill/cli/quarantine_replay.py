"""`eventmill quarantine replay`: judge first, then send again what today's rules accept."""

import asyncio
import getpass
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from itertools import islice
from typing import Any

import click
import psycopg

from eventmill import stream, warehouse
from eventmill.cli.output import json_option, print_fields, print_rows
from eventmill.cli.quarantine_rows import filter_of, filter_options, open_quarantine
from eventmill.control import history
from eventmill.control.rules import app_rules
from eventmill.correction import parse_change
from eventmill.outbox import ignore_lost_connection
from eventmill.quarantine import QuarantinedEvent
from eventmill.quarantine_publish import Replayer, ReplayReport
from eventmill.quarantine_replay import Judge, JudgedRow
from eventmill.settings import Settings

MAX_SHOWN = 50
SHOWN = ("id", "was", "outcome", "reason", "path", "message")
Rows = Callable[[], Iterator[QuarantinedEvent]]


@click.command()
@click.argument("quarantine_ids", metavar="[ID]...", nargs=-1)
@filter_options
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows, the oldest days first.")
@click.option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Field or properties.x to set; repeatable."
)
@click.option("--history", "as_history", is_flag=True, help="Send as history: no event is too old.")
@click.option("--again", is_flag=True, help="Also those that were replayed before.")
@click.option("--dry-run", is_flag=True, help="Only say what would become of them.")
@click.option("--yes", is_flag=True, help="Do not show that first, and do not ask.")
@json_option
@click.pass_obj
def replay(settings: Settings, /, quarantine_ids: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Send rejected events again, corrected, if today's rules accept them; what was known when they came is kept.

    An event keeps its event_id, so it counts once however often it is replayed.

    Example: eventmill quarantine replay --app shop --reason missing_identity --set user_id=unknown --dry-run
    """
    if not quarantine_ids and options["app_id"] is None:
        raise click.UsageError("Name ids, or an app with --app.")
    if as_json and not (options["dry_run"] or options["yes"]):
        raise click.UsageError("--json asks nothing: add --dry-run or --yes.")
    chosen = {name: options[name] for name in ("app_id", "reasons", "since", "until")}
    wanted, found = filter_of(ids=quarantine_ids, **chosen), open_quarantine(settings)

    def rows() -> Iterator[QuarantinedEvent]:
        return islice(found.events(wanted), options["limit"])

    with warehouse.connect(settings) as connection:
        replayer = _replayer(settings, connection, options)
        if options["dry_run"] or not options["yes"]:
            _print_rehearsal(replayer.rehearse(rows()), as_json=as_json)
        if not options["dry_run"]:
            if not options["yes"]:
                click.confirm("Replay what is accepted?", abort=True)
            _print_done(asyncio.run(_replay(settings, replayer, rows)), as_json=as_json)


def _replayer(settings: Settings, connection: psycopg.Connection[Any], options: dict[str, Any]) -> Replayer:
    judge = Judge(
        app_rules(connection),
        _history_start(settings, history.recorded_start(connection)),
        [parse_change(text) for text in options["changes"]],
        options["as_history"],
    )
    connection.commit()
    return Replayer(connection, judge, replayed_by=_user(), again=options["again"])


async def _replay(settings: Settings, replayer: Replayer, rows: Rows) -> ReplayReport:
    # A broker that is away is an error here, not a reason to wait: what was published is known, the rest comes again.
    client = await stream.connect(
        settings,
        "eventmill quarantine replay",
        allow_reconnect=False,
        error_cb=ignore_lost_connection,
    )
    try:
        await stream.identify_stream(client.jetstream())
        return await replayer.replay(client.jetstream(), rows())
    finally:
        await client.close()


def _history_start(settings: Settings, recorded: date | None) -> datetime:
    return datetime.combine(recorded or settings.history_start, time.min, UTC)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"  # a container's user may have no name


def _results(judged: list[JudgedRow]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.row.id if len(one.lines) == 1 else f"{one.row.id}/{number}",
            "event_id": line.event_id,
            "was": one.row.reason,
            "outcome": line.outcome,
            "reason": line.reason,
            "path": line.path,
            "message": line.message,
        }
        for one in judged
        for number, line in enumerate(one.lines)
    ]


def _print_rehearsal(report: ReplayReport, *, as_json: bool) -> None:
    results = _results(report.judged)
    outcomes = Counter(f"{one['outcome']} {one['reason']}".strip() for one in results)
    if as_json:
        answer = {"dry_run": True, **_numbers(report), "outcomes": outcomes, "results": results}
        click.echo(json.dumps(answer, indent=2))
        return
    if results:
        print_rows(results[:MAX_SHOWN], SHOWN, as_json=False)
    if len(results) > MAX_SHOWN:
        click.echo(f"… and {len(results) - MAX_SHOWN:,} more")
    for outcome, count in outcomes.most_common():
        click.echo(f"{count:>10,}  {outcome}")
    if report.already_replayed:
        click.echo(f"{report.already_replayed:>10,}  replayed before (--again sends them once more)")


def _print_done(report: ReplayReport, *, as_json: bool) -> None:
    if as_json:
        answer = {"dry_run": False, **_numbers(report), "published_events": report.published_events}
        click.echo(json.dumps(answer))
        return
    done = {
        "replayed": f"{report.accepted:,} rows, {report.published_events:,} events",
        "replayed before": f"{report.already_replayed:,} rows",
        "left as they are": f"{report.rows - report.accepted - report.already_replayed:,} rows",
    }
    print_fields(done, as_json=False)


def _numbers(report: ReplayReport) -> dict[str, int]:
    return {"rows": report.rows, "accepted": report.accepted, "already_replayed": report.already_replayed}
