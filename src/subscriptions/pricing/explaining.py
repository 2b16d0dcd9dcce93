"""The arithmetic behind an amount: the parts that a quantity is priced in, and what may be printed.

Decided here: how the cost of a quantity falls into parts, each a product, tier by tier, whose exact
sum is what `amount` rounds. Never here: a rounding, or a text for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from subscriptions.frozen import frozen
from subscriptions.pricing.models import Flat, FreeUnits, Package, Percentage, PerUnit, PriceModel
from subscriptions.pricing.numbers import EXACT, factor, from_picos, in_picos, read_quantity
from subscriptions.pricing.tiered import Graduated, GraduatedPercentage, Stairstep, Volume
from subscriptions.pricing.tiers import RateTier, Step, Tier
from subscriptions.pricing.turnover import Events, EventTotals, totals_of


class PartKind(StrEnum):
    """What the quantity of a part counts."""

    UNITS = "units"
    FLAT = "flat"
    """A flat amount, once."""
    PACKAGES = "packages"
    TURNOVER = "turnover"
    """An amount, whose unit price is the rate as a factor: 0.015 for 1.5 per cent."""
    EVENTS = "events"
    """Events that bear a fixed amount."""
    MINIMUM = "minimum"
    """Events that cost the minimum of an event, instead of turnover and fixed amount."""
    MAXIMUM = "maximum"
    """Events that cost the maximum of an event, likewise."""
    FREE = "free"
    """Units that cost nothing."""
    FREE_TURNOVER = "free_turnover"
    """An amount that bears no rate."""
    FREE_EVENTS = "free_events"
    """Events that bear no fixed amount."""
    UP_TO_MINIMUM = "up_to_minimum"
    """What is missing to the minimum of a price, once; no model has it, nor does `explain`."""


@frozen
class PricePart:
    """One line of the arithmetic behind an amount, before the rounding.

    `quantity × unit_price = amount`, exactly; the parts of one price add up to the amount that is
    then rounded once. `tier` is the place of the tier in the model, from 0; None without tiers.
    `size` is how many units a package has; None without packages.
    """

    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    kind: PartKind = PartKind.UNITS
    tier: int | None = None
    size: Decimal | None = None


def explain(
    model: PriceModel, quantity: int | Decimal, *, events: Events | EventTotals | None = None
) -> tuple[PricePart, ...]:
    """Return the arithmetic of a price as parts whose exact sum is what `amount` rounds.

    `events` may also be what they come to, as `event_totals` says. The errors are those of
    `amount`.

    >>> explain(PerUnit("0.0005"), 1010)[0].amount
    Decimal('0.5050')
    >>> seats = Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.50", flat="3.00")])
    >>> for part in explain(seats, 12):
    ...     print(part.tier, part.kind, f"{part.quantity} × {part.unit_price} = {part.amount}")
    0 units 10 × 1.00 = 10.00
    1 units 2 × 0.50 = 1.00
    1 flat 1 × 3.00 = 3.00
    """
    return tuple(_parts(model, read_quantity(quantity), events))


def event_totals(
    model: PriceModel, quantity: int | Decimal, events: Events | None
) -> EventTotals | None:
    """Return what `explain` needs of events where the amount of each counts; None elsewhere.

    The errors are those of `amount`.

    >>> fee = Percentage("1", minimum="0.50", maximum="2")
    >>> totals = event_totals(fee, 1110, [10, 100, 1000])
    >>> [f"{part.quantity} {part.kind}" for part in explain(fee, 1110, events=totals)]
    ['100 turnover', '1 minimum', '1 maximum']
    """
    inner = model.rest if isinstance(model, FreeUnits) else model
    if not isinstance(inner, Percentage) or not inner.terms.by_event:
        return None
    return totals_of(inner.terms, in_picos(read_quantity(quantity)), events)


def printed_unit_price(model: PriceModel, quantity: int | Decimal) -> Decimal | None:
    """Return the price that is printed as `quantity × price`; None where that would mislead.

    Law: quantity times the price is exactly what the quantity costs. So it is None where a quantity
    is priced in several tiers, in packages, as a turnover, or at one price for any quantity but 1.

    >>> printed_unit_price(PerUnit("4.99"), 3), printed_unit_price(Flat("29.00"), 3)
    (Decimal('4.99'), None)
    """
    match model:
        case PerUnit():
            return model.unit_price
        case Package() | Percentage() | GraduatedPercentage() | FreeUnits():
            return None
        case Flat() | Graduated() | Volume() | Stairstep():
            parts = explain(model, quantity)
            if len(parts) == 1 and parts[0].quantity == quantity:
                return parts[0].unit_price
            return None
        case _:
            assert_never(model)


def _parts(
    model: PriceModel, quantity: Decimal, events: Events | EventTotals | None
) -> Iterator[PricePart]:
    match model:
        case PerUnit():
            yield _part(quantity, model.unit_price)
        case Flat():
            yield _part(Decimal(1), model.price, PartKind.FLAT)
        case Graduated() | GraduatedPercentage():
            yield from _graduated_parts(model, quantity)
        case Volume():
            place = _tier_reached(model.tiers, quantity)
            yield from _tier_parts(
                model.tiers[place], place, quantity, billed=_is_billed(model, quantity)
            )
        case Stairstep():
            place = _tier_reached(model.tiers, quantity)
            times = Decimal(1 if _is_billed(model, quantity) else 0)
            yield _part(times, model.tiers[place].price, PartKind.FLAT, place)
        case Package():
            yield from _free_parts(quantity, model.free)
            started = model.started(in_picos(quantity))
            yield _part(Decimal(started), model.price, PartKind.PACKAGES, size=model.size)
        case Percentage():
            yield from _percentage_parts(model, quantity, events)
        case FreeUnits():
            free, rates = from_picos(model.free_pico), isinstance(model.rest, GraduatedPercentage)
            kind = PartKind.FREE_TURNOVER if rates else PartKind.FREE
            yield from _free_parts(quantity, free, kind)
            yield from _parts(model.rest, max(Decimal(0), EXACT.subtract(quantity, free)), events)
        case _:
            assert_never(model)


def _graduated_parts(
    model: Graduated | GraduatedPercentage, quantity: Decimal
) -> Iterator[PricePart]:
    start = Decimal(0)
    billed = _is_billed(model, quantity)
    tiers: Sequence[Tier | RateTier] = model.tiers
    for place, tier in enumerate(tiers):
        if place and quantity <= start:
            return
        end = quantity if tier.up_to is None else min(quantity, tier.up_to)
        yield from _tier_parts(tier, place, EXACT.subtract(end, start), billed=billed)
        start = end if tier.up_to is None else tier.up_to


def _tier_parts(
    tier: Tier | RateTier, place: int, quantity: Decimal, *, billed: bool
) -> Iterator[PricePart]:
    if isinstance(tier, Tier):
        yield _part(quantity, tier.unit, PartKind.UNITS, place)
    else:
        yield _part(quantity, factor(tier.rate), PartKind.TURNOVER, place)
    if tier.flat and billed:
        yield _part(Decimal(1), tier.flat, PartKind.FLAT, place)


def _percentage_parts(
    model: Percentage, quantity: Decimal, events: Events | EventTotals | None
) -> Iterator[PricePart]:
    yield from _free_parts(quantity, model.free_amount, PartKind.FREE_TURNOVER)
    totals = events
    if not isinstance(totals, EventTotals):
        totals = totals_of(model.terms, in_picos(quantity), totals)
    if totals.free and model.fixed:
        yield _part(Decimal(totals.free), Decimal(0), PartKind.FREE_EVENTS)
    yield _part(totals.turnover, factor(model.rate), PartKind.TURNOVER)
    if totals.with_fixed and model.fixed:
        yield _part(Decimal(totals.with_fixed), model.fixed, PartKind.EVENTS)
    if totals.at_minimum and model.minimum is not None:
        yield _part(Decimal(totals.at_minimum), model.minimum, PartKind.MINIMUM)
    if totals.at_maximum and model.maximum is not None:
        yield _part(Decimal(totals.at_maximum), model.maximum, PartKind.MAXIMUM)


def _free_parts(
    quantity: Decimal, free: Decimal, kind: PartKind = PartKind.FREE
) -> Iterator[PricePart]:
    if quantity and free:
        yield _part(min(quantity, free), Decimal(0), kind)


def _tier_reached(tiers: Sequence[Tier | Step], quantity: Decimal) -> int:
    for place, tier in enumerate(tiers):
        if tier.up_to is not None and quantity <= tier.up_to:
            return place
    return len(tiers) - 1


def _is_billed(
    model: Graduated | GraduatedPercentage | Volume | Stairstep, quantity: Decimal
) -> bool:
    return model.bill_zero or bool(quantity)


def _part(
    quantity: Decimal,
    unit_price: Decimal,
    kind: PartKind = PartKind.UNITS,
    tier: int | None = None,
    size: Decimal | None = None,
) -> PricePart:
    # Not `quantity * unit_price`: that would round to whatever precision the host has set.
    return PricePart(quantity, unit_price, EXACT.multiply(quantity, unit_price), kind, tier, size)
