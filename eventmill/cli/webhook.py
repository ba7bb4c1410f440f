"""`eventmill webhook …`: where news of alerts, anomalies, silence, checks and restatements go."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import click

from eventmill import warehouse
from eventmill.cli.output import json_option, print_fields, print_rows
from eventmill.control import webhooks
from eventmill.control.webhooks import Webhook
from eventmill.errors import EventmillError
from eventmill.settings import Settings
from eventmill.webhook_message import message
from eventmill.webhook_request import DeliveryError, post

_app = click.option("--app", "app_id", metavar="APP", help="The app's id; without it, news of every app.")
_LISTED = ("webhook_id", "app_id", "host", "kinds", "is_signed", "pending", "last_error")


@click.group()
def webhook() -> None:
    """Post news to a chat or a program: bodies are those of Slack's incoming webhooks.

    What could not be delivered is tried again for a day. Addresses are kept whole and shown without their path.
    """


@webhook.command()
@click.argument("url")
@_app
@click.option(
    "--kind", "kinds", multiple=True, help=f"News to send, repeatable; all by default: {', '.join(webhooks.KINDS)}."
)
@click.option("--sign", "is_signed", is_flag=True, help="Sign bodies (standardwebhooks.com); prints the secret, once.")
@json_option
@click.pass_obj
def create(
    settings: Settings, url: str, app_id: str | None, kinds: tuple[str, ...], is_signed: bool, as_json: bool
) -> None:
    """Send news to URL from now on.

    Example: eventmill webhook create https://hooks.slack.com/services/… --app shop --kind alert --kind silence
    """
    with warehouse.connect(settings) as connection:
        made = webhooks.create_webhook(
            connection, url, app_id=app_id, kinds=kinds or webhooks.KINDS, is_signed=is_signed
        )
    print_fields(_shown(made) | ({"secret": made.secret} if is_signed else {}), as_json=as_json)


@webhook.command("list")
@_app
@json_option
@click.pass_obj
def list_(settings: Settings, app_id: str | None, as_json: bool) -> None:
    """List webhooks, with what waits to be sent and the last error.

    Example: eventmill webhook list
    """
    with warehouse.connect(settings) as connection:
        rows = [_shown(one) | webhooks.backlog(connection, one) for one in webhooks.list_webhooks(connection, app_id)]
    print_rows(rows, _LISTED, as_json=as_json)


@webhook.command()
@click.argument("webhook_id")
@json_option
@click.pass_obj
def test(settings: Settings, webhook_id: str, as_json: bool) -> None:
    """Send one test message to WEBHOOK_ID now, past the outbox.

    Example: eventmill webhook test 0b6a3c52-…
    """
    with warehouse.connect(settings) as connection:
        found = webhooks.get_webhook(connection, webhook_id)
    now = datetime.now(UTC)
    body = message("test", "test", found.app_id, "This is a test of eventmill's webhook", [], {}, now)
    try:
        asyncio.run(post(found, str(uuid.uuid4()), body, now, may_be_private=settings.webhook_private_addresses))
    except DeliveryError as error:
        hint = "Is the address right, and may this machine reach it?"
        raise EventmillError(f"{found.host} did not take it: {error.message}.", hint) from None
    print_fields({"webhook_id": webhook_id, "delivered": True}, as_json=as_json)


@webhook.command()
@click.argument("webhook_id")
@json_option
@click.pass_obj
def delete(settings: Settings, webhook_id: str, as_json: bool) -> None:
    """Send nothing to WEBHOOK_ID any more, not even what waits.

    Example: eventmill webhook delete 0b6a3c52-…
    """
    with warehouse.connect(settings) as connection:
        webhooks.delete_webhook(connection, webhook_id)
    print_fields({"webhook_id": webhook_id, "deleted": True}, as_json=as_json)


def _shown(one: Webhook) -> dict[str, Any]:
    return {
        "webhook_id": str(one.webhook_id),
        "app_id": one.app_id,
        "host": one.host,
        "kinds": list(one.kinds),
        "is_signed": one.secret is not None,
    }
