"""Immutable classes: what `attrs.frozen` makes, with instances that are made several times faster.

attrs fills a frozen instance with one call of `object.__setattr__` for each field, and a billing
run makes little else than instances. Here an instance belongs to a class that can be written while
`__init__` fills it, and to its own as soon as it is filled: before anybody else has seen it. Only
how an instance is made is decided here; all else is what attrs does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import new_class
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from attrs import frozen as frozen  # noqa: PLC0414, TID251 - the checkers know what it does
else:

    def frozen(cls=None, **options):  # noqa: ANN001, ANN003, ANN201 - typed above
        """Make a class whose instances never change; takes the options of `attrs.frozen`.

        Law: who writes or deletes a field gets `attrs.exceptions.FrozenInstanceError`, also in
        `__attrs_post_init__`.

        >>> @frozen
        ... class Point:
        ...     x: int
        ...     y: int = 0
        >>> Point(1)
        Point(x=1, y=0)
        """
        if cls is None or options or len(cls.__annotations__) < _MANY:
            return attrs.frozen(cls, **options)  # noqa: TID251 - that is meant
        return _filled_at_once(cls)


# To change the class of an instance twice takes as long as to set about four fields.
_MANY = 5


@attrs.frozen  # noqa: TID251 - that is meant
class _Frozen:
    """Has what attrs does to whoever writes to a frozen instance."""


def _filled_at_once(cls: Any) -> Any:  # noqa: ANN401 - a class, as it is given and as it is made
    cls.__attrs_pre_init__ = _open
    post_init = cls.__dict__.get("__attrs_post_init__")
    if post_init is not None:
        cls.__attrs_post_init__ = _closing(post_init)
    elif not hasattr(cls, "__attrs_post_init__"):
        cls.__attrs_post_init__ = _close
    made: Any = attrs.define(cls, unsafe_hash=True, on_setattr=attrs.setters.NO_OP)
    made.__setattr__ = _Frozen.__setattr__
    made.__delattr__ = _Frozen.__delattr__
    return made


_set = object.__setattr__


@cache
def _writable(cls: type[Any]) -> type[Any]:
    """Return a class laid out as another one, whose instances can be written."""
    body = {"__slots__": (), "__setattr__": _set, "__delattr__": object.__delattr__}
    return new_class(cls.__name__, (cls,), exec_body=lambda namespace: namespace.update(body))


def _open(self: Any) -> None:  # noqa: ANN401 - any instance
    _set(self, "__class__", _writable(self.__class__))


def _close(self: Any) -> None:  # noqa: ANN401 - any instance
    self.__class__ = self.__class__.__base__


def _closing(post_init: Callable[[Any], None]) -> Callable[[Any], None]:
    def close(self: Any) -> None:  # noqa: ANN401 - any instance
        self.__class__ = self.__class__.__base__
        post_init(self)

    return close
