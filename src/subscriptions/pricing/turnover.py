"""The terms of a percentage: what a turnover costs, as a whole and event by event.

Decided here: which events fit a turnover, when the amount of each must be known, and how the free
allowance and the bounds of an event apply. All is counted in picos and costs in 10**-24, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.pricing.numbers import PICO, from_picos, in_picos, read_count, read_quantity

Events: TypeAlias = int | Sequence[int | Decimal]
"""How many events a turnover is made of, or the amount of each in the order in which they came."""


@frozen
class Terms:
    """What a percentage asks, in picos but for the count of events."""

    factor_pico: int
    fixed_pico: int
    free_amount_pico: int
    free_events: int
    minimum_pico: int | None
    maximum_pico: int | None

    @property
    def by_event(self) -> bool:
        """Whether the amount of each event matters, and not only their sum."""
        return self.minimum_pico is not None or self.maximum_pico is not None

    def charged_turnover(self, units: int) -> int:
        """Return what of a turnover bears the rate."""
        return max(0, units - self.free_amount_pico)

    def charged_events(self, count: int) -> int:
        """Return how many of so many events bear the fixed amount."""
        return max(0, count - self.free_events)


class Bound(Enum):
    """What an event costs instead of its rate and its fixed amount."""

    MINIMUM = "minimum"
    MAXIMUM = "maximum"


@frozen
class EventCharge:
    """What one event costs, and why."""

    turnover_pico: int
    """What of its amount is beyond the free amount."""
    has_fixed: bool
    """Whether it is beyond the free events."""
    bound: Bound | None
    """Which bound it costs instead; None if it costs what it is."""
    cost: int


@frozen
class EventTotals:
    """What the events of a turnover come to, where each has a minimum or a maximum.

    It explains an amount without the amount of each event. `turnover` is what bears the rate, of
    the events that cost neither bound; `with_fixed` of these bear the fixed amount. `at_minimum`
    and `at_maximum` cost a bound instead, and the first `free` events bear no fixed amount.
    """

    turnover: Decimal = Decimal(0)
    with_fixed: int = 0
    free: int = 0
    at_minimum: int = 0
    at_maximum: int = 0


def totals_of(terms: Terms, units: int, events: Events | None) -> EventTotals:
    """Return what the events of a turnover in picos come to, with the errors of `read_events`."""
    seen = read_events(terms, units, events)
    if not isinstance(seen, tuple):
        turnover, with_fixed = terms.charged_turnover(units), terms.charged_events(seen)
        return EventTotals(from_picos(turnover), with_fixed, seen - with_fixed)
    charges = list(event_charges(terms, seen))
    bounds = [each.bound for each in charges]
    neither = [each for each in charges if each.bound is None]
    return EventTotals(
        from_picos(sum([each.turnover_pico for each in neither])),
        sum([each.has_fixed for each in neither]),
        min(len(seen), terms.free_events),
        bounds.count(Bound.MINIMUM),
        bounds.count(Bound.MAXIMUM),
    )


def percentage_cost(terms: Terms, units: int, events: Events | None) -> int:
    """Return what a turnover in picos costs."""
    seen = read_events(terms, units, events)
    if isinstance(seen, tuple):
        return sum([event.cost for event in event_charges(terms, seen)])
    fixed = terms.fixed_pico * terms.charged_events(seen) * PICO
    return terms.factor_pico * terms.charged_turnover(units) + fixed


def read_events(terms: Terms, units: int, events: Events | None) -> int | tuple[int, ...]:
    """Return how many events there are, or the amount of each in picos where that matters.

    Raises `ValidationError` unless the events fit a turnover of `units` picos.
    """
    if events is not None and not isinstance(events, int):
        amounts = tuple(
            [in_picos(read_quantity(each, f"events[{place}]")) for place, each in enumerate(events)]
        )
        if sum(amounts) != units:
            expected = f"amounts that add up to the quantity, {from_picos(units)}"
            raise ValidationError("events", from_picos(sum(amounts)), expected)
        return amounts if terms.by_event else len(amounts)
    count = int(units > 0) if events is None else read_count(events, "events")
    if units and not count:
        raise ValidationError("events", count, "at least one event, for there is a turnover")
    if not terms.by_event:
        return count
    if count > 1:
        expected = "the amount of each event, for each has a minimum or a maximum"
        raise ValidationError("events", count, expected)
    return (units,) * count


def event_charges(terms: Terms, amounts: Sequence[int]) -> Iterator[EventCharge]:
    """Yield what each event costs, in the order in which they came."""
    lowest = (terms.minimum_pico or 0) * PICO
    highest = None if terms.maximum_pico is None else terms.maximum_pico * PICO
    free = terms.free_amount_pico
    for place, each in enumerate(amounts):
        turnover = max(0, each - free)
        free -= each - turnover
        has_fixed = place >= terms.free_events
        cost = terms.factor_pico * turnover + (terms.fixed_pico * PICO if has_fixed else 0)
        if 0 < cost < lowest:
            yield EventCharge(turnover, has_fixed, Bound.MINIMUM, lowest)
        elif highest is not None and cost > highest:
            yield EventCharge(turnover, has_fixed, Bound.MAXIMUM, highest)
        else:
            yield EventCharge(turnover, has_fixed, None, cost)
