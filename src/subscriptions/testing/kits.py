"""What the kits for authors of adapters have in common: laws that can be waived, not overridden.

A kit is a class whose methods named `test_…` are the laws of a port. An author inherits it, gives
the fixtures it asks for, and has all its laws run. A law that does not hold yet is named in
`waived` with a reason; it still runs, as a strict expected failure, so a waiver that is no longer
needed fails.

Not every law is for everybody: a law may have a `Need`, which what is tested meets or does not. One
whose need is not met is skipped, and says why; that is no gap and needs no waiver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import unwrap
from typing import Any, ClassVar, TypeAlias, TypeVar

import pytest

from subscriptions.frozen import frozen

Law: TypeAlias = Callable[..., None]
L = TypeVar("L", bound=Callable[..., None])


@frozen
class Need:
    """What a law is for: `meets` says of what is tested whether it applies, `reason` why not."""

    meets: Callable[[Any], bool]
    reason: str


class Laws:
    """The root of the kits. A kit says `class MyLaws(Laws, kit=True)`; authors inherit the kit."""

    __test__ = False

    laws: ClassVar[Mapping[str, Law]] = {}
    """The laws of the kit by name."""
    waived: ClassVar[Mapping[str, str]] = {}
    """The laws that do not hold yet, each with the reason."""
    needs: ClassVar[Mapping[str, tuple[Need, ...]]] = {}
    """What the laws are for that are not for everybody, by name."""

    def __init_subclass__(cls, *, kit: bool = False, needs: Need | None = None) -> None:
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
            inherited = {
                name: need
                for base in reversed(cls.__bases__)
                if issubclass(base, Laws)
                for name, need in base.needs.items()
            }
            own = [name for name in vars(cls) if name.startswith("test_")]
            # A law of its own may say so itself, beside what its topic needs.
            topic = () if needs is None else (needs,)
            said = {name: (*topic, *getattr(vars(cls)[name], "needs", ())) for name in own}
            cls.needs = {**inherited, **{name: need for name, need in said.items() if need}}
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

    @classmethod
    def missed(cls, law: str, tested: object) -> str | None:
        """Return why a law is not for what is tested, or None: then it applies."""
        for need in cls.needs.get(law, ()):
            if not need.meets(tested):
                return need.reason
        return None

    @classmethod
    def applicable(cls, tested: object) -> tuple[str, ...]:
        """Return the names of the laws that are for what is tested."""
        return tuple(name for name in cls.laws if cls.missed(name, tested) is None)


def only_if(*needs: Need) -> Callable[[L], L]:
    """Say what a single law is for."""

    def marked(law: L) -> L:
        law.needs = needs  # type: ignore[attr-defined]  # a function takes any attribute
        return law

    return marked


def waive(law: Law, reason: str) -> Law:
    """Return the law as one that is expected to fail, and that fails if it does not."""
    if not reason.strip():
        raise TypeError(f"{law.__name__} is waived without a reason")

    @wraps(law)
    def waived(*args: object, **kwargs: object) -> None:
        law(*args, **kwargs)

    return pytest.mark.xfail(reason=reason, strict=True)(waived)
