"""What a document shows as output is what its examples print.

A `text` block that follows a `python` block, with nothing between them, is the output of that
block. Each document runs in one namespace, in reading order.
"""

from __future__ import annotations

import re
import sys
from contextlib import redirect_stdout
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from attrs import frozen

ROOT = Path(__file__).parent.parent.parent
FENCED = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)


@frozen
class Block:
    language: str
    content: str
    follows: bool
    line: int


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for match in FENCED.finditer(text):
        line = text.count("\n", 0, match.start()) + 2
        follows = not text[end : match.start()].strip()
        found.append(Block(match["language"], match["content"], follows, line))
        end = match.end()
    return found


def shows_output(path: Path) -> bool:
    found = blocks(path)
    return any(
        after.language == "text" and after.follows and block.language == "python"
        for block, after in pairwise(found)
    )


DOCUMENTS = [
    path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if shows_output(path)
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_shows_is_what_it_prints(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("document")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where annotations are looked up
    printed: str | None = None
    for block in blocks(path):
        if block.language == "python":
            output = StringIO()
            with redirect_stdout(output):
                # Empty lines first, so that an error names the line of the document.
                code = compile("\n" * (block.line - 1) + block.content, str(path), "exec")
                exec(code, vars(module))  # noqa: S102 - the document's own example
            printed = output.getvalue()
        elif block.language == "text" and block.follows and printed is not None:
            assert printed == block.content, f"{path.name}, line {block.line}"
        else:
            printed = None
