"""Pro-forma invoices: what an invoice would say, as a paper of its own that nobody owes.

A pro-forma is numbered, if at all, in a series of its own kind; it is never booked, collected or
chained to invoices, and the audit of invoices does not know it. What it shows was composed as an
invoice is, and never becomes one: the invoice is made when it is due, by itself.
"""

from __future__ import annotations

from datetime import date, datetime

from subscriptions.billing_cycles import local_date
from subscriptions.customers import Customer
from subscriptions.decisions import Change, Issue, created
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, ProFormaId
from subscriptions.invoice_numbering import Series
from subscriptions.invoices import Invoice, Seller
from subscriptions.invoices.sealing import party_of
from subscriptions.money import Money
from subscriptions.records import Column, ColumnType, Kind, evolve


@frozen
class ProForma:
    """One pro-forma invoice: `shown` is what it shows, a draft that is stored nowhere else."""

    id: ProFormaId
    tenant: str
    version: int
    customer: CustomerId
    shown: Invoice
    made_at: datetime
    made_on: date
    number: str | None = None
    series: str = ""

    @property
    def total(self) -> Money:
        """What would be owed."""
        return self.shown.total


PRO_FORMA = Kind(
    "pro_forma",
    ProForma,
    columns=(
        Column("customer", ColumnType.TEXT, lambda p: p.customer),
        Column("number", ColumnType.TEXT, lambda p: p.number),
    ),
)


@frozen
class ProFormaMade:
    """A pro-forma invoice was made; nothing is owed by it."""

    pro_forma: ProFormaId
    customer: CustomerId
    number: str | None
    total: Money


def make(
    id: ProFormaId, composed: Invoice, customer: Customer, seller: Seller, *, at: datetime
) -> Change | Issue:
    """Decide to show a composed invoice to its customer, with a number if the seller has a series.

    Seller and customer are frozen as they are now. Raises `ValidationError` for a series for each
    customer if the customer has no number.
    """
    shown = evolve(composed, seller=seller.snapshot, party=party_of(customer), seller_id=seller.id)
    made_on = local_date(at, seller.zone)
    pro_forma = ProForma(id, customer.tenant, 1, customer.id, shown, at, made_on)
    numbers: Series | None = seller.pro_forma_numbers
    if numbers is None:
        return created(PRO_FORMA, pro_forma, _made(pro_forma))
    series, opening = seller.pro_formas_of(customer.number)
    after = evolve(pro_forma, series=series)
    return Issue(PRO_FORMA, None, after, series, opening, seller.zone)


def numbered(pro_forma: ProForma, *, number: str) -> Change:
    """Give a new pro-forma the number that its series took for it."""
    after = evolve(pro_forma, number=number)
    return created(PRO_FORMA, after, _made(after))


def _made(pro_forma: ProForma) -> ProFormaMade:
    return ProFormaMade(pro_forma.id, pro_forma.customer, pro_forma.number, pro_forma.total)
