"""One typed settings object, read from `EVENTMILL_*` variables; nothing else reads the environment."""

from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_HISTORY_DAYS = 400
# Below the home; readable by its owner alone.
SERVICES_SEED = Path("secrets", "nats-services.nk")


def default_history_start() -> date:
    """The UTC date 400 days ago: Dagster's UI stays quick below some 25,000 hourly partitions."""
    return datetime.now(UTC).date() - timedelta(days=DEFAULT_HISTORY_DAYS)


class Settings(BaseSettings):
    """Every setting of every process. Field `x` is read from the variable `EVENTMILL_X`."""

    model_config = SettingsConfigDict(env_prefix="EVENTMILL_", extra="ignore", frozen=True, populate_by_name=True)

    home: Path = Field(
        Path(".eventmill"), description="Directory of the lake, the stream, Postgres' data and the logs."
    )
    bind: str = Field("127.0.0.1", description="Address that every service listens on.")
    trusted_proxies: str = Field(
        "",
        description="Networks, apart by commas, of the proxies whose X-Forwarded-For or Forwarded is believed.",
    )
    country_header: str | None = Field(
        None, description="Header in which a trusted proxy names the client's country, such as CF-IPCountry."
    )
    geoip_file: Path | None = Field(
        None, description="MaxMind file (.mmdb) that tells an address's country; the address itself is not kept."
    )
    tls_cert: Path | None = Field(
        None,
        # The second is the name of versions before Arrow Flight.
        validation_alias=AliasChoices("EVENTMILL_TLS_CERT", "EVENTMILL_TLS_CERTIFICATE"),
        description="PEM file of the certificate chain with which gateway, query service and Arrow Flight speak TLS.",
    )
    tls_key: Path | None = Field(None, description="PEM file of that certificate's private key.")
    tls_client_ca: Path | None = Field(
        None,
        description="PEM file of the authorities of clients' certificates; with it Arrow Flight asks for one (mTLS).",
    )
    gateway_max_requests: int = Field(
        2_000, ge=1, description="Ingest requests that the gateway answers at once; beyond, it says 503."
    )
    gateway_max_bytes: int = Field(
        32 * 1024**2,
        ge=2 * 1024**2,
        description="Bytes of their bodies that it holds at once; beyond, it says 503. Memory is some four times that.",
    )
    http_port: int = Field(8080, ge=1, le=65535, description="Port of the query service and the dashboard.")
    ingest_port: int = Field(8090, ge=1, le=65535, description="Port of the gateway.")
    writer_port: int = Field(8091, ge=1, le=65535, description="Port of the writer's health and metrics.")
    dagster_port: int = Field(3000, ge=1, le=65535, description="Port of the Dagster UI.")
    dagster_grpc_host: str = Field("127.0.0.1", description="Host on which Dagster finds its code server.")
    dagster_grpc_port: int = Field(4266, ge=1, le=65535, description="Port of the Dagster code server.")
    flight_port: int = Field(8815, ge=1, le=65535, description="Port of Arrow Flight and Flight SQL.")
    nats_port: int = Field(4222, ge=1, le=65535, description="Port of the embedded NATS server.")
    nats_monitor_port: int = Field(8222, ge=1, le=65535, description="Monitoring port of the embedded NATS server.")
    pg_port: int = Field(5433, ge=1, le=65535, description="Port of the embedded PostgreSQL.")
    nats_url: str | None = Field(None, description="Address of a NATS server; switches the embedded one off.")
    nats_monitor_url: str | None = Field(
        None,
        description="Monitoring address of that NATS server; lets readiness verify `sync_interval: always`.",
    )
    nats_auth: Literal["none", "nkeys"] = Field(
        "none", description="Whether the embedded NATS server asks for keys (`nkeys`), as docs/nats.md explains."
    )
    nats_seed_file: Path | None = Field(
        None, description="File with the nkey seed by which services sign in to the NATS server of EVENTMILL_NATS_URL."
    )
    database_url: str | None = Field(
        None, description="Address of a PostgreSQL database; switches the embedded one off."
    )
    query_requests_per_second: int = Field(
        100, ge=0, description="Requests per second of a credential, ten times as many at once; 0 is no limit."
    )
    query_max_body_bytes: int = Field(
        1024**2, ge=1024, description="Most bytes of a request's body at the query service; beyond, it says 413."
    )
    ingest_url: str | None = Field(
        None, description="Address of the gateway, where GraphQL's trackEvents sends events; else that of this machine."
    )
    graphql_introspection: bool = Field(
        False, description="Whether every key may ask GraphQL for its schema, not admin keys alone (0 or 1)."
    )
    slow_query_ms: int = Field(
        500, ge=1, description="Milliseconds from which on the query service logs a statement in Postgres as slow."
    )
    oidc_issuer: str | None = Field(
        None, description="Address of an OpenID Connect issuer whose tokens the query service takes beside keys."
    )
    oidc_audience: str | None = Field(
        None, description="What those tokens' `aud` must name; EVENTMILL_OIDC_CLIENT_ID where it is not set."
    )
    oidc_client_id: str | None = Field(None, description="Our client id at the issuer, for signing in with a browser.")
    oidc_client_secret: str | None = Field(
        None, repr=False, description="That client's secret; without one it is a public client, with PKCE alone."
    )
    oidc_redirect_url: str | None = Field(
        None, description="Address of our /auth/callback as browsers reach it; else that of this machine."
    )
    oidc_scopes: str = Field("openid", description="Scopes that a sign-in asks the issuer for, apart by spaces.")
    oidc_apps_claim: str = Field("eventmill_apps", description="Claim that lists the ids of the apps of a token.")
    oidc_scope_claim: str = Field(
        "scope", description="Claim in which `admin` and `people` give a token what such keys may do."
    )
    oidc_leeway_seconds: int = Field(
        30, ge=0, le=300, description="Seconds by which the issuer's clock may differ from ours."
    )
    oidc_session_seconds: int = Field(
        8 * 3600, ge=60, description="Seconds after which whoever signed in with a browser signs in again."
    )
    oidc_ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that the issuer's certificate is checked against; else public ones.",
    )
    lake_url: str | None = Field(None, description="Directory of the Delta lake, as a path or file:// address.")
    lake_engine: Literal["duckdb"] = Field("duckdb", description="Engine that computes rollups over the lake.")
    duckdb_memory_limit: str = Field("2GB", description="Memory limit of each DuckDB process.")
    duckdb_threads: int = Field(2, ge=1, description="Threads of each DuckDB process.")
    query_lake_workers: int = Field(
        2, ge=1, description="Sandboxed DuckDB processes with which the query service reads the lake."
    )
    query_lake_memory_limit: str = Field("1GB", description="Memory limit of each of them.")
    query_lake_seconds: float = Field(15, gt=0, description="Seconds that a question to the lake may take.")
    live_max_rows: int = Field(
        4_000_000, ge=1_000, description="Most events of the last hour that the query service holds in memory."
    )
    live_max_mb: int = Field(
        512, ge=1, description="Most megabytes that they may take; beyond either, the live window gets shorter."
    )
    history_start: date = Field(
        default_factory=default_history_start,
        description="First UTC date of the hourly and daily partitions; kept from the first start on.",
    )
    stream_max_bytes: int = Field(
        10 * 1024**3, ge=1024**2, description="Size in bytes at which the stream refuses new messages (503)."
    )
    archive_url: str | None = Field(
        None,
        description="Where archived events go: a directory, or s3://…, gs://…, abfss://…; else EVENTMILL_HOME/archive.",
    )
    actor_days_retention_days: int = Field(
        400,
        ge=0,
        description="Days that sessions and actors per day stay once their events are archived; 0 is for ever.",
    )
    quarantine_retention_days: int = Field(
        90, ge=0, description="Days after which rejected events are deleted; 0 keeps them for ever."
    )
    stream_keep_days: int = Field(
        7, ge=1, description="Days that the stream keeps what is in the lake: damaged files are repaired from it."
    )
    run_log_days: int = Field(
        7, ge=1, description="Days that Dagster keeps failed runs and past asset events; successful runs stay a day."
    )
    demo: bool = Field(
        True, description="Whether `up` creates a demo app and streams synthetic events into it (0 or 1)."
    )
    duplicate_window_seconds: int = Field(
        600, ge=0, description="Seconds, by arrival, in which a second event with the same id is not stored."
    )
    duplicate_window_ids: int = Field(
        6_000_000,
        ge=1_000,
        description="Most ids that the writer remembers for that window, about 40 bytes each; beyond it gets shorter.",
    )
    webhook_private_addresses: bool = Field(
        True, description="Whether webhooks may lie in private networks, this machine included (0 or 1)."
    )
    fault: str | None = Field(
        None,
        description="For tests only: a step, or step:n, of `eventmill/faults.py` at which a process kills itself.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

    @cached_property
    def http_scheme(self) -> str:
        """`https` where gateway and query service have a certificate of their own, else `http`."""
        return "http" if self.tls_cert is None else "https"

    @cached_property
    def nats_address(self) -> str:
        """`nats://…` address that every client uses."""
        return self.nats_url or f"nats://127.0.0.1:{self.nats_port}"

    @cached_property
    def nats_monitor_address(self) -> str | None:
        """HTTP monitoring address; None for an external server whose address was not given."""
        if self.nats_monitor_url or self.nats_url:
            return self.nats_monitor_url
        return f"http://127.0.0.1:{self.nats_monitor_port}"

    @cached_property
    def nats_services_seed_file(self) -> Path | None:
        """File with the seed by which services and commands sign in to the broker; None where it asks for none."""
        if self.nats_url is not None:
            return self.nats_seed_file
        # A command may be given where the setting is not; a broker that asks for no key ignores one.
        file = self.home / SERVICES_SEED
        return file if self.nats_auth == "nkeys" or file.exists() else None

    @cached_property
    def pg_password_file(self) -> Path:
        """0600 file with the embedded PostgreSQL's generated password."""
        return self.home / "secrets" / "postgres-password"

    @cached_property
    def database_address(self) -> str:
        """`postgresql://…` address of the warehouse. Raises FileNotFoundError before the embedded one was set up."""
        if self.database_url:
            return self.database_url
        password = quote(self.pg_password_file.read_text(encoding="ascii").strip(), safe="")
        return f"postgresql://eventmill:{password}@127.0.0.1:{self.pg_port}/eventmill"

    @cached_property
    def lake_address(self) -> str:
        """Directory (absolute) or object-store URL that holds the Delta tables."""
        return self.lake_url or str(self.home / "lake")

    @cached_property
    def state_dir(self) -> Path:
        """Directory of disposable state: key sets of open periods, attempt files."""
        return self.home / "state"

    @cached_property
    def archive_address(self) -> str:
        """Directory (absolute) or object-store URL of archived events."""
        return self.archive_url or str(self.home / "archive")

    @cached_property
    def log_dir(self) -> Path:
        """Directory of the supervised processes' logs."""
        return self.home / "logs"


def load_settings() -> Settings:
    """Read the environment once; pass the result down."""
    return Settings()
