"""`eventmill doctor`: the usual causes of trouble, checked one by one, each with what to do."""

import json
import urllib.error
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click
from rich.console import Console
from rich.text import Text

from eventmill import warehouse
from eventmill.control.migrate import current_version, migrations
from eventmill.embedded import home, nats, preflight
from eventmill.embedded.run_directory import RunDirectory
from eventmill.errors import EventmillError
from eventmill.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome; `ok` None when it could not be made now."""

    check: str
    ok: bool | None
    message: str
    hint: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check Python, wheels, ports, disk, home and connections; the exit code is 1 when something is wrong."""
    findings = examine(ctx.obj)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings)
    if any(finding.ok is False for finding in findings):
        ctx.exit(1)


def examine(settings: Settings) -> list[Finding]:
    """Make every check: one finding each."""
    is_running = RunDirectory(settings.home / "run").supervisor_pid() is not None
    findings = [
        _finding("python", preflight.check_python, "Python is new enough."),
        _finding("wheels", lambda: preflight.check_wheels(settings), "The embedded servers are installed."),
        _finding("home", lambda: preflight.check_data(settings), f"{settings.home} can be used by this version."),
        _finding("disk", lambda: home.check_space(settings.home), _space(settings)),
    ]
    if is_running:
        findings.append(Finding("ports", ok=True, message="The ports are held by the running eventmill."))
    else:
        findings.append(_finding("ports", lambda: preflight.check_ports(settings), "All ports are free."))
    return [*findings, _database(settings, is_running=is_running), _broker(settings, is_running=is_running)]


def _space(settings: Settings) -> str:
    return f"{home.free_bytes(settings.home) / 1024**3:.1f} GB are free."


def _finding(check: str, run: Callable[[], None], message: str) -> Finding:
    try:
        run()
    except EventmillError as error:
        return Finding(check, ok=False, message=error.message, hint=error.hint)
    return Finding(check, ok=True, message=message)


def _database(settings: Settings, *, is_running: bool) -> Finding:
    if settings.database_url is None and not is_running:
        return Finding("postgres", ok=None, message="Not running.", hint="Start it with `eventmill up`.")

    def connect() -> None:
        with warehouse.connect(settings) as connection:
            found, newest = current_version(connection), max(migrations())
        if found != newest:
            message = f"PostgreSQL answers; its schema is at version {found}, this program's at {newest}."
            hint = "Run `eventmill migrate`." if found < newest else "Start the newer eventmill that wrote it."
            raise EventmillError(message, hint)

    return _finding("postgres", connect, "PostgreSQL answers, at this version's schema.")


def _broker(settings: Settings, *, is_running: bool) -> Finding:
    if settings.nats_url is None and not is_running:
        return Finding("nats", ok=None, message="Not running.", hint="Start it with `eventmill up`.")
    monitor = settings.nats_monitor_address
    if monitor is None:
        hint = "Set EVENTMILL_NATS_MONITOR_URL so that this can be checked."
        return Finding("nats", ok=None, message="Unknown whether it syncs before it acknowledges.", hint=hint)
    try:
        is_durable = nats.syncs_always(monitor)
    except (urllib.error.URLError, OSError, ValueError) as error:
        return Finding("nats", ok=False, message=f"{monitor} does not answer: {error}", hint="Is it running?")
    if is_durable:
        return Finding("nats", ok=True, message="NATS answers and syncs before it acknowledges.")
    hint = "Set `jetstream { sync_interval: always }` in its configuration."
    return Finding("nats", ok=False, message="NATS acknowledges before it syncs: a power cut loses events.", hint=hint)


def _print(findings: list[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    marks = {True: Text("ok   ", "green"), False: Text("wrong", "bold red"), None: Text("-    ", "dim")}
    for finding in findings:
        console.print(marks[finding.ok] + Text(f"  {finding.check:<10} {finding.message}", "default"))
        if finding.hint:
            console.print(Text(f"{'':<18}{finding.hint}", "dim"))
