"""The group of all commands: reads the settings once and prints errors without a traceback."""

import getpass
import importlib
import os
from dataclasses import dataclass
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

import eventmill
from eventmill.acting import ACTOR
from eventmill.errors import EventmillError, SettingsError
from eventmill.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command lives, and its line in `eventmill --help`."""

    module: str
    attribute: str
    summary: str


COMMANDS = {
    "up": LazyCommand("up", "up", "Start everything in the foreground; Ctrl-C stops it."),
    "down": LazyCommand("down", "down", "Stop a running `eventmill up`."),
    "status": LazyCommand("status", "status", "Show what runs, and what was restarted."),
    "doctor": LazyCommand("doctor", "doctor", "Check this machine, the settings and the home."),
    "migrate": LazyCommand("migrate", "migrate", "Bring every store to this version's schema."),
    "app": LazyCommand("app", "app", "Create, list, change and delete apps and their keys."),
    "audit": LazyCommand("audit", "audit", "List what administrators did."),
    "filter": LazyCommand("filter", "filter_", "Leave internal traffic out."),
    "plan": LazyCommand("plan", "plan", "Describe the properties of events, and what becomes of those that differ."),
    "goal": LazyCommand("goal", "goal", "Save events that convert a session."),
    "cohort": LazyCommand("cohort", "cohort", "Save groups of people whose return is followed."),
    "funnel": LazyCommand("funnel", "funnel", "Save steps that people go through."),
    "quarantine": LazyCommand("quarantine", "quarantine", "List, look at, correct and replay rejected events."),
    "alert": LazyCommand("alert", "alert", "Say when a number is above or below a threshold."),
    "webhook": LazyCommand("webhook", "webhook", "Post news of alerts, anomalies, silence and checks."),
    "seed": LazyCommand("seed", "seed", "Send synthetic events into an app."),
    "retention": LazyCommand("retention", "retention", "Archive events that are past their app's retention."),
    "archive": LazyCommand("archive", "archive", "List archived events, and bring them back."),
    "erase": LazyCommand("erase", "erase", "Delete a person from every store."),
    "maintenance": LazyCommand("maintenance", "maintenance", "Keep lake and stream small and quick."),
    "docs": LazyCommand("docs", "docs", "Build the documentation of the metrics."),
    "bi": LazyCommand("bi", "bi", "Let BI tools read the numbers, of one app or of all."),
    "backfill": LazyCommand("backfill", "backfill", "Compute a range of days again."),
    "reconcile": LazyCommand("reconcile", "reconcile", "Compare raw events, rollups and marts."),
    "import": LazyCommand("import_", "import_", "Import history from a file."),
}


class LazyGroup(click.Group):
    """Imports a command's module only when that command is called: `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All names, in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import and give the command, None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        lazy = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"eventmill.cli.{lazy.module}"), lazy.attribute)
        if not isinstance(command, click.Command):
            msg = f"eventmill.cli.{lazy.module}.{lazy.attribute} is not a click command"
            raise TypeError(msg)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what the user can put right is printed without a traceback, and the exit code is 1."""
        try:
            return super().invoke(ctx)
        except EventmillError as error:
            print_error(error)
            ctx.exit(1)


def print_error(error: EventmillError) -> None:
    """Print message and hint to standard error."""
    console = Console(stderr=True, soft_wrap=True)
    console.print(Text("Error: ", style="bold red") + Text(error.message, style="default"))
    if error.hint:
        console.print(Text(error.hint))


def read_settings() -> Settings:
    """The settings of the environment. Raises SettingsError that names each wrong variable and the rule."""
    try:
        return load_settings()
    except ValidationError as error:
        lines = [f"EVENTMILL_{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors()]
        raise SettingsError("\n".join(lines), "docs/settings.md lists every setting.") from error


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(eventmill.__version__, prog_name="eventmill")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Self-hosted, near-real-time product, web and mobile analytics."""
    ctx.obj = read_settings()
    ACTOR.set(f"cli:{_user()}")


def _user() -> str:
    """Who gives the command, for the audit log; a container may have no name for its user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
