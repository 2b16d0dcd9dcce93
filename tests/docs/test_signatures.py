"""What the reference says of arguments is what Python says of them."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING

import pytest

from subscriptions import Billing
from subscriptions.engine.binding import Namespace, Verb

# What builds the documentation is not installed with the lowest versions of what is needed to run.
pytest.importorskip("griffe")

import griffe

from tools.signatures import Signatures, classes

if TYPE_CHECKING:
    from collections.abc import Iterator

BILLING = Billing()
NOUNS = sorted(name for name in dir(BILLING) if isinstance(getattr(BILLING, name), Namespace))


@pytest.fixture(scope="module")
def package() -> griffe.Module:
    read = griffe.load("subscriptions", extensions=griffe.load_extensions(Signatures))
    assert isinstance(read, griffe.Module)
    return read


def filled_in(package: griffe.Module) -> Iterator[tuple[str, list[str], list[str]]]:
    """Iterate over classes whose arguments were filled in: these, and those of the class itself."""
    for each in classes(package):
        init = each.members.get("__init__")
        if isinstance(init, griffe.Function) and each.parent is each.module and init.runtime:
            made = getattr(import_module(each.module.path), each.name)
            said = [parameter.name for parameter in init.parameters][1:]
            yield each.path, said, list(signature(made).parameters)


def test_a_class_is_made_with_the_arguments_that_the_reference_names(
    package: griffe.Module,
) -> None:
    found = list(filled_in(package))
    assert len(found) > 100
    assert [each for each in found if each[1] != each[2]] == []


@pytest.mark.parametrize("name", NOUNS)
def test_every_command_of_a_noun_stands_in_the_reference(package: griffe.Module, name: str) -> None:
    noun: object = getattr(BILLING, name)
    kind = type(noun)
    written = package[f"{kind.__module__.removeprefix('subscriptions.')}.{kind.__name__}"]
    for command, verb in vars(kind).items():
        if isinstance(verb, Verb):
            said = written.members[command]
            assert isinstance(said, griffe.Function), command
            assert said.docstring is not None
            assert [each.name for each in said.parameters] == list(
                signature(getattr(noun, command)).parameters
            )
