"""Fixed terms: on which day each item is over, and with the last of them the subscription.

A term is a number of whole periods, so a stub before them does not count. An add-on is over with
what it requires. The last end is that of the subscription, the others are planned. Who changes to
a price begins its term, and leaves that of the price he had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from subscriptions.billing_cycles import local_date
from subscriptions.catalog import PRICE, PRODUCT, Price
from subscriptions.lifecycle import (
    Active,
    Item,
    Planned,
    ScheduleChange,
    SetEnd,
    Subscription,
    WithdrawChanges,
)
from subscriptions.proration import Proration
from subscriptions.usecases.billing_periods import Moves
from subscriptions.usecases.flows import Context, Flow, GetMany

CAUSE = "term"


def ends_of_terms(items: Sequence[Item], prices: Sequence[Price]) -> Flow[dict[int, date]]:
    """Return the day on which each new item is over, for those that have a term or need one's."""
    ends = {
        item.number: _end_of_term(item, item.through, price.term_periods)
        for item, price in zip(items, prices, strict=True)
        if price.term_periods is not None
    }
    return (yield from _with_add_ons(ends, items, {price.id: price for price in prices}))


def plan_ends(moves: Moves, ends: Mapping[int, date], policy: Proration) -> None:
    """Plan the ends of the items that are over before the subscription is."""
    for number, day in sorted(ends.items(), key=lambda each: each[1]):
        if day != moves.after.ends_on:
            moves.do(ScheduleChange(Planned(day, (), policy, remove=(number,), cause=CAUSE)))


def last_end(ends: Mapping[int, date], items: Sequence[Item]) -> date | None:
    """Return the day on which the last item is over; None where one is not."""
    return max(ends.values()) if all(item.number in ends for item in items) else None


def keep_terms(
    moves: Moves, before: Subscription, prices: Mapping[str, Price], context: Context
) -> Flow[None]:
    """Let terms follow a change: what is new begins its own, what is gone takes its own along.

    An end that was set by hand, or is that of the last phase, stays.
    """
    sub = moves.after
    had = {item.number: item.price for item in before.items}
    if {item.number: item.price for item in sub.items} == had:
        return
    known = dict(prices)
    for price in (yield from GetMany(PRICE, tuple(sorted({*had.values()} - known.keys())))):
        known[price.id] = price
    phased = any(each.cause == "phase" for each in before.schedule)
    terms = {each.number: date.max for each in before.items if known[each.price].term_periods}
    terms = yield from _with_add_ons(terms, before.items, known)
    by_terms = not phased and last_end(terms, before.items) is not None
    planned = _planned(before)
    ends: dict[int, date] = {}
    for item in sub.items:
        periods = known[item.price].term_periods
        if periods is None:
            continue
        if had.get(item.number) != item.price:
            active = isinstance(sub.contract, Active)
            begin = local_date(context.at, sub.zone) if active else item.through
            ends[item.number] = _end_of_term(item, begin, periods)
        elif item.number in planned:
            ends[item.number] = planned[item.number]
        elif by_terms and before.ends_on is not None:
            ends[item.number] = before.ends_on
    ends = yield from _with_add_ons(ends, sub.items, known)
    if not phased and (by_terms or before.ends_on is None):
        end = last_end(ends, sub.items)
        if end != before.ends_on:
            moves.do(SetEnd(end))
    wanted = {number: day for number, day in ends.items() if day != moves.after.ends_on}
    if wanted != _planned(sub):
        if _planned(sub):
            moves.do(WithdrawChanges(CAUSE))
        plan_ends(moves, wanted, context.proration)


def _planned(sub: Subscription) -> dict[int, date]:
    return {each.remove[0]: each.on for each in sub.schedule if each.cause == CAUSE}


def _with_add_ons(
    ends: dict[int, date], items: Sequence[Item], prices: Mapping[str, Price]
) -> Flow[dict[int, date]]:
    """Return the ends together with those of add-ons, which are over with what they require."""
    if not ends:
        return ends
    ids = sorted({prices[item.price].product for item in items})
    needs = {each.id: each.requires for each in (yield from GetMany(PRODUCT, tuple(ids)))}
    # Of add-ons of add-ons the last is found last: each round goes one further.
    for _ in range(len(items)):
        for item in items:
            needed = needs[prices[item.price].product]
            bases = [each.number for each in items if prices[each.price].product in needed]
            if bases and all(number in ends for number in bases):
                last = max(ends[number] for number in bases)
                ends[item.number] = min(last, ends.get(item.number, last))
    return ends


def _end_of_term(item: Item, day: date, periods: int) -> date:
    """Return the day after so many whole periods, of which the first begins on `day` or later."""
    cycle, period = item.cycle, item.next_period
    if cycle.anchor <= day < item.through and cycle.period_containing(day).start == day:
        # The period that begins on the day is billed already.
        start = day
    elif period == cycle.period_containing(period.start):
        start = period.start
    else:
        start = period.end
    return cycle.start(cycle.index_of(start) + periods)
