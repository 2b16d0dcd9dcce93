"""Metering: what was used in a segment that is billed, and what came late for earlier ones.

A flow reads the events of one segment once, in the order of time, and holds none of them. Law: over
all segments that are ever measured, each event is in exactly one measurement: on time in the one of
its segment, late in the next one after it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TypeAlias

from attrs import define, evolve, field

from subscriptions import pricing
from subscriptions.billing_cycles import Period, first_instant
from subscriptions.decisions import Change, changed, created
from subscriptions.frozen import frozen
from subscriptions.ids import SubscriptionId
from subscriptions.money import Currency, Money
from subscriptions.pricing import Events, PriceModel
from subscriptions.pricing.numbers import from_picos, in_picos
from subscriptions.usage import (
    LEVEL,
    USAGE,
    Aggregation,
    CarriedLevel,
    HeldTally,
    Meter,
    Span,
    SumTally,
    Tally,
    UsageEvent,
    begin_tally,
    level_id,
    needs_amounts,
    segment_key,
)
from subscriptions.usecases.flows import Flow, Fold, Maybe


@frozen
class Quantity:
    """What was used in a segment, as its price takes it.

    `quantity` is rounded as the meter says; `count` is how many events it was made of. `events` is
    for percentages: of how many amounts the turnover is made, or the amounts themselves if the
    price asks for them; what was taken back is no event there.
    """

    quantity: Decimal
    count: int
    events: Events


@frozen
class LateUsage:
    """Usage of a segment that was billed before it came.

    `every` is all that was used in that segment, `before` what of it was billed earlier. So it
    costs what `every` costs less what `before` costs, in the tiers that it really reached.
    """

    since: datetime
    period: Period
    every: Quantity
    before: Quantity


@frozen
class Measured:
    """What one invoice bills of a meter: a segment, and what came late for segments before it.

    `changes` are to be committed with the invoice: the level with which the next segment begins.
    There are none but for a meter that weighs levels with time.
    """

    meter: Meter
    since: datetime
    until: datetime
    on_time: Quantity
    late: tuple[LateUsage, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def quantity(self) -> Decimal:
        """What was used in the segment, without what came late for others."""
        return self.on_time.quantity

    @property
    def count(self) -> int:
        """Of how many events the quantity was made."""
        return self.on_time.count

    @property
    def events(self) -> Events:
        """What a price may ask of these events."""
        return self.on_time.events


def measure(
    *,
    subscription: SubscriptionId,
    meter: Meter,
    zone: str,
    since: datetime,
    until: datetime,
    model: PriceModel,
    period: Period | None = None,
    as_of: datetime | None = None,
) -> Flow[Measured]:
    """Measure the segment of a meter that began at `since` and ends at `until`.

    It bills all that was recorded for it, and what came late for earlier ones. `zone` is that of
    the subscription. `period` is the whole period of which the segment is a part (default: the
    segment is whole): a level that is held all of that time is the quantity, so a period that is
    cut by a change comes to the same in parts. With `as_of` levels are held only until then: what
    has been used so far of a segment that is open.
    """
    amounts = needs_amounts(model)
    whole = until - since
    if period is not None:
        whole = first_instant(period.end, zone) - first_instant(period.start, zone)
    span = Span(since, until if as_of is None else min(as_of, until), whole)
    reading = yield from _level(meter, subscription, since)
    carried = _picos(reading)
    billed = yield from Fold(
        USAGE,
        "billed_in",
        segment_key(subscription, meter.key, since),
        "occurred_at",
        _look,
        lambda: _Billed(meter, begin_tally(meter, span, carried_pico=carried, amounts=amounts)),
    )
    late: list[LateUsage] = []
    tally = billed.tally
    changes: list[Change] = []
    for begin, whole_period in sorted(billed.late.items()):
        usage, level = yield from _late(
            meter, subscription, begin, whole_period, since=since, zone=zone, amounts=amounts
        )
        late.append(usage)
        if isinstance(tally, HeldTally) and level is not None and level != tally.carried_pico:
            # It was the level at the end of the segment before, so this one began with another.
            tally.carried_pico = level
            changes = [_carried(reading, meter, subscription, since, level)]
    if isinstance(tally, HeldTally) and as_of is None:
        following = yield from _level(meter, subscription, until)
        if _picos(following) != tally.last_pico:
            changes.append(_carried(following, meter, subscription, until, tally.last_pico))
    return Measured(meter, since, until, _quantity(meter, tally), tuple(late), tuple(changes))


def carry_level(
    *, subscription: SubscriptionId, meter: Meter, segments: Sequence[tuple[datetime, datetime]]
) -> Flow[tuple[Change, ...]]:
    """Return what is to be committed where segments are not billed, but their level goes on.

    `segments` follow each other, each as its begin and its end; the next one begins with the level
    at the end of the last. There is nothing to commit but for a meter that weighs levels with time.
    """
    if meter.aggregation is not Aggregation.TIME_WEIGHTED or not segments:
        return ()
    level_pico = _picos((yield from _level(meter, subscription, segments[0][0])))
    for since, until in segments:
        span = Span(since, until, until - since)
        held = HeldTally(span, level_pico)
        billed = yield from Fold(
            USAGE,
            "billed_in",
            segment_key(subscription, meter.key, since),
            "occurred_at",
            _look,
            partial(_Billed, meter, held),
        )
        assert isinstance(billed.tally, HeldTally)
        level_pico = billed.tally.last_pico
    end = segments[-1][1]
    following = yield from _level(meter, subscription, end)
    if _picos(following) == level_pico:
        return ()
    return (_carried(following, meter, subscription, end, level_pico),)


def late_amount(model: PriceModel, late: LateUsage, currency: Currency | str) -> Money:
    """Return what late usage costs: the price of all of its segment, less what was billed.

    Both are rounded to money, so with what was billed it comes to the price of all. It is negative
    where a late event took back more than it added.

    >>> from datetime import UTC, date
    >>> from subscriptions.pricing import Graduated, Tier
    >>> late = LateUsage(
    ...     datetime(2027, 1, 1, tzinfo=UTC),
    ...     Period(date(2027, 1, 1), date(2027, 2, 1)),
    ...     every=Quantity(Decimal(11), 11, 11),
    ...     before=Quantity(Decimal(9), 9, 9),
    ... )
    >>> late_amount(Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.50")]), late, "EUR")
    Money.of("1.50", "EUR")
    """
    return amount(model, late.every, currency) - amount(model, late.before, currency)


def amount(model: PriceModel, used: Quantity, currency: Currency | str) -> Money:
    """Return what a quantity costs, with the errors of `pricing.amount`."""
    return pricing.amount(model, used.quantity, currency, events=used.events)


# ---- reading ----------------------------------------------------------------------------------


@define
class _Billed:
    """What is billed with a segment: its own tally, and which earlier ones something came for."""

    meter: Meter
    tally: Tally
    late: dict[datetime, Period] = field(factory=dict[datetime, Period])


def _look(state: _Billed, event: UsageEvent) -> _Billed:
    if event.late:
        state.late[event.segment] = event.period
    elif state.meter.counts(event.properties):
        state.tally.add(event)
    return state


_Tallies: TypeAlias = tuple[Tally, Tally]


def _late(
    meter: Meter,
    subscription: SubscriptionId,
    begin: datetime,
    period: Period,
    *,
    since: datetime,
    zone: str,
    amounts: bool,
) -> Flow[tuple[LateUsage, int | None]]:
    """Measure an earlier segment twice; also returns the level at its end, if it ends at `since`.

    Of its events some may be billed later still: those are not there yet.
    """
    start, end = first_instant(period.start, zone), first_instant(period.end, zone)
    span = Span(begin, max(begin, min(end, since)), end - start)
    carried = _picos((yield from _level(meter, subscription, begin)))

    def tally() -> Tally:
        return begin_tally(meter, span, carried_pico=carried, amounts=amounts)

    def step(state: _Tallies, event: UsageEvent) -> _Tallies:
        if meter.counts(event.properties) and event.billed_with <= since:
            every, before = state
            every.add(event)
            if event.billed_with < since:
                before.add(event)
        return state

    every, before = yield from Fold(
        USAGE,
        "used_in",
        segment_key(subscription, meter.key, begin),
        "occurred_at",
        step,
        lambda: (tally(), tally()),
    )
    late = LateUsage(begin, period, _quantity(meter, every), _quantity(meter, before))
    touches = isinstance(every, HeldTally) and end >= since
    return late, every.last_pico if touches and isinstance(every, HeldTally) else None


def _quantity(meter: Meter, tally: Tally) -> Quantity:
    events: Events = tally.count
    if isinstance(tally, SumTally):
        events = tally.count - tally.taken_back
        if tally.amounts is not None:
            events = tuple([from_picos(each) for each in tally.amounts])
    return Quantity(meter.rounding.apply(tally.total), tally.count, events)


# ---- levels that are carried over -------------------------------------------------------------


def _level(
    meter: Meter, subscription: SubscriptionId, segment: datetime
) -> Flow[CarriedLevel | None]:
    if meter.aggregation is not Aggregation.TIME_WEIGHTED:
        return None
    return (yield from Maybe(LEVEL, level_id(meter.tenant, subscription, meter.key, segment)))


def _picos(level: CarriedLevel | None) -> int:
    return 0 if level is None else in_picos(level.quantity)


def _carried(
    before: CarriedLevel | None,
    meter: Meter,
    subscription: SubscriptionId,
    segment: datetime,
    level_pico: int,
) -> Change:
    quantity = from_picos(level_pico)
    if before is not None:
        after = evolve(before, quantity=quantity, version=before.version + 1)
        return changed(LEVEL, before, after)
    id = level_id(meter.tenant, subscription, meter.key, segment)
    level = CarriedLevel(id, meter.tenant, 1, subscription, meter.id, segment, quantity)
    return created(LEVEL, level)
