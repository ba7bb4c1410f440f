"""`eventmill plan …`: what the properties of an app's events look like."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from eventmill import warehouse
from eventmill.cli.output import app_option, json_option, print_fields, print_rows
from eventmill.contracts.plan import PlanAction, TrackingPlan, plan_of
from eventmill.control import plans
from eventmill.errors import EventmillError
from eventmill.plan_check import check_lines
from eventmill.settings import Settings

type_option = click.option("--event-type", required=True, help="Event type whose properties the schema describes.")
ACTIONS = [action.value for action in PlanAction]
schema_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def plan() -> None:
    """Describe the properties of event types by JSON Schema, and say what becomes of events that differ.

    flag keeps the event and marks it (plan_violation); omit keeps it without the properties that break the schema;
    quarantine sets it aside. A change holds within 30 s.
    """


@plan.command("set")
@app_option
@type_option
@click.option("--schema", type=schema_file, required=True, help="File with the JSON Schema of `properties`.")
@click.option("--action", type=click.Choice(ACTIONS), required=True, help="What becomes of a violation.")
@json_option
@click.pass_obj
def set_(settings: Settings, app_id: str, event_type: str, schema: Path, action: str, as_json: bool) -> None:
    """Add an event type to the plan, or replace its schema and action.

    Example: eventmill plan set --app shop --event-type purchase --schema purchase.json --action quarantine
    """
    with warehouse.connect(settings) as connection:
        plans.set_type(connection, app_id, event_type, schema.read_bytes(), PlanAction(action))
    print_fields({"app_id": app_id, "event_type": event_type, "action": action}, as_json=as_json)


@plan.command("list")
@app_option
@json_option
@click.pass_obj
def list_(settings: Settings, app_id: str, as_json: bool) -> None:
    """List the event types of an app's plan.

    Example: eventmill plan list --app shop
    """
    with warehouse.connect(settings) as connection:
        found = plans.list_types(connection, app_id)
    rows = [
        {"event_type": one.event_type, "action": one.action, "updated_at": one.updated_at, "schema": _as_json(one)}
        for one in found
    ]
    print_rows(rows, ("event_type", "action", "updated_at"), as_json=as_json)


@plan.command()
@app_option
@type_option
@json_option
@click.pass_obj
def show(settings: Settings, app_id: str, event_type: str, as_json: bool) -> None:
    """Show one event type's schema: the text that was set, or all about it as JSON.

    Example: eventmill plan show --app shop --event-type purchase > purchase.json
    """
    with warehouse.connect(settings) as connection:
        found = plans.get_type(connection, app_id, event_type)
    if as_json:
        print_fields(asdict(found) | {"schema": _as_json(found)}, as_json=True)
    else:
        click.echo(found.schema)


@plan.command()
@app_option
@type_option
@json_option
@click.pass_obj
def delete(settings: Settings, app_id: str, event_type: str, as_json: bool) -> None:
    """Take an event type out of the plan: its events are not looked at any more.

    Example: eventmill plan delete --app shop --event-type purchase
    """
    with warehouse.connect(settings) as connection:
        plans.delete_type(connection, app_id, event_type)
    print_fields({"app_id": app_id, "event_type": event_type, "deleted": True}, as_json=as_json)


@plan.command()
@app_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--event-type", help="With --schema: try this schema for the event type, without setting it.")
@click.option("--schema", type=schema_file, help="File with the JSON Schema to try.")
@click.option(
    "--action",
    type=click.Choice(ACTIONS),
    default="flag",
    show_default=True,
    help="With --schema: its action.",
)
@json_option
@click.pass_context
def check(
    ctx: click.Context,
    app_id: str,
    file: Path,
    event_type: str | None,
    schema: Path | None,
    action: str,
    as_json: bool,
) -> None:
    """Say which events of an NDJSON file would break the plan; nothing is sent. The exit code is 1 if any would.

    Example: eventmill plan check --app shop events.ndjson
    """
    if (event_type is None) is not (schema is None):
        raise click.UsageError("--event-type and --schema belong together.")
    tried = {event_type: (schema.read_bytes(), action)} if event_type and schema else {}
    plan = _plan(ctx.obj, app_id, tried)
    with file.open("rb") as lines:
        checked = list(check_lines(app_id, plan, lines))
    findings = [asdict(finding) for finding in checked if finding is not None]
    if as_json:
        click.echo(json.dumps({"events": len(checked), "findings": findings}, indent=2))
    else:
        if findings:
            print_rows(findings, ("line", "event_type", "action", "path", "message"), as_json=False)
        click.echo(f"{len(checked):,} events, {len(findings):,} of them not as planned.")
    ctx.exit(1 if findings else 0)


def _plan(settings: Settings, app_id: str, tried: dict[str, tuple[bytes, str]]) -> TrackingPlan:
    """The app's plan, with the schemas to try in place of its own."""
    with warehouse.connect(settings) as connection:
        own = {one.event_type: (one.schema.encode(), one.action) for one in plans.list_types(connection, app_id)}
    found = plan_of(own | tried)
    if found is None:
        raise EventmillError(f"App {app_id!r} has no tracking plan.", "`eventmill plan set` adds an event type.")
    return found


def _as_json(entry: plans.PlanEntry) -> object:
    return json.loads(entry.schema)
