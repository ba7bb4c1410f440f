"""`python -m eventmill.contracts.metrics_reference`: docs/metrics.md, made of the closed list of metrics."""

import sys
from collections.abc import Sequence

from eventmill.contracts import metrics
from eventmill.contracts.metrics import MetricDefinition
from eventmill.markdown import GENERATED, code, table

SERVICES: dict[str, Sequence[MetricDefinition]] = {
    "Gateway": metrics.GATEWAY,
    "Writer": metrics.WRITER,
    "Query service": metrics.QUERY,
}


def page() -> str:
    """The page as Markdown."""
    sections = [f"# Metrics\n\n{GENERATED}\n\nEach service serves them at `/metrics`, in Prometheus' text format."]
    sections += [f"## {name}\n\n{_table(definitions)}" for name, definitions in SERVICES.items()]
    return "\n\n".join(sections) + "\n"


def _table(definitions: Sequence[MetricDefinition]) -> str:
    rows = [(code(one.name), one.kind, ", ".join(map(code, one.labels)), one.help) for one in definitions]
    return table(["metric", "kind", "labels", "meaning"], rows)


if __name__ == "__main__":
    sys.stdout.write(page())
