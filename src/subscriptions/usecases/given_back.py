"""What was given back of an invoice elsewhere: on another invoice, or as money.

It is read here for those who would give it back a second time: credit notes, who makes an invoice
void, and who ends a subscription.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from math import ceil

from subscriptions.ids import InvoiceId
from subscriptions.invoices import INVOICE, Invoice, Void
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.payments import PAYMENT
from subscriptions.usecases.flows import Flow, GetMany, Having


def given_back_elsewhere(invoice: Invoice) -> Flow[Mapping[int, int]]:
    """Return what is given back of each line of an invoice, by its place, in minor units.

    That is on a later invoice, or waits for the next one. Lines of which nothing is are left out.
    """
    given: Counter[int] = Counter()
    if not invoice.subscriptions:
        return given
    later = yield from Having(INVOICE, "customer", invoice.customer)
    subscriptions = yield from GetMany(SUBSCRIPTION, invoice.subscriptions)
    lines = [(x.credits, x.amount_minor) for sub in subscriptions for x in sub.pending]
    for document in later:
        if not isinstance(document.state, Void):
            lines += [(line.credits, line.amount_minor) for line in document.lines]
    # What was made again has the lines of the void one, which a subscription goes on to name.
    replaced = {document.id: document.replaces for document in later}
    names: set[InvoiceId] = set()
    name: InvoiceId | None = invoice.id
    while name is not None:
        names.add(name)
        name = replaced.get(name)
    for credited, amount in lines:
        if credited is not None and credited.invoice in names:
            given[credited.line] -= amount
    return {line: minor for line, minor in given.items() if minor}


def refunded_of(invoice: Invoice) -> Flow[int]:
    """Return how much of what paid an invoice was given back since, or is being, in minor units.

    A payment gives back what pays nothing first; what it gives back besides is missing from all
    invoices that it paid, in proportion.
    """
    if not invoice.paid_minor:
        return 0
    refunded_minor = 0
    for payment in (yield from Having(PAYMENT, "customer", invoice.customer)):
        parts = [part.amount_minor for part in payment.allocations if part.invoice == invoice.id]
        paid = sum([part.amount_minor for part in payment.allocations])
        if parts and paid > payment.refundable.minor:
            missing = paid - payment.refundable.minor
            refunded_minor += ceil(Fraction(missing * sum(parts), paid))
    return refunded_minor
