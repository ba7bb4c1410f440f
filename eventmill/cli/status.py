"""`eventmill status`: what runs on this home, since when, and what had to be restarted."""

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from eventmill import arrivals
from eventmill.cli.output import MIN_WIDTH
from eventmill.embedded.processes import processes
from eventmill.embedded.run_directory import RunDirectory, Status
from eventmill.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show every process; the exit code is 0 only when all of them are ready."""
    settings: Settings = ctx.obj
    answer = current(settings)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        _print(answer)
    # A supervisor that has just begun names no process yet: that is not readiness.
    if not (answer["processes"] and all(one["healthy"] for one in answer["processes"])):
        ctx.exit(1)


def current(settings: Settings) -> dict[str, Any]:
    """`{running, supervisor_pid, home, processes: [{name, phase, healthy, pid, started_at, restarts, …}], today}`.

    `today` is what arrived, per app; null where PostgreSQL does not answer.
    """
    state = RunDirectory(settings.home / "run").current()
    pid = state.supervisor_pid
    rows: list[dict[str, Any]] = []
    if pid is not None:
        probes = {one.name: one.is_ready for one in processes(settings)}
        for name, one in state.processes.items():
            # The phase says what the supervisor saw last; the probe is asked now.
            healthy = one.phase == "done" or (one.phase == "ready" and (name not in probes or probes[name]()))
            rows.append(_row(name, one, healthy=healthy))
    return {
        "running": pid is not None,
        "supervisor_pid": pid,
        "home": str(settings.home),
        "processes": rows,
        "today": None if pid is None else _today(settings),
    }


def _today(settings: Settings) -> list[dict[str, Any]] | None:
    rows = arrivals.today(settings)
    for row in rows or ():
        for name in ("last_event_at", "silent_since"):
            row[name] = row[name] and row[name].isoformat(timespec="seconds")
    return rows


def _row(name: str, one: Status, *, healthy: bool) -> dict[str, Any]:
    row = asdict(one)
    del row["stop_signal"]
    for field in ("started_at", "last_exit_at"):
        if row[field] is not None:
            row[field] = datetime.fromtimestamp(row[field], UTC).isoformat(timespec="seconds")
    return {"name": name, "healthy": healthy, **row}


def _print(answer: dict[str, Any]) -> None:
    console = Console(highlight=False)
    if not answer["running"]:
        console.print(f"eventmill is not running on {answer['home']}.", soft_wrap=True)
        return
    table = Table(
        Column("process", no_wrap=True), "state", "pid", "up", "restarts", "last exit", box=None, padding=(0, 2)
    )
    for one in answer["processes"]:
        state = one["phase"] if one["healthy"] or one["phase"] != "ready" else "not answering"
        style = "green" if one["healthy"] else "red"
        exit_code = "" if one["last_exit_code"] is None else str(one["last_exit_code"])
        up = _age(one["started_at"]) if one["pid"] else ""
        table.add_row(
            one["name"], f"[{style}]{state}[/{style}]", str(one["pid"] or ""), up, str(one["restarts"]), exit_code
        )
    console.print(table)
    if answer["today"]:
        console.print()
        # A narrower terminal breaks lines itself; rich would cut what does not fit.
        wide = Console(highlight=False, width=max(console.width, MIN_WIDTH))
        wide.print(_arrivals(answer["today"]))


def _arrivals(rows: list[dict[str, Any]]) -> Table:
    counts = ("received", "stored", "duplicates", "quarantined", "filtered")
    numbers = [Column(name, justify="right", no_wrap=True) for name in counts]
    words = (Column(name, no_wrap=True) for name in ("app today", "last event"))
    table = Table(next(words), *numbers, *words, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        last = f"{_age(row['last_event_at'])} ago" if row["last_event_at"] else "none known"
        if row["silent_since"]:
            last = f"[red]silent since {row['silent_since']}[/red]"
        table.add_row(row["app_id"], *(f"{row[name]:,}" for name in counts), last)
    return table


def _age(instant: str | None) -> str:
    if instant is None:
        return ""
    seconds = int(time.time() - datetime.fromisoformat(instant).timestamp())
    hours, minutes = divmod(seconds // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
