"""`eventmill quarantine …`: events that were rejected, kept whole, to be looked at, corrected and sent again."""

import base64
import json
from dataclasses import asdict
from typing import Any

import click

from eventmill import warehouse
from eventmill.cli.output import json_option, print_fields, print_rows
from eventmill.cli.quarantine_replay import replay
from eventmill.cli.quarantine_rows import filter_of, filter_options, open_quarantine
from eventmill.contracts.reasons import Reason
from eventmill.control import replays
from eventmill.quarantine import QuarantinedEvent
from eventmill.settings import Settings

SHOWN = ("id", "received_at", "reason", "path", "message", "replayed_at")
MAX_SHOWN = 50


@click.group()
def quarantine() -> None:
    """List, look at, correct and replay rejected events."""


@quarantine.command("list")
@filter_options
@click.option("--limit", type=click.IntRange(min=0), default=MAX_SHOWN, show_default=True, help="Newest first.")
@json_option
@click.pass_obj
def list_(settings: Settings, /, limit: int, as_json: bool, **chosen: Any) -> None:
    """Count rejected events by reason, and list the newest.

    Example: eventmill quarantine list --app shop --reason bad_timestamp --since 7d
    """
    wanted, found = filter_of(**chosen), open_quarantine(settings)
    counts = dict(found.counts(wanted).most_common())
    rows = found.newest(wanted, limit)
    with warehouse.connect(settings) as connection:
        replayed = replays.replayed_at(connection, [row.id for row in rows])
    listed = [_summary(row) | {"replayed_at": replayed.get(row.id)} for row in rows]
    if as_json:
        click.echo(
            json.dumps({"total": sum(counts.values()), "counts": counts, "events": listed}, default=str, indent=2)
        )
        return
    for reason, count in counts.items():
        click.echo(f"{count:>10,}  {reason}")
    click.echo(f"{sum(counts.values()):>10,}  in all")
    if listed:
        click.echo()
        print_rows(map(_shortened, listed), SHOWN, as_json=False)


@quarantine.command()
@click.argument("quarantine_id", metavar="ID")
@json_option
@click.pass_obj
def show(settings: Settings, quarantine_id: str, as_json: bool) -> None:
    """Show one rejected event: what was sent, what is wrong with it, and which rule says so.

    Example: eventmill quarantine show 12345-0-64a1b2c3d4e5f
    """
    row = open_quarantine(settings).find(quarantine_id)
    with warehouse.connect(settings) as connection:
        done = [asdict(one) for one in replays.replays_of(connection, [row.id])]
    rule = Reason(row.reason).rule if row.reason in list(Reason) else None
    shown = _summary(row) | {"rule": rule, "context": json.loads(row.context)} | _raw(row)
    if as_json:
        print_fields(shown | {"replays": done}, as_json=True)
        return
    print_fields(shown, as_json=False)
    if done:
        click.echo()
        print_rows(done, ("replayed_at", "replayed_by", "changed", "events", "stream_seq", "outcome"), as_json=False)


def _shortened(listed: dict[str, Any]) -> dict[str, Any]:
    """For a table: seconds will do, and the rule is for `show` to say."""
    replayed = listed["replayed_at"]
    return listed | {
        "received_at": listed["received_at"][:19],
        "message": listed["message"].partition(" (rule: ")[0],
        "replayed_at": None if replayed is None else f"{replayed:%Y-%m-%dT%H:%M:%S}",
    }


def _summary(row: QuarantinedEvent) -> dict[str, Any]:
    return {
        "id": row.id,
        "app_id": row.app_id,
        "event_id": row.event_id,
        "reason": row.reason,
        "path": row.path,
        "message": row.message,
        "received_at": row.received_at.isoformat(),
        "history": row.history,
    }


def _raw(row: QuarantinedEvent) -> dict[str, str]:
    try:
        return {"raw": row.raw.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(row.raw).decode()}


quarantine.add_command(replay)
