"""What a stored record is, and what it declares about itself to a storage.

Each record module ends with one `Kind`: the record's name, its class, the columns that may be
queried and the keys that must be unique. Adapters derive their tables from it. Nothing here knows
a particular record, and nothing here reads or writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, cast

from attrs import AttrsInstance, field, fields

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen

ColumnValue: TypeAlias = str | int | date | datetime | None


class Record(Protocol):
    """What every stored record has.

    `version` is the number of the record's latest event: it goes up by one for each event, so
    the events of a record are numbered 1…n without a gap, and a stale writer is noticed.
    """

    @property
    def id(self) -> str:
        """The record's id, unique within tenant and kind."""
        ...

    @property
    def tenant(self) -> str:
        """The tenant that the record belongs to."""
        ...

    @property
    def version(self) -> int:
        """How many events the record has had."""
        ...


R = TypeVar("R", bound=Record)
_RecordIn = TypeVar("_RecordIn", bound=Record)


class ColumnType(Enum):
    """What a storage must keep in a column, without loss."""

    TEXT = "text"
    INTEGER = "integer"
    DAY = "day"
    INSTANT = "instant"


@frozen
class Column(Generic[_RecordIn]):
    """One value of a record that a storage keeps by itself; `indexed` ones may be queried.

    Few records have a value in a `sparse` one, and only those are asked for: a storage may leave
    the others out of its index.
    """

    name: str
    type: ColumnType
    get: Callable[[_RecordIn], ColumnValue]
    indexed: bool = True
    sparse: bool = False


@frozen(eq=False)
class Kind(Generic[R]):
    """A kind of record as storages see it: its name for ever, its columns, its unique keys.

    A column named `due_at` makes the kind time-driven: the engine asks for what is due by it.
    In a unique key, rows in which a column is `None` do not clash.
    """

    name: str
    record: type[R]
    columns: tuple[Column[R], ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    by_name: dict[str, Column[R]] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})
        for key in self.unique:
            for name in key:
                if name not in self.by_name:
                    raise ValidationError(f"{self.name}.unique", name, "must be a column")

    def __repr__(self) -> str:
        return f"Kind({self.name!r})"


AnyKind: TypeAlias = Kind[Any]


@frozen
class Ref:
    """Names one record: its kind and its id."""

    kind: AnyKind
    id: str


if TYPE_CHECKING:
    from attrs import evolve as evolve  # noqa: PLC0414 - the checkers know its arguments
else:

    def evolve(record, **changes):  # noqa: ANN001, ANN003, ANN201 - typed above
        """Return a copy with changes, as `attrs.evolve` does, in less than a third of its time.

        The billing run makes several copies for each invoice. Raises `TypeError` for a name that
        is no field.
        """
        places, values_of = _copying(type(record))
        values = values_of(record)
        try:
            for name, value in changes.items():
                values[places[name]] = value
        except KeyError as unknown:
            raise TypeError(f"{type(record).__name__} has no field {unknown}") from None
        return type(record)(*values)


@cache
def _copying(
    record: type[AttrsInstance],
) -> tuple[dict[str, int], Callable[[AttrsInstance], list[object]]]:
    """Return where each field stands, and how to read all of them at once."""
    given = [each for each in fields(record) if each.init]
    places = {each.alias or each.name: place for place, each in enumerate(given)}
    # Compiled as attrs compiles `__init__`, since asking for one name after the other takes longer.
    read_all = ", ".join([f"record.{each.name}" for each in given])
    values_of: Callable[[AttrsInstance], list[object]] = eval(f"lambda record: [{read_all}]")  # noqa: S307
    return places, values_of


METADATA_KEYS_MAX = 50
METADATA_LENGTH_MAX = 500


class Metadata(Mapping[str, str]):
    """The host's own strings on a record: immutable, at most 50 keys, 500 characters each.

    >>> Metadata({"crm": "4711"})["crm"]
    '4711'
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str] | None = None) -> None:
        checked: dict[str, str] = {}
        given: object = {} if items is None else items
        if not isinstance(given, Mapping):
            raise ValidationError("metadata", given, "texts by their keys, as in {'crm': '4711'}")
        for key, value in cast("Mapping[str, str]", given).items():
            checked[plain_text("metadata", key, length_max=METADATA_LENGTH_MAX)] = plain_text(
                f"metadata[{key}]", value, length_max=METADATA_LENGTH_MAX, empty=True
            )
        if len(checked) > METADATA_KEYS_MAX:
            raise ValidationError("metadata", len(checked), f"at most {METADATA_KEYS_MAX} keys")
        self._items = checked

    def __getitem__(self, key: str) -> str:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        # Written out, because what `Mapping` has copies both into new dicts.
        return self._items == (other._items if isinstance(other, Metadata) else other)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return f"Metadata({self._items!r})"

    def __reduce__(self) -> tuple[type[Metadata], tuple[dict[str, str]]]:
        return Metadata, (self._items,)


# Half a surrogate pair is no character: no database and no UTF-8 can keep it.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def plain_text(name: str, value: object, *, length_max: int = 500, empty: bool = False) -> str:
    """Return `value` if it is a text without control characters, else raise `ValidationError`."""
    if not isinstance(value, str):
        raise ValidationError(name, value, "a text")
    if not empty and not value.strip():
        raise ValidationError(name, value, "must not be empty")
    if len(value) > length_max:
        raise ValidationError(name, value[:40] + "…", f"at most {length_max} characters")
    if _CONTROL.search(value):
        raise ValidationError(name, value, "no control characters")
    return value


def aware(name: str, value: object) -> datetime:
    """Return `value` if it is an instant with a zone, else raise `ValidationError`."""
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ValidationError(name, value, "an aware datetime, such as datetime(…, tzinfo=UTC)")
    return value


def plain_date(name: str, value: object) -> date:
    """Return `value` if it is a date and not a datetime, else raise `ValidationError`."""
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValidationError(name, value, "a date without time of day")
    return value
