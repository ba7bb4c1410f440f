"""The generated pages are those of the code, and the written ones name what exists."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from litestar import Litestar

from eventmill import settings_reference
from eventmill.contracts import descriptions, limits, metrics, metrics_reference, reference, schema, subjects
from eventmill.contracts.event import Event
from eventmill.contracts.metrics import MetricDefinition
from eventmill.settings import Settings
from ingest_service.gateway.app import create_app as create_gateway
from ingest_service.gateway.front import IngestFront
from query_service.app import create_app as create_query_service
from query_service.rest.direct_questions import DirectQuestions

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# Litestar's own pages of the OpenAPI plugin repeat /openapi.json.
OPENAPI_PLUGIN = "/api/schema"
# HEAD and OPTIONS come with every route.
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("docs/events.md", reference.page()),
        ("docs/metrics.md", metrics_reference.page()),
        ("docs/settings.md", settings_reference.page()),
        (".env.example", settings_reference.env_example()),
    ],
)
def test_a_generated_page_is_what_the_code_says(file: str, content: str) -> None:
    assert (ROOT / file).read_text(encoding="utf-8") == content, "run `make docs`"


def test_every_field_and_column_is_described_and_nothing_else_is() -> None:
    assert set(descriptions.FIELDS) == set(Event.__struct_fields__)
    assert set(descriptions.DERIVED) == set(schema.EVENTS_SCHEMA.names) - set(Event.__struct_fields__)
    assert set(descriptions.QUARANTINE) == set(schema.QUARANTINE_SCHEMA.names)


def test_every_limit_is_described() -> None:
    assert set(descriptions.LIMITS) == {name for name in vars(limits) if name.isupper()}


def test_every_header_is_described() -> None:
    headers = {value for name, value in vars(subjects).items() if name.startswith("HEADER_")}
    assert set(descriptions.HEADERS) == set(reference.HEADERS) == headers


def test_every_metric_belongs_to_a_service() -> None:
    defined = {one.name for one in vars(metrics).values() if isinstance(one, MetricDefinition)}
    listed = {one.name for definitions in metrics_reference.SERVICES.values() for one in definitions}
    assert listed == defined
    assert {field.name for field in fields(MetricDefinition)} >= {"name", "kind", "help", "labels"}


@pytest.mark.parametrize(
    ("heading", "create_app"), [("Gateway", create_gateway), ("Query service", create_query_service)]
)
def test_the_http_page_lists_exactly_the_routes_of_the_service(heading, create_app, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url="postgresql://nobody@127.0.0.1:1/none")
    assert _listed_routes(heading) == _routes_of(create_app(settings)._app)


def _routes_of(app: Litestar | IngestFront | DirectQuestions) -> set[tuple[str, str]]:
    if isinstance(app, DirectQuestions):
        return _routes_of(app.app)
    if isinstance(app, IngestFront):
        return {("POST", path) for path in app.endpoints} | _routes_of(app.app)
    found = set()
    for route in app.routes:
        if not route.path.startswith(OPENAPI_PLUGIN):
            path = re.sub(r":\w+}", "}", route.path)
            found |= {(method, path) for method in getattr(route, "methods", ()) if method in METHODS}
    return found


def _listed_routes(heading: str) -> set[tuple[str, str]]:
    text = (DOCS / "http_api.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading} ")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| \[?`([A-Z]+) (/[^`]*)`", section, re.MULTILINE))


def test_every_relative_link_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_decision_records_are_numbered_in_order_and_have_every_section() -> None:
    records = sorted((DOCS / "decisions").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text(encoding="utf-8")
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "When to revisit"], record.name
        assert text.startswith(f"# {record.name[:4]} "), record.name
