"""Pictures in docs/ are shown by a page, and small enough for a repository."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHOWN = re.compile(r"!\[[^\]]+]\(images/([\w.-]+)\)")
MAX_BYTES = 200_000


def test_every_picture_is_shown_by_a_page_with_words_for_who_cannot_see_it() -> None:
    shown = {name for page in DOCS.glob("*.md") for name in SHOWN.findall(page.read_text(encoding="utf-8"))}
    assert {path.name for path in (DOCS / "images").iterdir()} - shown == set()


def test_no_picture_is_large() -> None:
    assert [path.name for path in (DOCS / "images").iterdir() if path.stat().st_size > MAX_BYTES] == []
