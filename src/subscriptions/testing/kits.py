"""What the kits for authors of adapters have in common: laws that can be waived, not overridden.

A kit is a class whose methods named `test_…` are the laws of a port. An author inherits it, gives
the fixtures it asks for, and has all its laws run. A law that does not hold yet is named in
`waived` with a reason; it still runs, as a strict expected failure, so a waiver that is no longer
needed fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import unwrap
from typing import ClassVar, TypeAlias

import pytest

Law: TypeAlias = Callable[..., None]


class Laws:
    """The root of the kits. A kit says `class MyLaws(Laws, kit=True)`; authors inherit the kit."""

    __test__ = False

    laws: ClassVar[Mapping[str, Law]] = {}
    """The laws of the kit by name."""
    waived: ClassVar[Mapping[str, str]] = {}
    """The laws that do not hold yet, each with the reason."""

    def __init_subclass__(cls, *, kit: bool = False) -> None:
        """Take down a kit's laws; let an author's class run them all, as they are written."""
        super().__init_subclass__()
        if kit:
            cls.__test__ = False
            # A kit may be composed of kits, one for each topic: the laws of all are its laws.
            cls.laws = {
                name: law
                for owner in reversed(cls.__mro__)
                for name, law in vars(owner).items()
                if name.startswith("test_")
            }
            return
        if "__test__" not in vars(cls):
            cls.__test__ = True
        for name in cls.waived:
            if name not in cls.laws:
                raise TypeError(f"{cls.__name__} waives {name}, which is no law")
        for name, law in cls.laws.items():
            if unwrap(getattr(cls, name)) is not law:
                raise TypeError(f"{cls.__name__} overrides the law {name}; waive it with a reason")
            setattr(cls, name, waive(law, cls.waived[name]) if name in cls.waived else law)


def waive(law: Law, reason: str) -> Law:
    """Return the law as one that is expected to fail, and that fails if it does not."""
    if not reason.strip():
        raise TypeError(f"{law.__name__} is waived without a reason")

    @wraps(law)
    def waived(*args: object, **kwargs: object) -> None:
        law(*args, **kwargs)

    return pytest.mark.xfail(reason=reason, strict=True)(waived)
