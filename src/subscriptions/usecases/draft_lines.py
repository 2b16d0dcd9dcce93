"""The lines of a draft: composed anew with more of them. A final invoice has its lines for ever."""

from __future__ import annotations

from collections.abc import Sequence

from subscriptions import invoices
from subscriptions.customers import Customer
from subscriptions.invoices import Charge, Invoice
from subscriptions.records import evolve
from subscriptions.usecases.flows import Context


def charges_of(invoice: Invoice) -> list[Charge]:
    """Return what an invoice was composed from."""
    return [
        Charge(
            line.description,
            line.amount_minor,
            line.rate,
            line.behavior,
            line.quantity,
            line.unit_price,
            line.period,
            line.price,
            line.kind,
            line.product,
            line.subscription,
            line.item,
            line.discounts,
            line.part,
            line.credits,
            line.usage,
            line.phase,
            line.more_rates,
            line.tax_flag,
            line.tax_category,
        )
        for line in invoice.lines
    ]


def with_more(
    draft: Invoice,
    owner: Customer,
    more: Sequence[Charge],
    context: Context,
    *,
    may_be_negative: bool = True,
) -> Invoice:
    """Return a draft with more lines after its own, which keep their places, and its new totals.

    Raises `ValidationError` for a negative total unless it may be.
    """
    charges = [*charges_of(draft), *more]
    return with_charges(draft, owner, charges, context, may_be_negative=may_be_negative)


def with_charges(
    draft: Invoice,
    owner: Customer,
    charges: Sequence[Charge],
    context: Context,
    *,
    may_be_negative: bool = True,
) -> Invoice:
    """Return a draft with other lines and their totals, as `with_more` does."""
    composed = invoices.compose(
        draft.id,
        owner,
        charges,
        currency=draft.currency,
        seller=context.seller_of(owner),
        automatic=False,
        rounding=draft.rounding,
        may_be_negative=may_be_negative,
    )
    return evolve(
        draft,
        lines=composed.lines,
        taxes=composed.taxes,
        net_minor=composed.net_minor,
        tax_minor=composed.tax_minor,
        total_minor=composed.total_minor,
    )
