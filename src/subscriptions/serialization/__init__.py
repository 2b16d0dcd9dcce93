"""Records to JSON texts and back: strict, with stable tags; the one package that knows cattrs.

Reading refuses what it does not know: another type (19.99 is not 19, None is not "None"), an
unknown key, an unknown tag, a missing key unless the field has a default (so that what an older
release wrote stays readable). What has its default value is not written, so a default never
changes once it was released. Tags are stated in `states` and are no class names, so a class can be
renamed without orphaning what is stored. Instants are written in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

from cattrs.errors import ForbiddenExtraKeysError

from subscriptions.errors import ValidationError
from subscriptions.events import KINDS
from subscriptions.records import AnyKind, Kind, Record
from subscriptions.serialization.hooks import Json, make_converter
from subscriptions.serialization.states import STATES

__all__ = [
    "KIND_NAMED",
    "STATES",
    "UnreadableRecord",
    "dump",
    "dump_report",
    "kind_named",
    "load",
    "load_report",
]

R = TypeVar("R", bound=Record)
T = TypeVar("T")

KIND_NAMED: dict[str, AnyKind] = {kind.name: kind for kind in KINDS}


class UnreadableRecord(ValidationError):
    """A stored or given document is not what its kind says; nothing was guessed."""


def dump(record: Record) -> str:
    """Return a record as a JSON text; one record gives the same text every time."""
    return _encode(_writer(type(record))(record))


def load(kind: Kind[R], text: str) -> R:
    """Return the record that a JSON text holds; raises `UnreadableRecord` if it does not."""
    return _load(kind.record, kind.name, text)


def dump_report(report: object) -> str:
    """Return what a command reported as a JSON text, as `dump` does a record."""
    kind: Any = type(report)
    return _encode(_writer(kind)(report))


def load_report(kind: type[T], text: str) -> T:
    """Return the report that a JSON text holds; raises `UnreadableRecord` if it does not.

    >>> load_report(int, dump_report(3))
    3
    """
    return _load(kind, "report", text)


def _load(kind: type[T], name: str, text: str) -> T:
    wanted: Any = kind
    try:
        document = json.loads(text)
        return cast("T", _reader(wanted)(document, wanted))
    except (*_NOT_WHAT_IT_SHOULD_BE, ForbiddenExtraKeysError) as error:
        # Not the text itself: it holds personal data, and errors end in logs.
        size = f"{len(text)} characters"
        expected = f"a stored {name} ({type(error).__name__})"
        raise UnreadableRecord(name, size, expected) from error


def kind_named(name: str) -> AnyKind:
    """Return the kind of a stored name; raises `ValidationError` for an unknown one."""
    if name not in KIND_NAMED:
        raise ValidationError("kind", name, f"one of {', '.join(KIND_NAMED)}")
    return KIND_NAMED[name]


# An instant outside of the calendar in UTC overflows; a text of 100,000 brackets recurses.
_NOT_WHAT_IT_SHOULD_BE = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
)

_converter = make_converter()
# What the hooks make is made anew, of dicts and lists: nothing can hold itself.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


@cache
def _writer(record: type) -> Callable[[Any], Json]:
    return _converter.get_unstructure_hook(record)


@cache
def _reader(record: type) -> Callable[[Json, type], Any]:
    return _converter.get_structure_hook(record)
