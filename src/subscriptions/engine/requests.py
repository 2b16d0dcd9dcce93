"""What makes two requests the same: the fingerprint that an idempotency key is remembered with.

Arguments count by value: by name or by place, a list or a tuple, a set in any order, and a default
that is said or not, are the same request. Time and the key itself do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256
from inspect import signature
from typing import ParamSpec, TypeVar, cast

from subscriptions.events import KINDS
from subscriptions.records import Record

P = ParamSpec("P")
T = TypeVar("T")

_RECORDS = frozenset({kind.record for kind in KINDS})
_NOT_PART = frozenset({"at", "idempotency_key"})


def requested(build: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> tuple[T, str]:
    """Return what a use case makes of its arguments, and the fingerprint of the request.

    An iterator is read into a tuple first, for it can be read only once, and a record that is given
    where an id is wanted, in a list or as a key too, stands for its id. The fingerprint is "" where
    no idempotency key asks for one.
    """
    given = [_read(each) for each in args]
    named = {name: _read(each) for name, each in kwargs.items()}
    untyped: Callable[..., T] = build
    return untyped(*given, **named), _fingerprint(build, given, named)


def fingerprint_of(command: str, *given: object) -> str:
    """Return the fingerprint of a command that no use case reads: its name, and what it is given.

    >>> fingerprint_of("webhooks.prune", [3, 4]) == fingerprint_of("webhooks.prune", (3, 4))
    True
    """
    return sha256(repr((command, _plain(given))).encode()).hexdigest()


def _fingerprint(
    build: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]
) -> str:
    if kwargs.get("idempotency_key") is None:
        return ""
    bound = signature(build).bind(*args, **kwargs)
    bound.apply_defaults()
    given = [(k, _plain(v)) for k, v in bound.arguments.items() if k not in _NOT_PART]
    name = f"{build.__module__}.{build.__qualname__}"
    return sha256(repr((name, given)).encode()).hexdigest()


def _read(value: object) -> object:
    """Return an argument as use cases take it: iterators read, records as their ids."""
    match value:
        case Iterator() | list() | tuple():
            return tuple([_read(each) for each in cast("Iterable[object]", value)])
        case dict():
            named = cast("dict[object, object]", value)
            return {_read(key): _read(each) for key, each in named.items()}
        case _ if type(value) in _RECORDS:
            return cast("Record", value).id
        case _:
            return value


def _plain(value: object) -> object:
    match value:
        case Mapping():
            items = cast("Mapping[object, object]", value).items()
            return ("mapping", sorted((repr(k), _plain(v)) for k, v in items))
        case AbstractSet():
            return (
                "set",
                sorted(repr(_plain(each)) for each in cast("AbstractSet[object]", value)),
            )
        case list() | tuple():
            return tuple([_plain(each) for each in cast("list[object]", value)])
        case _:
            return value
