"""Every process of `eventmill up`: its name, command, what it waits for and when it is ready."""

import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from eventmill.embedded import dagster_home, demo, probes
from eventmill.embedded.nats import NatsServer
from eventmill.embedded.postgres import PostgresServer
from eventmill.embedded.supervised import Process
from eventmill.http.tls import local_context
from eventmill.settings import Settings

# What a visitor needs for the first numbers; Dagster takes longer and joins when it is there.
CORE = ("gateway", "writer", "query")
DEMO_RATE_PER_SECOND = 20
# Dagster's processes end one after the other. They keep nothing that force could tear: a run is made of transactions,
# and one that was cut off is asked for again.
DAGSTER_STOP_SECONDS, RUNS_STOP_SECONDS = 2.0, 4.0


def processes(settings: Settings) -> list[Process]:
    """All processes that these settings call for, in no particular order."""
    ours = [migration(settings), *services(settings), flight(settings)]
    return [*embedded_servers(settings), *ours, *dagster(settings), *flow(settings)]


def embedded_servers(settings: Settings) -> list[Process]:
    """NATS and PostgreSQL, each unless its address is given."""
    servers: list[Process] = []
    if settings.nats_url is None:
        nats = NatsServer.of(settings)
        # After a full disk nats-server has to be started again before it takes messages.
        servers.append(Process("nats", nats.command, is_ready=nats.is_ready, patience_seconds=60))
    if settings.database_url is None:
        postgres = PostgresServer.of(settings)
        # SIGTERM would wait for every client to leave; SIGINT is PostgreSQL's fast shutdown.
        servers.append(Process("postgres", postgres.command, is_ready=postgres.is_ready, stop_signal=signal.SIGINT))
    return servers


def migration(settings: Settings) -> Process:
    """Brings every store to this version's schema before anything else touches it."""
    after = tuple(server.name for server in embedded_servers(settings))
    return Process("migrate", _python("eventmill", "migrate"), after=after, one_shot=True)


def services(settings: Settings) -> list[Process]:
    """Gateway, writer and query service."""
    local = local_host(settings)
    ready = {
        "gateway": f"{settings.http_scheme}://{local}:{settings.ingest_port}/health/ready",
        "writer": f"http://{local}:{settings.writer_port}/health/ready",
        "query": f"{settings.http_scheme}://{local}:{settings.http_port}/health/ready",
    }
    context = local_context(settings)
    modules = {"gateway": "ingest_service.gateway", "writer": "ingest_service.writer", "query": "query_service"}
    return [
        Process(name, _python(modules[name]), after=("migrate",), is_ready=partial(probes.http, ready[name], context))
        for name in CORE
    ]


def flight(settings: Settings) -> Process:
    """Arrow Flight, a process of its own: what SQL of others does there, the other services do not feel."""
    # It listens once it can answer that it may not yet.
    return Process(
        "flight",
        _python("query_service.flight"),
        after=("migrate",),
        is_ready=partial(probes.tcp, local_host(settings), settings.flight_port),
    )


def dagster(settings: Settings) -> list[Process]:
    """Code server first: webserver and daemon load the code location from it."""
    workspace = ["-w", str(dagster_home.project_file("workspace.yaml"))]
    listen = ["-h", settings.bind, "-p", str(settings.dagster_port)]
    environment = partial(dagster_home.environment, settings)
    local = local_host(settings)
    code = Process(
        "dagster-code",
        _python("analytics_pipeline.code_server"),
        after=("migrate",),
        is_ready=partial(probes.tcp, "127.0.0.1", settings.dagster_grpc_port),
        # It runs whatever it is asked to and asks nobody who they are: only Dagster's processes beside it may.
        environment=lambda: {**environment(), "EVENTMILL_BIND": "127.0.0.1"},
        stop_timeout_seconds=RUNS_STOP_SECONDS,
    )
    webserver = Process(
        "dagster-webserver",
        _python("dagster_webserver", *listen, *workspace),
        after=("dagster-code",),
        is_ready=partial(probes.http, f"http://{local}:{settings.dagster_port}/server_info"),
        environment=environment,
        stop_timeout_seconds=DAGSTER_STOP_SECONDS,
    )
    daemon = Process(
        "dagster-daemon",
        _python("dagster._daemon", "run", *workspace),
        after=("dagster-code",),
        is_ready=lambda: probes.dagster_daemon(settings.database_address),
        environment=environment,
        stop_timeout_seconds=DAGSTER_STOP_SECONDS,
    )
    return [code, webserver, daemon]


def flow(settings: Settings) -> list[Process]:
    """The demo's synthetic flow, unless EVENTMILL_DEMO turns it off."""
    if not settings.demo:
        return []
    arguments = ["seed", "--app", demo.APP_ID, "--rate", str(DEMO_RATE_PER_SECOND), "--forever"]

    def command() -> list[str]:
        demo.ensure_app(settings)
        return [sys.executable, "-m", "eventmill", *arguments]

    return [Process("demo", command, after=("gateway", "writer"))]


def environment(settings: Settings, base: Mapping[str, str]) -> dict[str, str]:
    """The environment of every process: `base` with the settings spelled out.

    The embedded servers' addresses are left out: their password stays in its file.
    """
    outside = {name: value for name, value in base.items() if not name.startswith("EVENTMILL_")}
    spelled = {
        f"EVENTMILL_{name.upper()}": str(getattr(settings, name))
        for name in type(settings).model_fields
        if getattr(settings, name) is not None
    }
    scripts = str(Path(sys.executable).parent)
    return {
        **outside,
        **spelled,
        "PATH": f"{scripts}:{base.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def local_host(settings: Settings) -> str:
    """An address at which this machine reaches what listens on EVENTMILL_BIND."""
    return "127.0.0.1" if settings.bind in {"0.0.0.0", "::"} else settings.bind  # noqa: S104 - compared, not bound


def _python(module: str, *arguments: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-m", module, *arguments]
