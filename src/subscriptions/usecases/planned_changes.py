"""Planned changes on their day: announced when it is time, carried out in their order.

A plan that takes an item from one price to another does so at a renewal and only while the item has
the price that the plan was made for: what the customer changed himself is never overwritten.
"""

from __future__ import annotations

from datetime import date

from attrs import evolve

from subscriptions import lifecycle
from subscriptions.billing_cycles import local_date
from subscriptions.catalog import PRICE, Price
from subscriptions.errors import NotAvailable
from subscriptions.lifecycle import (
    AnnounceChange,
    ChangeItems,
    Item,
    Planned,
    Subscription,
)
from subscriptions.usecases.billing_periods import Moves
from subscriptions.usecases.changing import carry_out_planned, replace_plan
from subscriptions.usecases.flows import Context, Flow, GetMany
from subscriptions.usecases.offers import check_together


def announce_planned(moves: Moves, on: date, context: Context) -> Flow[None]:
    """Announce what is to be announced by the day `on`.

    A notice that comes late, because nothing ran on its day, puts the change off: between the day
    on which it is really announced and the change lies what was to lie there.
    """
    due = [each for each in moves.after.schedule if each.announce_on and each.announce_on <= on]
    for planned in due:
        item = lifecycle.moved_item(moves.after, planned)
        if item is None:
            replace_plan(moves, planned)
            continue
        assert planned.announce_on is not None
        day, today = planned.on, local_date(context.now, moves.after.zone)
        if today > planned.announce_on:
            notice = planned.on - planned.announce_on
            day = max(day, lifecycle.renewal_day(item, today + notice))
        if day != planned.on:
            late = evolve(planned, on=day)
            replace_plan(moves, planned, late)
            yield from announce(moves, late)
        else:
            yield from announce(moves, planned)


def announce(moves: Moves, planned: Planned) -> Flow[None]:
    """Announce that an item will go over to another price, and what a period costs at either."""
    item = lifecycle.moved_item(moves.after, planned)
    (edit,) = planned.items
    assert item is not None
    assert edit.price is not None
    old, new = yield from GetMany(PRICE, (item.price, edit.price))
    before, after = lifecycle.costs_around(item, old, new, on=planned.on)
    moves.do(AnnounceChange(planned, before, after))


def carry_out_due(moves: Moves, on: date, context: Context, *, billed: bool) -> Flow[None]:
    """Carry out the planned changes of the days until `on`.

    Before the bills of the day are made (not `billed`), those are left that come after them.
    """
    while (planned := _next(moves.after, on, billed=billed)) is not None:
        if lifecycle.is_move(planned):
            yield from _go_over(moves, planned, context)
        else:
            yield from carry_out_planned(moves, planned, context)


def _next(sub: Subscription, on: date, *, billed: bool) -> Planned | None:
    if ChangeItems not in lifecycle.ALLOWED[type(sub.contract)]:
        return None
    for planned in sub.schedule:
        if planned.on <= on and (billed or not lifecycle.waits_for_bill(sub, planned)):
            return planned
    return None


def _go_over(moves: Moves, planned: Planned, context: Context) -> Flow[None]:
    sub = moves.after
    item = lifecycle.moved_item(sub, planned)
    (edit,) = planned.items
    assert edit.price is not None
    (price,) = yield from GetMany(PRICE, (edit.price,))
    if item is None or price.customer not in {None, sub.customer}:
        # Another price by now, or another customer, whose own price it is not.
        replace_plan(moves, planned)
        return
    day = lifecycle.renewal_day(item, planned.on)
    if day != planned.on:
        # Its days were moved since: it is not renewed on this one.
        replace_plan(moves, planned, evolve(planned, on=day))
        return
    if not (yield from _goes_together(sub, item, price)):
        replace_plan(moves, planned)
        return
    items = lifecycle.go_over(sub, item.number, price)
    moves.do(
        ChangeItems(items, sub.debits, sub.pending, context.at, planned.cause, None, planned=True)
    )


def _goes_together(sub: Subscription, item: Item, price: Price) -> Flow[bool]:
    """Return whether the product of a price still goes with the others, as when it was planned."""
    had = yield from GetMany(PRICE, tuple([each.price for each in sub.items]))
    after = [
        price if each is item else its_own for each, its_own in zip(sub.items, had, strict=True)
    ]
    try:
        yield from check_together(after, had=had)
    except NotAvailable:
        return False
    return True
