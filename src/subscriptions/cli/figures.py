"""What happened, month by month: added up from the events, as a host's own reports would be."""

from __future__ import annotations

from collections import Counter

from attrs import define, field

from subscriptions import Money
from subscriptions.billing_cycles import local_date
from subscriptions.engine.run_reports import Parked
from subscriptions.events import Recorded
from subscriptions.invoices import (
    InvoiceDunningEnded,
    InvoiceFinalized,
    InvoiceMarkedUncollectible,
    InvoicePaid,
)
from subscriptions.lifecycle import SubscriptionEnded
from subscriptions.payments import PaymentSucceeded

Amounts = Counter[str]
"""Minor units by currency; two currencies are never added up."""


@define
class Month:
    """The figures of one month; amounts are minor units by currency."""

    name: str
    invoices: int = 0
    invoiced: Amounts = field(factory=Amounts)
    collected: Amounts = field(factory=Amounts)
    recovered: Amounts = field(factory=Amounts)
    recovered_count: int = 0
    written_off: Amounts = field(factory=Amounts)
    written_off_count: int = 0
    ended: int = 0
    mrr: dict[str, Money] = field(factory=dict[str, Money])


@define
class Figures:
    """The months of a run; `hears` is a subscriber of events."""

    zone: str
    months: dict[str, Month] = field(factory=dict[str, Month])
    parked: list[Parked] = field(factory=list[Parked])
    _settled: dict[str, Money] = field(factory=dict[str, Money])

    def month(self, name: str) -> Month:
        """Return a month, such as "2027-01"; one that nothing is known of is empty."""
        return self.months.setdefault(name, Month(name))

    def hears(self, event: Recorded) -> None:
        """Count an event where it belongs."""
        month = self.month(f"{local_date(event.at, self.zone):%Y-%m}")
        match event.body:
            case InvoiceFinalized(total=total):
                month.invoices += 1
                month.invoiced[total.currency.code] += total.minor
            case PaymentSucceeded(amount=amount):
                month.collected[amount.currency.code] += amount.minor
            case InvoicePaid(invoice=invoice, total=total):
                self._settled[invoice] = total
            case InvoiceMarkedUncollectible(invoice=invoice, amount_due=amount):
                self._settled.pop(invoice, None)
                month.written_off_count += 1
                month.written_off[amount.currency.code] += amount.minor
            case InvoiceDunningEnded(invoice=invoice) if invoice in self._settled:
                # Paid, and dunning was looking after it: that is a recovery.
                total = self._settled.pop(invoice)
                month.recovered_count += 1
                month.recovered[total.currency.code] += total.minor
            case SubscriptionEnded():
                month.ended += 1
            case _:
                pass
