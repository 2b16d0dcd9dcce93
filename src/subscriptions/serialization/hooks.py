"""How each type of value is read and written: as one kind of JSON value, and as nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum, StrEnum
from fractions import Fraction
from functools import lru_cache, partial
from operator import eq
from typing import Any, TypeAlias, cast, get_args, get_origin

from attrs import fields_dict
from cattrs import BaseConverter, Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from subscriptions import lifecycle
from subscriptions.money import Currency, Money
from subscriptions.proration import ProrationUnit
from subscriptions.records import Metadata
from subscriptions.serialization.states import STATES
from subscriptions.taxes import TaxBehavior, TaxRate

Json: TypeAlias = Any

_FRACTION = re.compile(r"-?[0-9]{1,40}(/[1-9][0-9]{0,40})?")


def make_converter() -> Converter:
    """Return the converter of all records; it reads what it would write, and refuses the rest."""
    converter = Converter(
        forbid_extra_keys=True,
        detailed_validation=False,
        prefer_attrib_converters=False,
        omit_if_default=True,
    )
    for plain in (int, str, bool):
        converter.register_structure_hook(plain, _exactly(plain))
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Fraction, _fraction)
    converter.register_unstructure_hook(Fraction, str)
    converter.register_structure_hook(datetime, _instant)
    converter.register_unstructure_hook(datetime, _write_instant)
    converter.register_structure_hook(date, lambda value, _: date.fromisoformat(_text(value)))
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_structure_hook(Currency, lambda value, _: Currency.of(_text(value)))
    converter.register_unstructure_hook(Currency, lambda value: value.code)
    converter.register_structure_hook(Money, _money)
    converter.register_unstructure_hook(Money, lambda value: [value.minor, value.currency.code])
    converter.register_structure_hook(Metadata, _metadata)
    converter.register_unstructure_hook(Metadata, dict)
    converter.register_structure_hook_factory(_is_tuple, _tuple_reader)
    for kind in (StrEnum, Enum):
        converter.register_structure_hook(kind, lambda value, type_: type_(value))
    converter.register_structure_hook_func(lambda type_: type_ == int | Decimal, _number)
    converter.register_unstructure_hook_func(lambda type_: type_ == int | Decimal, _write_number)
    converter.register_structure_hook_func(
        lambda type_: type_ == int | Decimal | None,
        lambda value, type_: None if value is None else _number(value, type_),
    )
    converter.register_unstructure_hook_func(
        lambda type_: type_ == int | Decimal | None,
        lambda value: None if value is None else _write_number(value),
    )
    for union, tags in STATES.items():
        write, read = _tagged(converter, tags, "is")
        converter.register_structure_hook_func(partial(eq, union), read)
        converter.register_unstructure_hook_func(partial(eq, union), write)
    converter.register_structure_hook(TaxRate, _rate_reader(converter))
    converter.register_unstructure_hook(lifecycle.Debit, _debit_writer(converter))
    return converter


def _exactly(wanted: type) -> Callable[[Json, type], Json]:
    def structure(value: Json, _: type) -> Json:
        if type(value) is not wanted:
            raise TypeError(f"{value!r} is not of type {wanted.__name__}")
        return value

    return structure


def _text(value: Json) -> str:
    if type(value) is not str:
        raise TypeError(f"{value!r} is not a text")
    return value


def _decimal(value: Json, _: type) -> Decimal:
    try:
        number = Decimal(_text(value))
    except InvalidOperation as error:
        raise TypeError(f"{value!r} is not a decimal number") from error
    if not number.is_finite():
        raise TypeError(f"{value!r} is not a finite number")
    return number


def _fraction(value: Json, _: type) -> Fraction:
    if not _FRACTION.fullmatch(_text(value)):
        raise TypeError(f"{value!r} is not a fraction")
    return Fraction(value)


def _instant(value: Json, _: type) -> datetime:
    instant = datetime.fromisoformat(_text(value))
    if instant.tzinfo is None:
        raise TypeError(f"{value!r} has no zone")
    return instant.astimezone(UTC)


def _write_instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


def _money(value: Json, _: type) -> Money:
    match value:
        case [minor, currency] if type(value) is list:
            return Money(_exactly(int)(minor, int), Currency.of(_text(currency)))
        case _:
            raise TypeError(f"{value!r} is not a list of minor units and a currency")


def _metadata(value: Json, _: type) -> Metadata:
    if type(value) is not dict:
        raise TypeError(f"{value!r} is not an object")
    return Metadata(cast("dict[str, str]", value))


def _is_tuple(wanted: object) -> bool:
    return get_origin(wanted) is tuple


def _tuple_reader(wanted: type, converter: BaseConverter) -> Callable[[Json, type], Json]:
    """Read a list and nothing else: a text would be a tuple of its characters."""
    member = get_args(wanted)[0]
    read_member = converter.get_structure_hook(member)

    def read(value: Json, _: type) -> Json:
        match value:
            case [*members] if type(value) is list:
                return tuple([read_member(each, member) for each in members])
            case _:
                raise TypeError(f"{value!r} is not a list")

    return read


def _number(value: Json, _: object) -> int | Decimal:
    return value if type(value) is int else _decimal(value, Decimal)


def _write_number(value: int | Decimal) -> int | str:
    return value if type(value) is int else str(value)


def _tagged(
    converter: Converter, tags: Mapping[type, str], key: str
) -> tuple[Callable[[Any], Json], Callable[[Json, Any], Any]]:
    """Return how to write and read one union: each member's fields, and its tag under `key`."""
    members = {tag: member for member, tag in tags.items()}
    writers: dict[type, tuple[str, Callable[[Any], dict[str, Json]]]] = {}

    def write(value: object) -> Json:
        found = writers.get(type(value))
        if found is None:
            member = type(value)
            found = writers[member] = (tags[member], converter.get_unstructure_hook(member))
        tag, fields = found
        document = fields(value)
        document[key] = tag
        return document

    def read(value: Json, _: object) -> object:
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} is not an object with a {key!r}")
        fields = dict(cast("dict[str, Json]", value))
        tag = fields.pop(key, None)
        if tag not in members:
            raise TypeError(f"{key} {tag!r} is none of {', '.join(members)}")
        structure = converter.get_structure_hook(members[tag])
        member: object = structure(fields, members[tag])
        return member

    return write, read


def _debit_writer(converter: Converter) -> Callable[[lifecycle.Debit], Json]:
    """Return how debits are written: as all records are, but the plain ones without comparing.

    Each renewal writes one twice, and to compare three fractions with their defaults takes longer
    than all the rest; those of a plain one are the very defaults.
    """
    write = make_dict_unstructure_fn(lifecycle.Debit, converter, _cattrs_omit_if_default=True)
    write_rate = converter.get_unstructure_hook(TaxRate)
    by_name = fields_dict(lifecycle.Debit)
    zero, one, to_one = (by_name[name].default for name in ("begin", "end", "charged_to"))

    def write_debit(debit: lifecycle.Debit) -> Json:
        if (
            debit.begin is not zero
            or debit.end is not one
            or debit.charged_to is not to_one
            or debit.grants
            or debit.cycle is not None
            or debit.unit is not ProrationUnit.DAY
            or debit.behavior is not TaxBehavior.EXCLUSIVE
            or debit.invoice is None
            or debit.more_rates
        ):
            return write(debit)
        whole = debit.whole
        document = {
            "item": debit.item,
            "price": debit.price,
            "whole": {"start": whole.start.isoformat(), "end": whole.end.isoformat()},
            "whole_minor": debit.whole_minor,
            "rate": write_rate(debit.rate),
        }
        if debit.line:
            document["line"] = debit.line
        document["invoice"] = debit.invoice
        return document

    return write_debit


def _rate_reader(converter: Converter) -> Callable[[Json, type], TaxRate]:
    """Return how tax rates are read: there are few, and each line and each debit has one."""
    structure = make_dict_structure_fn(
        TaxRate,
        converter,
        _cattrs_forbid_extra_keys=True,
        _cattrs_detailed_validation=False,
    )

    @lru_cache(maxsize=256)
    def known(fields: tuple[tuple[str, Json], ...]) -> TaxRate:
        return structure(dict(fields), TaxRate)

    def read(value: Json, _: type) -> TaxRate:
        if type(value) is not dict:
            raise TypeError(f"{value!r} is not an object")
        return known(tuple(cast("dict[str, Json]", value).items()))

    return read
