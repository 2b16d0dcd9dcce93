"""What a change or an end of a subscription gives back of an invoice, on another one.

It is read here for those who would give it back a second time: credit notes, and who makes an
invoice void.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from subscriptions.ids import InvoiceId
from subscriptions.invoices import INVOICE, Invoice, Void
from subscriptions.lifecycle import SUBSCRIPTION
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
