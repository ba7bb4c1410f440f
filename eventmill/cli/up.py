"""`eventmill up`: everything in the foreground, with its progress, its addresses and a sign-in link."""

import asyncio
import os
import time
from collections.abc import Callable

import click
from rich.console import Console
from rich.text import Text

from eventmill.embedded import dagster_home, demo, home, preflight
from eventmill.embedded.processes import CORE, environment, processes
from eventmill.embedded.run_directory import Phase, Status
from eventmill.embedded.supervisor import Supervisor
from eventmill.settings import Settings

SHOWN: dict[Phase, str] = {
    "starting": "[dim]starting[/dim]",
    "ready": "[green]ready[/green]",
    "done": "[green]done[/green]",
    "failed": "[red]failed; see its log[/red]",
    "backoff": "[red]ended with code {code}; restarting[/red]",
}


@click.command()
@click.pass_obj
def up(settings: Settings) -> None:
    """Start everything in the foreground; Ctrl-C stops it, a second one by force."""
    preflight.check_python()
    preflight.check_wheels(settings)
    preflight.check_data(settings)
    home.prepare(settings)
    settings = home.keep_history_start(settings)
    dagster_home.prepare(settings)
    asyncio.run(_run(settings, Console(highlight=False)))


async def _run(settings: Settings, console: Console) -> None:
    every = processes(settings)
    supervisor = Supervisor(settings.home, every, environment(settings, os.environ), _progress(console))
    announcing = asyncio.create_task(_announce(settings, supervisor, [one.name for one in every], console))
    console.print(f"Starting eventmill on {settings.home}", soft_wrap=True)
    try:
        await supervisor.run(lambda: preflight.check_all(settings))
    finally:
        announcing.cancel()
    console.print("Everything has stopped.")


def _progress(console: Console) -> Callable[[str, Status], None]:
    """Prints what each process does, with the seconds since the start."""
    began = time.monotonic()

    def show(name: str, status: Status) -> None:
        if status.phase == "stopping":
            console.print(f"  [dim]stopping {name}[/dim]")
        elif status.phase in SHOWN:
            text = SHOWN[status.phase].format(code=status.last_exit_code)
            console.print(f"  [dim]{time.monotonic() - began:6.1f} s[/dim]  {name:<18} {text}")

    return show


async def _announce(settings: Settings, supervisor: Supervisor, names: list[str], console: Console) -> None:
    await supervisor.wait_ready([*CORE, *(name for name in names if name == "demo")])
    # Never cut or wrapped: the link is there to be copied.
    console.print(_addresses(settings), soft_wrap=True)
    await supervisor.wait_ready([name for name in names if name != "migrate"])
    console.print("[green]Everything is running.[/green] Ctrl-C stops it; `eventmill status` shows it.")


def _addresses(settings: Settings) -> Text:
    base = f"{settings.http_scheme}://localhost:{settings.http_port}"
    rows = {"Dashboard and API": base}
    keys = demo.keys(settings)
    if keys is not None:
        # A fragment never leaves the browser, so the key appears in no access log.
        rows["Sign-in link"] = f"{base}/#key={keys['read_key']}"
        rows["Keys of the demo app"] = str(demo.keys_file(settings))
    rows["Send events to"] = f"{settings.http_scheme}://localhost:{settings.ingest_port}/v1/events"
    rows["Arrow Flight"] = f"grpc{'+tls' if settings.tls_cert else ''}://localhost:{settings.flight_port}"
    rows["Dagster"] = f"http://localhost:{settings.dagster_port}"
    rows["Metrics' documentation"] = f"{base}/docs/metrics"
    rows["NATS"] = settings.nats_address
    if settings.database_url is None:
        rows["PostgreSQL"] = f"postgresql://eventmill@127.0.0.1:{settings.pg_port}/eventmill"
        rows["PostgreSQL's password"] = str(settings.pg_password_file)
    return Text("\n".join(f"  {name:<24}{value}" for name, value in rows.items()))
