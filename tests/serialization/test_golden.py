"""What was stored by any release is read as the same value, and written as the same text."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from types import UnionType
from typing import Any, NewType, Union, get_args, get_origin

import pytest
from attrs import fields, has, resolve_types

from subscriptions.events import KINDS, TAGS, Recorded
from subscriptions.serialization import STATES, dump, load
from subscriptions.testing.examples import Example, examples
from tests.serialization.write_golden import FOLDER, golden_file

EXAMPLES = {example.name: example for example in examples()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_stored_is_read_as_the_same_value(name: str) -> None:
    example = EXAMPLES[name]
    text = golden_file(name).read_text(encoding="utf-8").removesuffix("\n")
    assert load(example.kind, text) == example.record


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_record_is_written_as_the_same_text(name: str) -> None:
    text = golden_file(name).read_text(encoding="utf-8").removesuffix("\n")
    example = EXAMPLES[name]
    assert dump(example.record) == text
    assert dump(load(example.kind, text)) == text


def test_there_is_a_golden_file_for_every_example_and_no_other() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == set(EXAMPLES)


def test_examples_can_be_stored_together() -> None:
    listed = examples()
    assert len({example.name for example in listed}) == len(listed)
    assert len({(e.kind.name, e.record.id) for e in listed}) == len(listed)


def test_there_is_an_example_of_every_kind() -> None:
    assert {example.kind for example in examples()} == set(KINDS)


def test_there_is_an_example_of_every_event_type() -> None:
    assert {type(body) for body in _event_bodies()} == set(TAGS)


@pytest.mark.parametrize("union", STATES, ids=str)
def test_there_is_an_example_of_every_member_of_every_union(union: object) -> None:
    assert set(STATES[union]) <= {type(part) for part in _parts()}


@pytest.mark.parametrize("union", STATES, ids=str)
def test_every_member_of_a_union_has_a_tag_of_its_own(union: object) -> None:
    assert set(get_args(union)) == set(STATES[union])
    assert len(set(STATES[union].values())) == len(STATES[union])


def test_there_is_an_example_of_every_class_and_every_choice_that_a_record_can_hold() -> None:
    reachable: set[type] = set()
    for kind in KINDS:
        _reach(kind.record, reachable)
    seen = list(_parts())
    assert {each for each in reachable if has(each)} <= {type(part) for part in seen}
    choices = {choice for each in reachable if issubclass(each, Enum) for choice in each}
    assert choices <= {part for part in seen if isinstance(part, Enum)}


def _event_bodies() -> Iterator[object]:
    for example in examples():
        if isinstance(example.record, Recorded):
            yield example.record.body


def _parts() -> Iterator[object]:
    for example in examples():
        yield from _within(example.record)


def _within(value: Any) -> Iterator[object]:  # noqa: ANN401 - whatever a record holds
    """Yield a value and all that it holds."""
    yield value
    held: type[object] = value.__class__
    if has(held):
        for attribute in fields(held):
            yield from _within(getattr(value, attribute.name))
    elif held is tuple:
        for each in value:
            yield from _within(each)


def _reach(wanted: Any, reachable: set[type]) -> None:  # noqa: ANN401 - whatever a field may be
    """Collect the classes and enumerations that a field of a type can hold."""
    if isinstance(wanted, NewType):
        wanted = wanted.__supertype__
    if get_origin(wanted) in (Union, UnionType, tuple):
        for each in get_args(wanted):
            _reach(each, reachable)
    elif has(wanted) and wanted not in reachable:
        reachable.add(wanted)
        for attribute in fields(resolve_types(wanted)):
            if attribute.init:
                _reach(attribute.type, reachable)
    elif isinstance(wanted, type) and issubclass(wanted, Enum):
        reachable.add(wanted)


def test_an_example_is_a_value() -> None:
    assert examples() == examples()
    assert isinstance(examples()[0], Example)
