"""The dashboard's files: small, named by their content; the libraries among them are what their makers published."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
import zstandard

from query_service.dashboard.assets import Assets, load

DASHBOARD = Path(__file__).resolve().parents[3] / "query_service" / "dashboard"
MOST_BYTES = 400_000


@pytest.fixture(scope="module")
def assets() -> Assets:
    return load({"{{dagster_port}}": "3000", "{{ingest_port}}": "8090"})


def test_the_whole_dashboard_weighs_less_than_400_kb_compressed(assets: Assets) -> None:
    assert sum(len(one.chosen("gzip")[1]) for one in assets.by_path.values()) < MOST_BYTES


def test_a_file_comes_in_the_smallest_coding_that_the_browser_takes(assets: Assets) -> None:
    script = assets.by_path["vendor/uplot.js"]
    plain = script.chosen("")[1]
    assert script.chosen("identity") == ("", plain)
    assert gzip.decompress(script.chosen("gzip, deflate")[1]) == plain
    coding, body = script.chosen("gzip, deflate, br, zstd")
    assert zstandard.ZstdDecompressor().decompress(body) == plain
    assert coding == "zstd"
    assert script.chosen("gzip;q=0, zstd;q=0") == ("", plain)


def test_only_a_path_with_the_present_version_may_be_kept_for_ever(assets: Assets) -> None:
    path = "app/main.js"
    assert assets.find(f"{assets.version}/{path}") == (assets.by_path[path], True)
    assert assets.find(path) == (assets.by_path[path], False)
    assert assets.find(f"0123456789ab/{path}") is None
    assert assets.find("../pages.py") is None


def test_the_page_names_its_files_by_version_and_leaves_no_placeholder(assets: Assets) -> None:
    page = assets.by_path["index.html"].chosen("")[1].decode()
    links = re.findall(r'(?:src|href)="/assets/([^"]+)"', page)
    assert "{{" not in page
    assert all(assets.find(link) is not None for link in links)
    assert f"{assets.version}/app/main.js" in links


def test_the_browser_is_told_to_fetch_what_the_first_page_needs_and_no_other_page(assets: Assets) -> None:
    page = assets.by_path["index.html"].chosen("")[1].decode()
    told = set(re.findall(r'modulepreload" href="/assets/\w+/([^"]+)"', page))
    assert {"app/main.js", "app/pages/overview.js", "app/ui/chart.js", "vendor/uplot.js", "vendor/hooks.js"} <= told
    assert {path for path in told if path.startswith("app/pages/")} == {"app/pages/overview.js"}


def test_no_page_carries_a_script_or_a_style_inline(assets: Assets) -> None:
    pages = [one.chosen("")[1].decode() for path, one in assets.by_path.items() if path.endswith(".html")]
    assert not any(re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=", page) for page in pages)


def test_every_script_is_found_where_another_imports_it_from(assets: Assets) -> None:
    missing = []
    for path, one in assets.by_path.items():
        text = one.chosen("")[1].decode() if path.endswith(".js") and path != "api.js" else ""
        # Types are imported in comments, and are no files of the browser.
        for target in re.findall(r'(?:^|\n|;)(?:import|export)[^;"]*"(\.[^"]+)"|\bimport\("(\.[^"]+\.js)"\)\s*}', text):
            found = (DASHBOARD / path).parent.joinpath(target[0] or target[1]).resolve()
            if found.relative_to(DASHBOARD.resolve()).as_posix() not in assets.by_path:
                missing.append((path, target))
    assert missing == []


def test_the_libraries_are_those_that_were_vendored_each_with_its_licence() -> None:
    vendor = DASHBOARD / "vendor"
    listed = json.loads((vendor / "vendor.json").read_text(encoding="utf-8"))
    digests = {name: digest for one in listed for name, digest in one["sha256"].items()}
    found = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in vendor.iterdir()
        if file.name != "vendor.json" and not file.name.endswith(".d.ts")
    }
    assert found == digests, "run `make dashboard`"
    assert all(any(name.endswith(".LICENSE") for name in one["sha256"]) and one["license"] for one in listed)


def test_the_vendored_versions_are_the_pinned_ones() -> None:
    package = DASHBOARD.parents[1] / "clients" / "dashboard" / "package.json"
    pinned = json.loads(package.read_text(encoding="utf-8"))["devDependencies"]
    listed = json.loads((DASHBOARD / "vendor" / "vendor.json").read_text(encoding="utf-8"))
    assert {one["name"]: one["version"] for one in listed if one["name"] in pinned} == {
        name: version for name, version in pinned.items() if name != "typescript"
    }
