"""Tallies: how the events of a segment become one quantity, event by event.

A tally holds a few numbers, whatever the number of events; only the values that `UNIQUE` counts and
the amounts that some percentages ask for are kept one by one. It grows in place, so a reading that
begins anew begins with a new one. All is counted in picos and microseconds, exactly; the quantity
is rounded once, when it is asked for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeAlias, assert_never

from attrs import define, field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.pricing.numbers import PICO, in_picos
from subscriptions.usage.events import UsageEvent
from subscriptions.usage.meters import Aggregation, Meter

_MICROSECOND: Final = timedelta(microseconds=1)
_Moment: TypeAlias = tuple[datetime, datetime, str]


@frozen
class Span:
    """The time in which a level is held: until `until` of a segment that began at `since`.

    A level that is held all the `whole` is the quantity. That is the length of the whole period, so
    the parts of a period that a change has cut add up to what it would have come to uncut.
    """

    since: datetime
    until: datetime
    whole: timedelta

    def __attrs_post_init__(self) -> None:
        if self.until < self.since:
            raise ValidationError("until", self.until, f"at or after the beginning, {self.since}")
        if self.whole <= timedelta():
            raise ValidationError("whole", self.whole, "more than no time")


@define
class CountTally:
    """How many events there were."""

    count: int = 0

    def add(self, _: UsageEvent) -> None:
        """Count one more event."""
        self.count += 1

    @property
    def total(self) -> Fraction:
        """The quantity so far, exactly."""
        return Fraction(self.count)


@define
class SumTally:
    """The sum of quantities, and of what amounts it is made, if they are asked for.

    What is taken back lowers the latest amounts before it, and what is left of it the next ones; so
    the amounts add up to the total, which is never below 0. It is no amount of its own.
    """

    amounts: list[int] | None = None
    count: int = 0
    taken_back: int = 0
    """How many events took something back."""
    sum_pico: int = 0
    owed_pico: int = 0
    """What was taken back before there was anything."""

    def add(self, event: UsageEvent) -> None:
        """Add the quantity of one more event."""
        picos = _picos(event)
        self.count += 1
        self.sum_pico += picos
        if picos < 0:
            self.taken_back += 1
        if self.amounts is None:
            return
        if picos >= 0:
            lowered = min(picos, self.owed_pico)
            self.owed_pico -= lowered
            self.amounts.append(picos - lowered)
            return
        left = -picos
        for place in range(len(self.amounts) - 1, -1, -1):
            lowered = min(left, self.amounts[place])
            self.amounts[place] -= lowered
            left -= lowered
            if not left:
                break
        self.owed_pico += left

    @property
    def total(self) -> Fraction:
        """The quantity so far, exactly; 0 if more was taken back than used."""
        return Fraction(max(0, self.sum_pico), PICO)


@define
class MaxTally:
    """The largest quantity."""

    count: int = 0
    highest_pico: int = 0

    def add(self, event: UsageEvent) -> None:
        """Look at the quantity of one more event."""
        self.count += 1
        self.highest_pico = max(self.highest_pico, _picos(event))

    @property
    def total(self) -> Fraction:
        """The quantity so far, exactly."""
        return Fraction(self.highest_pico, PICO)


@define
class UniqueTally:
    """The values that a property had."""

    counted_property: str
    count: int = 0
    values: set[str] = field(factory=set[str])

    def add(self, event: UsageEvent) -> None:
        """Look at the property of one more event."""
        self.count += 1
        self.values.add(event.properties[self.counted_property])

    @property
    def total(self) -> Fraction:
        """The quantity so far, exactly."""
        return Fraction(len(self.values))


@define
class LastTally:
    """The quantity of the latest event; of one instant, of what was recorded last."""

    count: int = 0
    last_pico: int = 0
    moment: _Moment | None = None

    def add(self, event: UsageEvent) -> None:
        """Look at one more event, in whatever order they come."""
        self.count += 1
        moment = _moment(event)
        if self.moment is None or moment > self.moment:
            self.moment, self.last_pico = moment, _picos(event)

    @property
    def total(self) -> Fraction:
        """The quantity so far, exactly."""
        return Fraction(self.last_pico, PICO)


@define
class HeldTally:
    """The level that events set, weighted with time. They must come in the order of time.

    `carried_pico` is the level with which the segment begins; it is held until the first event.
    """

    span: Span
    carried_pico: int = 0
    count: int = 0
    area: int = 0
    """What was held so far since the first event, in picos times microseconds."""
    first: datetime | None = None
    level_pico: int = 0
    moment: _Moment | None = None

    def add(self, event: UsageEvent) -> None:
        """Change the level, at the instant of one more event."""
        self.count += 1
        moment = _moment(event)
        last = self.moment
        if last is None:
            self.first = event.occurred_at
        elif event.occurred_at > last[0]:
            self.area += self.level_pico * self._held(last[0], event.occurred_at)
        else:
            assert event.occurred_at == last[0], "events come in the order of time"
            if moment < last:
                return
        self.moment, self.level_pico = moment, _picos(event)

    @property
    def last_pico(self) -> int:
        """The level at the end, in picos."""
        return self.carried_pico if self.moment is None else self.level_pico

    @property
    def total(self) -> Fraction:
        """The quantity so far, exactly: what was held until the end of the span, of the whole."""
        span = self.span
        area = self.area + self.carried_pico * self._held(span.since, self.first or span.until)
        if self.moment is not None:
            area += self.level_pico * self._held(self.moment[0], span.until)
        return Fraction(area, PICO * (span.whole // _MICROSECOND))

    def _held(self, begin: datetime, end: datetime) -> int:
        """Return for how many microseconds of the span a level was held."""
        begin, end = max(begin, self.span.since), min(end, self.span.until)
        return max(0, (end - begin) // _MICROSECOND)


Tally: TypeAlias = CountTally | SumTally | MaxTally | UniqueTally | LastTally | HeldTally


def begin_tally(meter: Meter, span: Span, *, carried_pico: int = 0, amounts: bool = False) -> Tally:
    """Return the tally of a segment before its first event.

    The level `carried_pico` with which it begins matters only where levels are weighted with time.
    `amounts` asks a sum to keep what it is made of.
    """
    match meter.aggregation:
        case Aggregation.COUNT:
            return CountTally()
        case Aggregation.SUM:
            return SumTally([] if amounts else None)
        case Aggregation.MAX:
            return MaxTally()
        case Aggregation.UNIQUE:
            assert meter.counted_property is not None
            return UniqueTally(meter.counted_property)
        case Aggregation.LAST:
            return LastTally()
        case Aggregation.TIME_WEIGHTED:
            return HeldTally(span, carried_pico)
        case other:
            assert_never(other)


def _moment(event: UsageEvent) -> _Moment:
    # What is recorded later for the same instant corrects what was recorded for it before.
    return event.occurred_at, event.recorded_at, event.id


def _picos(event: UsageEvent) -> int:
    quantity = event.quantity
    return quantity * PICO if type(quantity) is int else in_picos(Decimal(quantity))
