"""Builders: invoices, credit notes and their numbers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from attrs import evolve

from subscriptions import credit_notes, invoices
from subscriptions.billing_cycles import Period
from subscriptions.credit_notes import CreditNote
from subscriptions.ids import (
    CreditNoteId,
    CustomerId,
    InvoiceId,
    PendingItemId,
    PriceId,
    ProFormaId,
    SeriesId,
    SubscriptionId,
)
from subscriptions.invoice_numbering import Series
from subscriptions.invoices import Charge, Invoice
from subscriptions.money import EUR, Money
from subscriptions.number_series import NumberSeries
from subscriptions.pending_items import PendingItem
from subscriptions.pro_forma import ProForma
from subscriptions.pro_forma import make as make_pro_forma
from subscriptions.taxes import TaxBehavior, TaxRate
from subscriptions.testing.builders.customers import a_customer, a_seller
from subscriptions.testing.builders.defaults import AT, START, TENANT, changed


def a_draft(id: str = "inv_ada", /, **changes: object) -> Invoice:
    """Return a draft of 29.00 EUR and 19 % tax, without a number."""
    charge = Charge(
        "Pro",
        2900,
        TaxRate(Decimal(19)),
        unit_price=Decimal("29.00"),
        period=Period(START, date(2027, 2, 28)),
        price=PriceId("price_pro"),
    )
    composed = invoices.compose(
        InvoiceId(id),
        a_customer(),
        [charge],
        currency=EUR,
        seller=a_seller(),
        automatic=False,
        subscription=SubscriptionId("sub_ada"),
    )
    return changed(evolve(composed, version=1), changes)


def an_invoice(id: str = "inv_ada", /, **changes: object) -> Invoice:
    """Return a final invoice of 34.51 EUR that is owed, numbered and sealed.

    The seal covers the changes, so that a changed invoice still verifies.
    """
    issue = invoices.finalize(
        evolve(a_draft(id), version=0), a_customer(), seller=a_seller(), salt=f"salt-{id}"
    )
    draft = issue.after
    assert isinstance(draft, Invoice)
    sealed = invoices.seal(draft, before=None, number=f"INV-{id}", previous_hash="", at=AT).after
    assert isinstance(sealed, Invoice)
    invoice = changed(sealed, changes)
    return invoice if "hash" in changes else evolve(invoice, hash=invoices.content_hash(invoice))


def a_credit_note(id: str = "cn_ada", /, **changes: object) -> CreditNote:
    """Return a credit note of all of the invoice of 34.51 EUR, numbered and sealed.

    The seal covers the changes, so that a changed note still verifies.
    """
    invoice = an_invoice()
    composed = credit_notes.compose(
        invoice,
        credit_notes.of_lines(invoice, []),
        a_customer(),
        ordinal=1,
        division=credit_notes.divide(invoice, invoice.total),
        reason="a mistake",
        seller=a_seller(),
        salt=f"salt-{id}",
    )
    draft = evolve(composed, id=CreditNoteId(id))
    sealed = credit_notes.seal(draft, number=f"CN-{id}", previous_hash="", at=AT).after
    assert isinstance(sealed, CreditNote)
    note = changed(sealed, changes)
    return note if "hash" in changes else evolve(note, hash=credit_notes.content_hash(note))


def a_pending_item(id: str = "item_ada", /, **changes: object) -> PendingItem:
    """Return two hours of work that wait for Ada's next invoice."""
    item = PendingItem(
        PendingItemId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        None,
        "Work",
        Money(5000, EUR),
        2,
        Money(10000, EUR),
        TaxBehavior.EXCLUSIVE,
        AT,
    )
    return changed(item, changes)


def a_pro_forma(id: str = "pf_ada", /, **changes: object) -> ProForma:
    """Return a pro-forma invoice of 34.51 EUR for Ada, without a number."""
    shown = evolve(a_draft("inv_shown"), version=0)
    made = make_pro_forma(ProFormaId(id), shown, a_customer(), a_seller(), at=AT).after
    assert isinstance(made, ProForma)
    return changed(made, changes)


def a_number_series(
    id: str = "seller/invoice/INV-{counter:05}", /, **changes: object
) -> NumberSeries:
    """Return a series that has given one number."""
    _, series = Series("INV-{counter:05}").next(on=START)
    return changed(NumberSeries(SeriesId(id), TENANT, 1, series, "0" * 64, AT), changes)
