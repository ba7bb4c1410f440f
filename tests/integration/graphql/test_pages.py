"""The requests of README.md and docs/graphql.md, as whoever copies them sends them."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.shop_service import Service

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
REQUEST = re.compile(r"^curl [^\n]*/graphql (?:[^\n]*\\\n)*[^\n]*$", re.MULTILINE)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", ["README.md", "docs/graphql.md"])
def test_a_request_of_the_page_is_answered(service: Service, page: str) -> None:
    [request] = REQUEST.findall((ROOT / page).read_text(encoding="utf-8"))
    command = request.replace("localhost:8080", service.url.removeprefix("http://"))
    assert command != request
    run = subprocess.run(
        command, shell=True, check=True, capture_output=True, env={**os.environ, "READ_KEY": service.keys["read"]}
    )
    answer = json.loads(run.stdout)
    assert "errors" not in answer
    assert len(answer["data"]["topPages"]) == 3
