"""The kit itself: it cannot be bent, and it uses only what an author of an adapter may use."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import subscriptions.testing
from subscriptions.testing import StorageLaws
from subscriptions.testing.examples import examples
from subscriptions.testing.kits import Laws

FOLDER = Path(subscriptions.testing.__file__).parent
LAWS = [name for name in dir(StorageLaws) if name.startswith("test_")]

ADAPTER = """
import pytest
from subscriptions.storage.memory import MemoryStorage
from subscriptions.testing import StorageLaws

class Forgetful(MemoryStorage):
    def undelivered(self, tenant, consumer, limit, /):
        return super().undelivered(tenant, "everybody", limit)
    def acknowledge(self, tenant, consumer, position, /):
        super().acknowledge(tenant, "everybody", position)

class TestForgetful(StorageLaws):
    waived = {WAIVED}

    @pytest.fixture
    def storage(self):
        return Forgetful()
"""


def empty(_self: object, _storage: object) -> None:
    """Prove nothing."""


def kit_files() -> Iterator[Path]:
    yield from FOLDER.rglob("*.py")


def test_there_are_many_laws_and_each_is_a_sentence() -> None:
    assert len(LAWS) >= 35
    for name in LAWS:
        assert len(name.split("_")) >= 4, name
        assert getattr(StorageLaws, name).__doc__, name


def test_the_base_is_not_collected_and_an_adapter_is() -> None:
    assert StorageLaws.__test__ is False
    assert type("TestMine", (StorageLaws,), {}).__test__ is True  # type: ignore[attr-defined]


def test_a_law_of_any_topic_cannot_be_overridden() -> None:
    for name in LAWS:
        with pytest.raises(TypeError, match=name):
            type("TestMine", (StorageLaws,), {name: empty})


def test_a_law_cannot_be_overridden_from_the_side_or_taken_away() -> None:
    side = type("Side", (), {LAWS[0]: empty})
    with pytest.raises(TypeError, match=LAWS[0]):
        type("TestMine", (side, StorageLaws), {})
    with pytest.raises(TypeError, match=LAWS[0]):
        type("TestMine", (StorageLaws,), {LAWS[0]: None})


def test_only_a_law_can_be_waived_and_only_with_a_reason() -> None:
    with pytest.raises(TypeError, match="test_of_my_own"):
        type("TestMine", (StorageLaws,), {"waived": {"test_of_my_own": "later"}})
    with pytest.raises(TypeError, match=LAWS[0]):
        type("TestMine", (StorageLaws,), {"waived": {LAWS[0]: " "}})


@pytest.mark.parametrize(
    ("waived", "outcomes"),
    [
        ({}, {"failed": 1, "passed": 1}),
        ({"test_consumers_are_independent": "one mark per event"}, {"xfailed": 1, "passed": 1}),
        (
            {
                "test_consumers_are_independent": "one mark per event",
                "test_an_id_can_be_new_once": "it can, so this is strict",
            },
            {"failed": 1, "xfailed": 1},
        ),
    ],
    ids=["nothing", "the gap", "too much"],
)
def test_a_waived_law_still_runs_and_must_fail(
    tmp_path: Path, waived: dict[str, str], outcomes: dict[str, int]
) -> None:
    file = tmp_path / "test_adapter.py"
    file.write_text(ADAPTER.replace("{WAIVED}", repr(waived)))
    laws = "test_consumers_are_independent or test_an_id_can_be_new_once"
    options = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-k", laws]
    command = [sys.executable, "-m", "pytest", *options, str(file)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    counts = re.findall(r"(\d+) (passed|failed|xfailed|xpassed|errors?)\b", ran.stdout)
    assert {word: int(count) for count, word in counts} == outcomes, ran.stdout + ran.stderr


def test_the_kit_touches_no_private_name() -> None:
    for file in kit_files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                name, own = node.attr, ast.unparse(node.value) in {"self", "cls"}
                assert own or not name.startswith("_") or name.endswith("__"), f"{file}: {name}"
            if isinstance(node, ast.ImportFrom):
                assert not any(alias.name.startswith("_") for alias in node.names), file


def test_the_kit_is_no_plugin() -> None:
    for file in kit_files():
        text = file.read_text(encoding="utf-8")
        assert "pytest_plugins" not in text
        assert "def pytest_" not in text


def test_the_kit_says_what_it_deletes() -> None:
    assert "deletes" in (StorageLaws.__doc__ or "")
    assert issubclass(StorageLaws, Laws)


def test_the_example_of_the_kit_names_a_law_that_there_is() -> None:
    named = re.findall(r'"(test_\w+)"', StorageLaws.__doc__ or "")
    assert named
    assert set(named) <= set(LAWS)


def test_examples_are_of_one_tenant() -> None:
    assert {example.record.tenant for example in examples()} == {"acme"}
