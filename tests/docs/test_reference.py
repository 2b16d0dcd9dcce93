"""The reference says what the code does: each page that follows from it is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from tools.draw_states import diagrams, svg
from tools.fill_reference import REFERENCE, pages


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_every_page_that_follows_from_the_code_is_up_to_date(path: Path) -> None:
    written = path.read_text(encoding="utf-8") if path.exists() else ""
    assert written == pages()[path], "run: python tools/fill_reference.py"


def test_there_is_no_diagram_of_what_does_not_exist() -> None:
    drawn = {f"{diagram.name}.svg" for diagram in diagrams()}
    assert {path.name for path in (REFERENCE / "states").iterdir()} == drawn


@pytest.mark.parametrize(("name", "fault"), [("invoice", "lies on"), ("payment", "runs behind")])
def test_a_diagram_that_nobody_can_read_is_not_drawn(name: str, fault: str) -> None:
    (diagram,) = [each for each in diagrams() if each.name == name]
    svg(diagram)
    with pytest.raises(ValueError, match=fault):
        svg(evolve(diagram, bends={}))
