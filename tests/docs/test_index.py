"""The front page of the documentation leads everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.glob("*/*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_linked_from_the_front_page(page: str) -> None:
    assert f"({page})" in (DOCS / "index.md").read_text(encoding="utf-8")
