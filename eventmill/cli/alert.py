"""`eventmill alert …`: thresholds on an app's metrics."""

from typing import Any

import click

from eventmill import warehouse
from eventmill.cli.output import app_option, json_option, print_fields, print_rows
from eventmill.control import alerts, webhooks
from eventmill.control.alerts import Alert
from eventmill.settings import Settings

_LISTED = ("name", "condition", "for_minutes", "value_now", "firing_since", "evaluated_at")


@click.group()
def alert() -> None:
    """Say when a number is above or below a threshold.

    An alert fires once and is over once, and looks at complete hours and days only unless told otherwise.
    """


@alert.command()
@click.argument("name")
@app_option
@click.option("--metric", required=True, metavar="METRIC", help=f"{', '.join(alerts.METRICS)}; revenue:EUR.")
@click.option("--dimension", default="total", show_default=True, help="What the number is cut by, such as country.")
@click.option("--value", help="The dimension's value; without it, events that have none.")
@click.option("--above", type=float, metavar="N", help="Fires above N.")
@click.option("--below", type=float, metavar="N", help="Fires below N.")
@click.option("--at-least", type=float, metavar="N", help="Fires at N and above.")
@click.option("--at-most", type=float, metavar="N", help="Fires at N and below.")
@click.option("--window", "period", default="hour", show_default=True, metavar="hour|day", help="The period looked at.")
@click.option("--for", "for_minutes", default=0, show_default=True, metavar="MINUTES", help="How long it must hold.")
@click.option("--incomplete", "takes_incomplete", is_flag=True, help="Look at the running period.")
@click.option("--webhook", metavar="ID|URL", help="Where to; else every webhook of the app that takes alerts.")
@json_option
@click.pass_obj
def create(settings: Settings, /, name: str, app_id: str, as_json: bool, **rule: Any) -> None:
    """Create the alert NAME.

    Example: eventmill alert create "few orders" --app shop --metric events --dimension event_type --value purchase
    --below 10 --for 10
    """
    rule |= _threshold(rule)
    webhook = rule.pop("webhook")
    with warehouse.connect(settings) as connection:
        if webhook is not None and "://" in webhook:
            # It is for this alert alone: no other news go there.
            webhook = webhooks.create_webhook(connection, webhook, app_id=app_id, kinds=()).webhook_id
        made = alerts.create_alert(connection, app_id, name, **rule, webhook_id=webhook)
    print_fields(_shown(made), as_json=as_json)


@alert.command("list")
@app_option
@json_option
@click.pass_obj
def list_(settings: Settings, app_id: str, as_json: bool) -> None:
    """List an app's alerts, with what they saw last.

    Example: eventmill alert list --app shop
    """
    with warehouse.connect(settings) as connection:
        rows = [_shown(one) | alerts.last_look(connection, one) for one in alerts.list_alerts(connection, app_id)]
    print_rows(rows, _LISTED, as_json=as_json)


@alert.command()
@click.argument("name")
@app_option
@json_option
@click.pass_obj
def show(settings: Settings, name: str, app_id: str, as_json: bool) -> None:
    """Show the alert NAME, and when it fired.

    Example: eventmill alert show "few orders" --app shop
    """
    with warehouse.connect(settings) as connection:
        found = alerts.get_alert(connection, app_id, name)
        fields = _shown(found) | alerts.last_look(connection, found)
        fired = alerts.history(connection, found)
    times = [{"fired_at": str(at), "resolved_at": over and str(over)} for at, over in fired]
    print_fields(fields | {"history": times}, as_json=as_json)


@alert.command()
@click.argument("name")
@app_option
@json_option
@click.pass_obj
def delete(settings: Settings, name: str, app_id: str, as_json: bool) -> None:
    """Delete the alert NAME with its history.

    Example: eventmill alert delete "few orders" --app shop
    """
    with warehouse.connect(settings) as connection:
        alerts.delete_alert(connection, app_id, name)
    print_fields({"app_id": app_id, "name": name, "deleted": True}, as_json=as_json)


def _threshold(rule: dict[str, Any]) -> dict[str, Any]:
    given = {name: rule.pop(name) for name in alerts.COMPARISONS}
    given = {name: value for name, value in given.items() if value is not None}
    if len(given) != 1:
        raise click.UsageError("Give exactly one of --above, --below, --at-least and --at-most.")
    ((comparison, threshold),) = given.items()
    return {"comparison": comparison, "threshold": threshold}


def _shown(one: Alert) -> dict[str, Any]:
    return {
        "name": one.name,
        "app_id": one.app_id,
        "condition": one.condition(),
        "metric": one.metric,
        "dimension": one.dimension,
        "value": one.value,
        "comparison": one.comparison,
        "threshold": one.threshold,
        "window": one.period,
        "for_minutes": one.for_minutes,
        "incomplete": one.takes_incomplete,
        "webhook_id": one.webhook_id and str(one.webhook_id),
        "alert_id": str(one.alert_id),
    }
