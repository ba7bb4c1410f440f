"""`eventmill seed`: a synthetic flow into an app, exact about what was acknowledged."""

import asyncio
import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click
from rich.console import Console

from eventmill import warehouse
from eventmill.cli.progress import progress_bar
from eventmill.contracts.limits import DEFAULT_RETENTION_DAYS
from eventmill.control import apps, history
from eventmill.embedded import demo
from eventmill.errors import EventmillError
from eventmill.seeding import Destination, Report, send
from eventmill.settings import Settings
from eventmill.synthetic.flow import Plan, Shares
from eventmill.synthetic.journeys import SyntheticSource

SHARE = click.FloatRange(0, 1)
DEFAULTS = Shares()


@click.command()
@click.option("--app", "app_id", required=True, metavar="APP", help="App that gets the events.")
@click.option("--count", type=click.IntRange(min=1), help="Valid events with ids of their own; all of them will count.")
@click.option(
    "--source", type=click.Choice(["web", "mobile", "server", "mixed"]), default="mixed", show_default=True,
    help="Where the events come from.",
)  # fmt: skip
@click.option("--days", type=click.FloatRange(min=0), default=0, help="Spread them over the last DAYS days.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Send this many events a second, as of now.")
@click.option("--seed", "seed_number", type=int, help="The same seed and --now give the same events, ids too.")
@click.option("--now", type=click.DateTime(), help="Instant (UTC) to generate for.  [default: the present]")
@click.option("--late", type=SHARE, default=DEFAULTS.late, show_default=True, help="Share that happened hours before.")
@click.option("--duplicates", type=SHARE, default=DEFAULTS.duplicates, show_default=True, help="Share sent twice.")
@click.option(
    "--malformed", type=SHARE, default=DEFAULTS.malformed, show_default=True, help="Share of broken ones on top."
)
@click.option("--forever", is_flag=True, help="Go on until stopped; needs --rate.")
@click.option(
    "--via", type=click.Choice(["nats", "http"]), default="nats", show_default=True, help="Way to the stream."
)
@click.option("--key", help="Write key for --via http.  [default: the demo app's]")
@click.option(
    "--ledger", type=click.Path(path_type=Path), help="Append each acknowledged event id to this file, fsynced."
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.pass_obj
def seed(
    settings: Settings,
    /,
    *,
    app_id: str,
    via: str,
    key: str | None,
    ledger: Path | None,
    as_json: bool,
    **flow: Any,
) -> None:
    """Send realistic synthetic events.

    COUNT valid events will count; duplicates and malformed ones come on top of them. Ends when everything is durable.
    """
    plan = _plan(app_id, **flow)
    destination = _destination(settings, plan, via, key)
    with progress_bar(is_quiet=as_json) as bar:
        task = bar.add_task("sending", total=plan.count)
        report = asyncio.run(
            send(settings, plan, destination, ledger=ledger, on_events=lambda number: bar.advance(task, number))
        )
    _print(report, as_json=as_json)


def _plan(
    app_id: str,
    *,
    count: int | None,
    source: str,
    days: float,
    rate: float | None,
    seed_number: int | None,
    now: datetime | None,
    late: float,
    duplicates: float,
    malformed: float,
    forever: bool,
) -> Plan:
    _check_combination(count, days, rate, is_endless=forever)
    return Plan(
        app_id=app_id,
        count=count,
        # Whole seconds, so that --now can repeat it.
        now=(now or datetime.now(UTC)).replace(tzinfo=UTC, microsecond=0),
        seed=secrets.randbelow(1_000_000) if seed_number is None else seed_number,
        source=None if source == "mixed" else cast("SyntheticSource", source),
        days=days,
        rate=rate,
        shares=Shares(late, duplicates, malformed),
    )


def _check_combination(count: int | None, days: float, rate: float | None, *, is_endless: bool) -> None:
    if is_endless and rate is None:
        raise click.UsageError("--forever needs --rate.")
    if is_endless and count is not None:
        raise click.UsageError("--count and --forever exclude each other.")
    if not is_endless and count is None:
        raise click.UsageError("Give --count, or --forever with --rate.")
    if days and rate is not None:
        raise click.UsageError("--days and --rate exclude each other: a paced flow happens now.")


def _destination(settings: Settings, plan: Plan, via: str, key: str | None) -> Destination:
    if via == "http":
        return Destination(_write_key(settings, plan.app_id, key), DEFAULT_RETENTION_DAYS)
    with warehouse.connect(settings) as connection:
        app = apps.get_app(connection, plan.app_id)
        start = history.recorded_start(connection) or settings.history_start
    if app.deleted_at is not None:
        raise EventmillError(f"App {plan.app_id!r} is being deleted.", "`eventmill app list` shows all apps.")
    longest = (plan.now.date() - start).days
    if plan.days > longest:
        raise EventmillError(
            f"--days {plan.days:g} reaches back before {start}, where history starts (EVENTMILL_HISTORY_START).",
            f"Take at most --days {longest}, or start eventmill with an earlier EVENTMILL_HISTORY_START.",
        )
    return Destination(None, app.retention_days)


def _write_key(settings: Settings, app_id: str, key: str | None) -> str:
    if key is not None:
        return key
    known = demo.keys(settings)
    if known is None or known["app_id"] != app_id:
        raise EventmillError(f"--via http needs the write key of {app_id!r}.", "Give it with --key.")
    return known["write_key"]


def _print(report: Report, *, as_json: bool) -> None:
    answer: dict[str, Any] = report.as_json()
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{report.events:,} events acknowledged for app {report.app_id} in {report.seconds:.1f} s,"
        f" with {report.duplicates:,} duplicates and {report.malformed:,} malformed ones besides."
    )
    console.print(f"Again, the same: --seed {report.seed} --now {report.now:%Y-%m-%dT%H:%M:%S}")
