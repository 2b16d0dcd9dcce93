"""Run what the documents show: Python in Markdown files, and examples in docstrings.

Each document has its own namespace, and its examples run in reading order: a later one may use a
name of an earlier one. Blocks in any other language are not run.
"""

from doctest import ELLIPSIS, NORMALIZE_WHITESPACE

import pytest
from hypothesis import settings
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers import markdown, rest

# The same examples in every run, however long they take: a run that fails fails again.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

OPTIONS = ELLIPSIS | NORMALIZE_WHITESPACE

documents = Sybil(
    parsers=[
        markdown.PythonCodeBlockParser(doctest_optionflags=OPTIONS),
        markdown.SkipParser(),
    ],
    patterns=["README.md", "docs/*.md", "docs/*/*.md", "docs/*/*/*.md"],
)
docstrings = Sybil(
    parsers=[rest.DocTestParser(optionflags=OPTIONS)],
    # Patterns are matched from the right, and ** stands for one folder only (before Python 3.13).
    patterns=[f"src/subscriptions/{'*/' * depth}*.py" for depth in range(4)],
    excludes=["*/migrations/*", "*/migrations/versions/*"],
)
pytest_collect_file = (documents + docstrings).pytest()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the examples of a document back in reading order, after everything was shuffled."""
    examples = [item for item in items if isinstance(item, SybilItem)]
    examples.sort(key=lambda item: (item.path, item.example.line, item.example.column))
    items[:] = [item for item in items if not isinstance(item, SybilItem)] + list(examples)
