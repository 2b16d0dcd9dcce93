"""Metering: what was used in a segment that is billed, and what came late for earlier ones.

Law: over all segments that are ever measured, each event is in exactly one measurement: on time in
the one of its segment, late in the next one after it came. Nothing is decided here of which segment
an event is in; that is `usage.segments`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

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
    Aggregation,
    CarriedLevel,
    HeldTally,
    History,
    Meter,
    Segment,
    Span,
    SumTally,
    Tally,
    begin_tally,
    level_id,
    needs_amounts,
    whole_period,
)
from subscriptions.usecases.flows import Flow, Maybe
from subscriptions.usecases.usage_readings import read_again, read_open


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
    There are none but for a meter that weighs levels with time. Of such a one, `held` says whether
    a level goes on from the end.
    """

    meter: Meter
    since: datetime
    until: datetime
    on_time: Quantity
    late: tuple[LateUsage, ...] = ()
    changes: tuple[Change, ...] = ()
    held: bool = False

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
    history: History,
    model: PriceModel,
    until: datetime | None = None,
    as_of: datetime | None = None,
) -> Flow[Measured]:
    """Measure the open segment of a meter until an instant (default: its end).

    It bills all that was recorded for it, what came late for earlier ones, and a trial that was
    before it. A level that is held all of the whole period is the quantity, so a period that is cut
    by a change comes to the same in parts. With `as_of` it is what has been used so far: until
    then, and levels are held only until then.
    """
    amounts = needs_amounts(model)
    since = history.since
    until = max(since, history.end if until is None else until)
    span = Span(since, until if as_of is None else min(as_of, until), _length(history, None))
    reading = yield from _level(meter, subscription, since)
    billed = yield from read_open(
        meter,
        subscription,
        history,
        span.until,
        lambda: begin_tally(meter, span, carried_pico=_picos(reading), amounts=amounts),
    )
    tally = billed.tally
    late, level = yield from _late(meter, subscription, history, billed.late, amounts=amounts)
    changes = list(late.changes)
    if isinstance(tally, HeldTally) and level is not None and level != tally.carried_pico:
        # It was the level at the end of the segment before, so this one began with another.
        tally.carried_pico = level
        changes.append(_carried(reading, meter, subscription, since, level))
    if isinstance(tally, HeldTally) and as_of is None and until > since:
        following = yield from _level(meter, subscription, until)
        if _picos(following) != tally.last_pico:
            changes.append(_carried(following, meter, subscription, until, tally.last_pico))
    held = isinstance(tally, HeldTally) and tally.last_pico > 0
    on_time = _quantity(meter, tally)
    return Measured(meter, since, until, on_time, tuple(late.usage), tuple(changes), held)


def measure_again(
    *,
    subscription: SubscriptionId,
    meter: Meter,
    history: History,
    segment: Segment,
    model: PriceModel,
    as_of: datetime,
) -> Flow[LateUsage]:
    """Measure an earlier segment until an instant in it: with all that is known, and as billed.

    Nothing is billed by that, and no level corrected.
    """
    amounts = needs_amounts(model)
    now = yield from measure(
        subscription=subscription, meter=meter, history=history, model=model, as_of=history.end
    )
    stored = yield from _level(meter, subscription, segment.begin)
    carried = _picos(stored)
    for change in now.changes:
        # What came late for a segment before it may have changed with which level it began.
        level = change.after
        if isinstance(level, CarriedLevel) and level.segment == segment.begin:
            carried = _picos(level)
    span = Span(segment.begin, max(segment.begin, as_of), _length(history, segment))
    every, before = yield from read_again(
        meter,
        subscription,
        history,
        segment,
        every=partial(begin_tally, meter, span, carried_pico=carried, amounts=amounts),
        before=partial(begin_tally, meter, span, carried_pico=_picos(stored), amounts=amounts),
        until=as_of,
    )
    usage = _quantity(meter, every), _quantity(meter, before)
    return LateUsage(segment.begin, segment.period, *usage)


def carry_level(
    *, subscription: SubscriptionId, meter: Meter, history: History, until: datetime
) -> Flow[tuple[Change, ...]]:
    """Return what is to be committed where the time until an instant is free: its level goes on.

    The segment that begins then begins with the level at the end of the open one, or of those after
    it. There is nothing to commit but for a meter that weighs levels with time.
    """
    if meter.aggregation is not Aggregation.TIME_WEIGHTED or until <= history.since:
        return ()
    begin, end = history.since, min(history.end, until)
    level_pico = _picos((yield from _level(meter, subscription, begin)))
    day = history.open_period.end
    while True:
        span = Span(begin, end, end - begin)
        billed = yield from read_open(
            meter, subscription, history, end, partial(HeldTally, span, level_pico)
        )
        assert isinstance(billed.tally, HeldTally)
        level_pico = billed.tally.last_pico
        if end == until:
            break
        whole = whole_period(history.cycle, day)
        begin, end = end, min(first_instant(whole.end, history.zone), until)
        day = whole.end
        history = evolve(history, past=(), begin=begin, since=begin)
    following = yield from _level(meter, subscription, until)
    if _picos(following) == level_pico:
        return ()
    return (_carried(following, meter, subscription, until, level_pico),)


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


# ---- late usage -------------------------------------------------------------------------------


@define
class _Late:
    """Late usage, and the levels that it corrects."""

    usage: list[LateUsage] = field(factory=list[LateUsage])
    changes: list[Change] = field(factory=list[Change])


def _late(
    meter: Meter,
    subscription: SubscriptionId,
    history: History,
    begins: set[datetime],
    *,
    amounts: bool,
) -> Flow[tuple[_Late, int | None]]:
    """Measure earlier segments again, each as it is and as it was billed.

    Also returns the level at the end of the last of them, where levels go on: a late one changes
    every segment since, until it comes to one that begins with the same.
    """
    late, level = _Late(), None
    end = history.since
    for segment in history.segments(min(begins)) if begins else ():
        if segment.begin > end:
            # It was over for a while, and began anew.
            level = None
        end = segment.end
        stored: CarriedLevel | None = None
        if segment.begin in begins or level is not None:
            stored = yield from _level(meter, subscription, segment.begin)
        if segment.begin not in begins and (level is None or level == _picos(stored)):
            level = None
            continue
        carried = _picos(stored) if level is None else level
        span = Span(segment.begin, segment.end, _length(history, segment))
        every, before = yield from read_again(
            meter,
            subscription,
            history,
            segment,
            every=partial(begin_tally, meter, span, carried_pico=carried, amounts=amounts),
            before=partial(begin_tally, meter, span, carried_pico=_picos(stored), amounts=amounts),
        )
        if not segment.free:
            usage = _quantity(meter, every), _quantity(meter, before)
            late.usage.append(LateUsage(segment.begin, segment.period, *usage))
        if carried != _picos(stored):
            late.changes.append(_carried(stored, meter, subscription, segment.begin, carried))
        level = every.last_pico if isinstance(every, HeldTally) else None
    return late, level if end == history.since else None


def _length(history: History, segment: Segment | None) -> timedelta:
    """Return how long the whole period of a segment is, by default of the open one."""
    whole = history.whole if segment is None else segment.period
    return first_instant(whole.end, history.zone) - first_instant(whole.start, history.zone)


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
