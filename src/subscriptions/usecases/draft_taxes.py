"""The tax of a draft on the day on which it becomes final.

A draft is taxed when it is made, and the customer may move, or give or lose his tax id, before it
is a document. What is printed of him and the tax are frozen together, so they must fit together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from subscriptions.catalog import PRICE, Price
from subscriptions.customers import Customer
from subscriptions.ids import PriceId
from subscriptions.invoices import Charge, Invoice, LineKind
from subscriptions.records import evolve
from subscriptions.usecases.draft_lines import charges_of, with_charges
from subscriptions.usecases.flows import Context, Flow, GetMany

_DAY = timedelta(days=1)
_WHEN_OVER = frozenset({LineKind.USAGE, LineKind.LATE_USAGE, LineKind.TRUE_UP})


def taxed_anew(draft: Invoice, owner: Customer, context: Context) -> Flow[Invoice]:
    """Return a draft with the taxes of its customer as he is now; itself where nothing changes.

    The days of supply stay. Credits keep the rates of what they take back, lines with rates of
    their own those, and so does what was made instead of a void invoice, or quoted by a tax engine.
    """
    if draft.taxing is not None or draft.tax_quote or draft.replaces is not None:
        return draft
    named = {line.price for line in draft.lines if line.price is not None}
    prices = {each.id: each for each in (yield from GetMany(PRICE, tuple(sorted(named))))}
    before = charges_of(draft)
    after = [_taxed(each, draft, owner, prices, context) for each in before]
    if all(new is old for new, old in zip(after, before, strict=True)):
        return draft
    return with_charges(draft, owner, after, context)


def _taxed(
    charge: Charge,
    draft: Invoice,
    owner: Customer,
    prices: Mapping[PriceId, Price],
    context: Context,
) -> Charge:
    if charge.kind is LineKind.CREDIT or not charge.tax_category:
        return charge
    price = None if charge.price is None else prices[charge.price]
    category = charge.tax_category if price is None else price.tax_category
    days = _days_of(charge, draft, price, context)
    treatments = [context.tax_for(owner, day, category) for day in days]
    borne = ((charge.rate, *charge.more_rates), charge.tax_flag)
    if any((each.rates, each.flag) == borne for each in treatments):
        return charge
    rate, *more_rates = treatments[0].rates
    flag = treatments[0].flag
    return evolve(charge, rate=rate, more_rates=tuple(more_rates), tax_flag=flag)


def _days_of(
    charge: Charge, draft: Invoice, price: Price | None, context: Context
) -> tuple[date, ...]:
    """Return the days that the tax of a line may be of, the likeliest first."""
    if charge.period is None:
        today = context.today(draft.zone)
        return (today,) if draft.period is None or price is None else (draft.period.start, today)
    first, last = charge.period.start, charge.period.end - _DAY
    over = charge.kind in _WHEN_OVER or (price is not None and price.arrears)
    return (last, first) if over else (first, last)
