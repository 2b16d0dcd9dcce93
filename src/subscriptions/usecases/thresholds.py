"""Thresholds: billing usage before its period is over, once it has come to an amount.

It is looked at when something is recorded. A level that is held comes to more by time alone, so
while one is, it is looked at every day as well.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from subscriptions import lifecycle
from subscriptions.billing_cycles import Period, first_instant, local_date
from subscriptions.catalog import PRICE
from subscriptions.invoices import Charge
from subscriptions.lifecycle import BillUsage, CheckUsage, Subscription
from subscriptions.money import Money
from subscriptions.records import evolve
from subscriptions.usecases import collection, invoicing
from subscriptions.usecases.billing_periods import Moves
from subscriptions.usecases.flows import Context, Flow, GetMany
from subscriptions.usecases.usage_billing import measured_in, usage_of

_DAY = timedelta(days=1)


def check_usage(moves: Moves, context: Context) -> Flow[None]:
    """Bill usage before its period is over, if it has come to the threshold."""
    sub = moves.after
    threshold = sub.threshold
    if threshold is None or sub.usage_check_at is None or sub.usage_check_at > context.at:
        return
    if sub.pause is not None and not sub.pause.invoice:
        moves.do(CheckUsage(None))
        return
    metered = [item for item in sub.items if item.meter is not None]
    prices = yield from GetMany(PRICE, tuple([item.price for item in metered]))
    charges: list[Charge] = []
    sums: list[Money] = []
    again: datetime | None = None
    for item, price in zip(metered, prices, strict=True):
        period = item.next_period
        today = local_date(context.at, sub.zone)
        end = min(max(today + _DAY, period.start + _DAY), period.end)
        # Levels are held until now, and not until the end of the period: that is yet to come.
        until = _within(sub, period, context)
        measured = yield from measured_in(sub, item, price, period, until=until)
        used = usage_of(measured, period, sub.zone)
        if measured.held:
            again = context.at + _DAY
        treatment = context.tax_for(moves.owner, end - _DAY, price.tax_category)
        # Late usage waits for the end of the period: it has been billed in no advance.
        plain = evolve(price, minimum_minor=0)
        (charge,) = lifecycle.charge_period(
            item,
            plain,
            Period(period.start, end),
            rate=treatment.rate,
            subscription=sub,
            usage=used[:1],
            treatment=treatment,
        )
        charges.append(evolve(charge, period=Period(period.start, end)))
        sums.append(Money(charge.amount_minor + item.usage_billed_minor, sub.currency))
    if sum([charge.amount_minor for charge in charges]) < threshold.minor:
        moves.do(CheckUsage(again))
        return
    # Percentages count for what is billed ahead as for the rest; amounts, for the period once.
    parts = [each for each in sub.discounts if each.is_percentage]
    charges = lifecycle.discounted(
        [charge for charge in charges if charge.amount_minor], parts, sub.currency
    )
    invoicing.check_safe(sub, charges, context)
    billed = [str(each.minor) for each in sums]
    place = yield from invoicing.place_for(
        sub, moves.owner, context, moves.invoices, "usage", str(sub.usage_check_at), *billed
    )
    method = yield from collection.method_of(moves.owner, context, moves.after)
    moves.do(BillUsage(tuple([item.number for item in metered]), tuple(sums), place.invoice))
    if again is not None:
        moves.do(CheckUsage(again))
    billed_now = yield from invoicing.invoice(
        place, sub, moves.owner, charges, context, method=method
    )
    moves.add(billed_now)


def _within(sub: Subscription, period: Period, context: Context) -> datetime:
    start, end = first_instant(period.start, sub.zone), first_instant(period.end, sub.zone)
    return min(max(start, context.at), end)
