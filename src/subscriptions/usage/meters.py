"""Meters: what is counted, of which events, and how the quantity is rounded.

A meter is never edited, for what was counted by it is billed by it. Prices and usage name it by its
key, which is its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import assert_never

from attrs import field

from subscriptions.decisions import Change, created
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import MeterId
from subscriptions.money import round_fraction
from subscriptions.pricing import FreeUnits, Percentage, PriceModel
from subscriptions.pricing.numbers import PICO, from_picos, in_picos, read_size
from subscriptions.records import Kind, plain_text


class Aggregation(StrEnum):
    """How the events of a segment become one quantity; no event at all makes 0."""

    COUNT = "count"
    """How many events there were."""
    SUM = "sum"
    """The sum of their quantities, at least 0; a negative one takes back what was too much."""
    MAX = "max"
    """The largest quantity."""
    UNIQUE = "unique"
    """How many values a property had."""
    LAST = "last"
    """The quantity of the latest event; of one instant, what was recorded last."""
    TIME_WEIGHTED = "time_weighted"
    """The level that events set, weighted with how long it was held; it goes on until it changes.

    A level of 10 for half of the period and of 0 for the rest is 5. The level at the end of a
    segment is the one with which the next begins.
    """


class RoundingMode(StrEnum):
    """Which way a quantity is rounded."""

    NEAREST = "nearest"
    """To the nearest, a half away from zero."""
    UP = "up"
    DOWN = "down"


def _read_step(step: str | int | Decimal) -> Decimal:
    return read_size(step, "step")


@frozen
class QuantityRounding:
    """How the quantity of a whole segment is rounded, once: to a multiple of `step`.

    Whole units have the step 1, two decimals 0.01, quarters of an hour in minutes 15. The step is
    above 0 and has at most 12 decimals; raises `ValidationError` for others, and `TypeError` for
    floats.

    >>> from fractions import Fraction
    >>> QuantityRounding(RoundingMode.UP, 15).apply(Fraction(61, 2))
    Decimal('45')
    """

    mode: RoundingMode = RoundingMode.NEAREST
    step: Decimal = field(default=Decimal(1), converter=_read_step)

    def apply(self, quantity: Fraction) -> Decimal:
        """Return a quantity of at least 0 as a multiple of the step."""
        step = in_picos(self.step)
        whole, parts = quantity.numerator * PICO, quantity.denominator * step
        match self.mode:
            case RoundingMode.NEAREST:
                steps = round_fraction(whole, parts)
            case RoundingMode.UP:
                steps = -(-whole // parts)
            case RoundingMode.DOWN:
                steps = whole // parts
            case other:
                assert_never(other)
        return from_picos(steps * step)


EXACT = QuantityRounding(RoundingMode.NEAREST, Decimal((0, (1,), -12)))
"""The finest grain that prices know; only what is weighted with time is ever between two of it."""


@frozen
class Filter:
    """Only events count whose property has one of these values; never empty."""

    property: str
    values: tuple[str, ...]

    def __attrs_post_init__(self) -> None:
        plain_text("filters", self.property)
        if not self.values:
            raise ValidationError(f"filters[{self.property}]", (), "at least one value")
        for value in self.values:
            plain_text(f"filters[{self.property}]", value, empty=True)


@frozen
class Meter:
    """What is counted for a price: which events, how, and how the quantity is rounded.

    `counted_property` is whose values `UNIQUE` counts, and is there for no other aggregation. An
    event counts if it passes every filter; others are kept and count nothing.

    Raises `ValidationError` for a missing or needless property and for two filters of one property.
    """

    id: MeterId
    tenant: str
    version: int
    name: str
    aggregation: Aggregation = Aggregation.SUM
    counted_property: str | None = None
    filters: tuple[Filter, ...] = ()
    rounding: QuantityRounding = EXACT

    def __attrs_post_init__(self) -> None:
        plain_text("key", self.id, length_max=200)
        plain_text("name", self.name, length_max=200)
        counts_values = self.aggregation is Aggregation.UNIQUE
        if (self.counted_property is not None) != counts_values:
            expected = "a property whose values are counted" if counts_values else "None"
            raise ValidationError(
                "property", self.counted_property, f"{expected}, for {self.aggregation}"
            )
        if self.counted_property is not None:
            plain_text("property", self.counted_property)
        names = [each.property for each in self.filters]
        if len(set(names)) < len(names):
            raise ValidationError("filters", names, "each property once")

    @property
    def key(self) -> str:
        """The name by which prices and usage know it, once per tenant: its id."""
        return self.id

    def counts(self, properties: Mapping[str, str]) -> bool:
        """Return whether an event with these properties passes every filter."""
        return all(properties.get(each.property) in each.values for each in self.filters)


METER = Kind("meter", Meter)


@frozen
class MeterAdded:
    """Something can be counted, and be sold by what was counted."""

    meter: MeterId
    name: str


def add_meter(meter: Meter) -> Change:
    """Decide to count something."""
    return created(METER, meter, MeterAdded(meter.id, meter.name))


def needs_amounts(model: PriceModel) -> bool:
    """Return whether a price asks for the amount of each event, and not only for their sum."""
    if isinstance(model, FreeUnits):
        return needs_amounts(model.rest)
    return isinstance(model, Percentage) and model.terms.by_event


def check_fits(meter: Meter, model: PriceModel) -> None:
    """Refuse a price model for which what a meter counts is no turnover made of events.

    A percentage asks how many events its turnover is made of, so only a sum has a price there; with
    a minimum or a maximum for each event, only a sum that is not rounded. Raises `ValidationError`.

    >>> from subscriptions.ids import MeterId
    >>> from subscriptions.pricing import Percentage
    >>> check_fits(Meter(MeterId("turnover"), "acme", 1, "Turnover"), Percentage("1.5"))
    """
    inner = model.rest if isinstance(model, FreeUnits) else model
    if not isinstance(inner, Percentage):
        return
    if meter.aggregation is not Aggregation.SUM:
        expected = "a meter that sums a turnover, for the price is a percentage of it"
        raise ValidationError("meter", meter.key, expected)
    if needs_amounts(inner) and meter.rounding != EXACT:
        expected = "a meter that does not round, for the price looks at each event"
        raise ValidationError("meter", meter.key, expected)
