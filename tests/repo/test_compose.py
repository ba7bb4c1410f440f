"""docker-compose.yml and .env.example run the same processes, with the same ports and settings, as the code."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import eventmill
from eventmill.embedded import dagster_home
from eventmill.embedded.nats import CONFIGURATION, SPARE_FILE_STORE_BYTES
from eventmill.embedded.processes import processes
from eventmill.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
# Compose's name of each process of `eventmill up`.
SERVICES = {
    "migrate": "migrate",
    "gateway": "gateway",
    "writer": "writer",
    "query": "query-service",
    "flight": "flight",
    "dagster-code": "code-location",
    "dagster-webserver": "dagster-webserver",
    "dagster-daemon": "dagster-daemon",
}
# Variables that are no settings of ours.
FOREIGN = {"POSTGRES_PASSWORD", "GRAFANA_PASSWORD"}
# Runs once: makes the role that Grafana signs in to PostgreSQL as.
ROLE_OF_GRAFANA = "grafana-role"
FOR_DAGSTER = {"DAGSTER_HOME", "EVENTMILL_DAGSTER_GRPC_HOST", "EVENTMILL_DAGSTER_DATABASE_URL"}
SHARED_PASSWORD = {"POSTGRES_PASSWORD": "letters"}
REFERENCE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return compose["services"]


def interpolate(text: str, variables: dict[str, str] = SHARED_PASSWORD) -> str:
    """What compose makes of `${NAME:-default}` and `${NAME:?message}`."""
    return REFERENCE.sub(lambda found: variables.get(found[1]) or (found[3] if found[2] == ":-" else ""), text)


def settings_of(service: dict[str, Any]) -> Settings:
    """The settings that a container's process reads."""
    given = {name: interpolate(value) for name, value in service["environment"].items() if value is not None}
    fields = {name.removeprefix("EVENTMILL_").lower(): value for name, value in given.items()}
    return Settings(**{name: value for name, value in fields.items() if name in Settings.model_fields}, demo=False)


def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if "EVENTMILL_HOME" in service.get("environment", {})}


def test_there_is_a_service_for_each_process_and_server(services: dict[str, Any]) -> None:
    names = {process.name for process in processes(settings_of(services["gateway"]))}
    assert names == set(SERVICES)
    assert set(services) == {*SERVICES.values(), "nats", "postgres", "grafana", ROLE_OF_GRAFANA}


def test_each_service_runs_the_command_of_its_process(services: dict[str, Any]) -> None:
    every = {process.name: process for process in processes(settings_of(services["gateway"]))}
    for name, service in SERVICES.items():
        expected = [word.replace(sys.executable, "python").removeprefix(f"{ROOT}/") for word in every[name].command()]
        assert [interpolate(word) for word in services[service]["command"]] == expected


def test_every_variable_is_a_setting_and_defaults_agree(services: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for name, operator, default in REFERENCE.findall(text):
        if name in FOREIGN:
            assert operator == ":?", f"{name} is required"
            continue
        field = Settings.model_fields[name.removeprefix("EVENTMILL_").lower()]
        assert (operator, default) == (":-", str(field.default)), name
    for name, service in ours(services).items():
        known = {f"EVENTMILL_{field.upper()}" for field in Settings.model_fields} | FOR_DAGSTER | FOREIGN
        assert set(service["environment"]) <= known, name


def test_all_our_services_read_the_same_settings(services: dict[str, Any]) -> None:
    shared = services["gateway"]["environment"]
    for service in ours(services).values():
        assert shared.items() <= service["environment"].items()
        assert set(service["environment"]) - set(shared) <= FOR_DAGSTER | FOREIGN


def test_fixed_ports_are_the_default_ones(services: dict[str, Any]) -> None:
    settings = settings_of(services["gateway"])
    for port in ("writer_port", "dagster_grpc_port"):
        assert getattr(settings, port) == Settings.model_fields[port].default


def test_everything_is_published_on_this_machine_only_by_default(services: dict[str, Any]) -> None:
    published = {
        name: [interpolate(port) for port in service["ports"]]
        for name, service in services.items()
        if "ports" in service
    }
    assert published == {
        "nats": ["127.0.0.1:4222:4222"],
        "postgres": ["127.0.0.1:5433:5432"],
        "gateway": ["127.0.0.1:8090:8090"],
        "dagster-webserver": ["127.0.0.1:3000:3000"],
        "query-service": ["127.0.0.1:8080:8080"],
        "flight": ["127.0.0.1:8815:8815"],
        "grafana": ["127.0.0.1:3001:3000"],
    }


def test_dagster_stays_on_this_machine_wherever_the_others_listen(services: dict[str, Any]) -> None:
    assert interpolate(services["dagster-webserver"]["ports"][0], {"EVENTMILL_BIND": "0.0.0.0"}).startswith(
        "127.0.0.1:"
    )


def test_dagster_finds_its_home_its_storage_and_its_code(services: dict[str, Any]) -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))["load_from"][0]["grpc_server"]
    for name in ("code-location", "dagster-webserver", "dagster-daemon"):
        environment = services[name]["environment"]
        settings = settings_of(services[name])
        expected = dagster_home.environment(settings)
        assert {
            name: interpolate(environment[name]) for name in ("DAGSTER_HOME", "EVENTMILL_DAGSTER_DATABASE_URL")
        } == {name: expected[name] for name in ("DAGSTER_HOME", "EVENTMILL_DAGSTER_DATABASE_URL")}
        assert environment[workspace["host"]["env"]] == "code-location"
        assert environment[workspace["port"]["env"]] == str(Settings.model_fields["dagster_grpc_port"].default)


def test_every_process_that_stays_has_a_health_check_and_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    assert [name for name, one in services.items() if "healthcheck" not in one] == ["migrate", ROLE_OF_GRAFANA]
    needs = {name: one.get("depends_on", {}) for name, one in services.items()}
    healthy, done = {"condition": "service_healthy"}, {"condition": "service_completed_successfully"}
    assert needs["migrate"] == {"nats": healthy, "postgres": healthy}
    assert needs["grafana"] == {ROLE_OF_GRAFANA: done}
    for name in ("gateway", "writer", "query-service", "flight", "code-location", ROLE_OF_GRAFANA):
        assert needs[name] == {"migrate": done}
    for name in ("dagster-webserver", "dagster-daemon"):
        assert needs[name] == {"code-location": healthy}


def test_health_checks_ask_where_the_processes_answer(services: dict[str, Any]) -> None:
    for name, service in ours(services).items():
        asked = re.findall(r"environ\['(\w+)']", " ".join(service.get("healthcheck", {}).get("test", [])))
        assert set(asked) <= set(service["environment"]), name
        for code in [word for word in service.get("healthcheck", {}).get("test", []) if word.startswith("import ")]:
            compile(code, name, "exec")


def test_no_secret_lies_in_the_file_and_a_missing_one_is_an_error() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    required = re.escape("${POSTGRES_PASSWORD:?put a password into .env}")
    secrets = re.findall(r"(?:POSTGRES_PASSWORD: |//eventmill:)(.*)", text)
    assert len(secrets) == 3
    assert all(re.match(required, secret) for secret in secrets)
    secrets = re.findall(r"(?:GRAFANA|ADMIN)_PASSWORD: (.*)", text)
    assert secrets == ["${GRAFANA_PASSWORD:?put a password for Grafana into .env}"] * 3


def test_volumes_are_declared_and_the_lake_is_shared(compose: dict[str, Any], services: dict[str, Any]) -> None:
    mounts = {name: [volume.split(":")[0] for volume in one.get("volumes", [])] for name, one in services.items()}
    named = {volume for volumes in mounts.values() for volume in volumes if not volume.startswith(".")}
    assert named == set(compose["volumes"])
    assert {name for name, volumes in mounts.items() if "lake" in volumes} == set(SERVICES.values())


def test_the_image_carries_the_version_of_the_code(services: dict[str, Any]) -> None:
    assert {one["image"] for one in ours(services).values()} == {f"eventmill:{eventmill.__version__}"}


def test_the_brokers_file_says_what_the_embedded_broker_gets(services: dict[str, Any]) -> None:
    settings = settings_of(services["gateway"])
    expected = CONFIGURATION.format(
        port=settings.nats_port,
        monitor_port=settings.nats_monitor_port,
        store_dir='"/data"',
        max_file_store=settings.stream_max_bytes + SPARE_FILE_STORE_BYTES,
    ).replace("127.0.0.1", "0.0.0.0")
    written = (ROOT / "deploy" / "nats.conf").read_text(encoding="utf-8")
    assert _directives(written) == _directives(expected)


def _directives(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def test_the_image_is_built_from_pinned_packages_as_nobody_special() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--constraint constraints.txt" in text
    assert re.findall(r"^USER (\w+)", text, re.MULTILINE) == ["eventmill"]
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"python:3.11-slim"}


def test_everything_that_the_image_copies_exists_and_is_sent_to_the_build() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [name for line in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE) for name in line.split()]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert [name for name in copied if f"!{name}" not in ignored] == []


def test_env_example_sets_nothing_until_somebody_chooses() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []
    names = {line[2:].partition("=")[0] for line in lines if re.match(r"# [A-Z_]+=", line)}
    assert names == {f"EVENTMILL_{field.upper()}" for field in Settings.model_fields} | FOREIGN


def test_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    environment_file = tmp_path / "env"
    environment_file.write_text("POSTGRES_PASSWORD=letters\nGRAFANA_PASSWORD=letters\n", encoding="utf-8")
    command = [docker, "compose", "--env-file", str(environment_file), "config", "--quiet"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
