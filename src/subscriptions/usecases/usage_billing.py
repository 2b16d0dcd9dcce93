"""What usage is billed with a period: what was used in it, and what came late for earlier ones.

Of a trial that its subscription does not outlive, usage is billed with the end, where it is owed.

When a period is billed is decided elsewhere, and what its usage costs in `lifecycle.charges`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final, TypeAlias

from subscriptions.billing_cycles import Period, first_instant, local_date
from subscriptions.catalog import PRICE, Price, model_for
from subscriptions.customers import Customer
from subscriptions.decisions import Change
from subscriptions.invoices import Charge
from subscriptions.lifecycle import (
    Item,
    Subscription,
    UsageOf,
    charge_period,
    history_after_trial,
    history_of,
)
from subscriptions.records import evolve
from subscriptions.usage import METER
from subscriptions.usecases.flows import Context, Flow, Get, GetMany
from subscriptions.usecases.metering import Measured, Quantity, measure

Used: TypeAlias = tuple[tuple[UsageOf, ...], tuple[Change, ...]]

NOTHING_USED: Final[Used] = ((), ())
_DAY = timedelta(days=1)


def used_in(
    sub: Subscription, item: Item, price: Price, period: Period, *, until: datetime | None = None
) -> Flow[Used]:
    """Measure what a metered item used until the end of a period, or until an instant in it.

    Also returns what is to be committed with the invoice.
    """
    measured = yield from measured_in(sub, item, price, period, until=until)
    return usage_of(measured, period, sub.zone), measured.changes


def measured_in(
    sub: Subscription, item: Item, price: Price, period: Period, *, until: datetime | None = None
) -> Flow[Measured]:
    """Measure what a metered item used until the end of a period, or until an instant in it."""
    assert item.meter is not None
    meter = yield from Get(METER, item.meter)
    return (
        yield from measure(
            subscription=sub.id,
            meter=meter,
            history=history_of(sub, item),
            model=model_for(price, item.billed),
            until=until or first_instant(period.end, sub.zone),
        )
    )


def usage_of(measured: Measured, period: Period, zone: str) -> tuple[UsageOf, ...]:
    """Return what was measured as a price takes it: what was on time first, then what was late."""
    on_time = _of(period, measured.on_time, None)
    late: list[UsageOf] = []
    for each in measured.late:
        # Nothing was used before the segment began: a trial, or a stub, is a part of its period.
        begin = max(each.period.start, local_date(each.since, zone))
        late.append(_of(Period(begin, each.period.end), each.every, each.before))
    return (on_time, *late)


def _of(period: Period, used: Quantity, before: Quantity | None) -> UsageOf:
    return UsageOf(
        period,
        used.quantity,
        used.count,
        used.events,
        None if before is None else before.quantity,
        None if before is None else before.events,
    )


def used_in_trial(
    sub: Subscription, owner: Customer, context: Context
) -> Flow[tuple[list[Charge], tuple[Change, ...]]]:
    """Return what was used in a trial that ends now, if it is owed: no period follows to bill it.

    It costs what it would cost on the first invoice; no minimum is owed for a trial. Also returns
    what is to be committed with it.
    """
    charges: list[Charge] = []
    changes: list[Change] = []
    metered = [item for item in sub.items if item.meter is not None]
    prices = yield from GetMany(PRICE, tuple([item.price for item in metered]))
    for item, price in zip(metered, prices, strict=True):
        if not price.trial_usage_billed:
            continue
        meter = yield from Get(METER, item.meter or "")
        history = history_after_trial(sub, item, ended_at=context.at)
        measured = yield from measure(
            subscription=sub.id,
            meter=meter,
            history=history,
            model=model_for(price, item.billed),
            until=history.since,
        )
        begin = local_date(history.begin, sub.zone)
        end = max(local_date(context.at, sub.zone), begin + _DAY)
        period = Period(begin, end)
        usage = taxed_late(usage_of(measured, period, sub.zone), price, owner, context)
        treatment = context.tax_for(owner, end - _DAY, price.tax_category)
        mine = charge_period(
            evolve(item, free=()),
            evolve(price, minimum_minor=0),
            period,
            rate=treatment.rate,
            subscription=sub,
            # A trial is late for the first invoice, and here there is nothing else.
            usage=[evolve(each, period=_cut(each.period, end)) for each in usage[1:]],
            treatment=treatment,
        )
        charges += [each for each in mine if each.amount_minor]
        changes += measured.changes
    return charges, tuple(changes)


def _cut(period: Period, end: date) -> Period:
    return Period(period.start, min(period.end, end))


def taxed_late(
    usage: tuple[UsageOf, ...], price: Price, owner: Customer, context: Context
) -> tuple[UsageOf, ...]:
    """Let late usage bear the tax of the day on which its own period ended."""
    on_time, *late = usage
    return (
        on_time,
        *[
            evolve(
                each,
                treatment=context.tax_for(owner, each.period.end - _DAY, price.tax_category),
            )
            for each in late
        ],
    )
