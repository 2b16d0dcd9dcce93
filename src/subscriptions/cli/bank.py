"""The customers who pay by bank transfer, as a bank would see them: punctual, late, or never.

When somebody pays is decided by his external id and the year, so that every run tells one story.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256

from attrs import define, field

from subscriptions import Billing, Money
from subscriptions.billing_cycles import local_date
from subscriptions.errors import DomainError
from subscriptions.events import Recorded
from subscriptions.frozen import frozen
from subscriptions.invoices import InvoiceFinalized

STATEMENT_AT = time(8, tzinfo=UTC)
"""When the bank's statement of a day is read."""


@frozen
class Habit:
    """How many days after its date somebody pays an invoice, and from when on no longer."""

    days: int
    late_days: int
    stops_on: date | None

    def pays_on(self, issued_on: date, number: str) -> date | None:
        """Return the day on which an invoice is paid; one of three late, if he is like that."""
        if self.stops_on is not None and issued_on >= self.stops_on:
            return None
        late = self.late_days and sha256(number.encode()).digest()[0] % 3 == 0
        return issued_on + timedelta(days=self.late_days if late else self.days)


def habit_of(external_id: str, *, year: int) -> Habit:
    """Return how a customer pays in the years from `year` on; the same whenever it is asked."""
    digest = sha256(f"{external_id} {year}".encode()).digest()
    roll = digest[0] % 100
    days = 4 + digest[1] % 9
    if roll < 66:  # noqa: PLR2004 - two of three are punctual
        return Habit(days, 0, None)
    if roll < 90:  # noqa: PLR2004 - one of four needs a reminder now and then
        return Habit(days, 16 + digest[2] % 9, None)
    return Habit(days, 0, date(year, 1 + digest[3] % 12, 1))


@define
class Bank:
    """The transfers that will come in: `expects` is a subscriber of events."""

    billing: Billing
    year: int
    habits: dict[str, Habit] = field(factory=dict[str, Habit])
    coming: dict[date, list[tuple[str, str, str, Money]]] = field(
        factory=dict[date, list[tuple[str, str, str, Money]]]
    )

    def open_account(self) -> None:
        """Learn who pays by transfer, and what they owe already."""
        for customer in self.billing.customers.list(limit=1000):
            if customer.default_method is None and customer.external_id is not None:
                self.habits[customer.id] = habit_of(customer.external_id, year=self.year)
        for invoice in self.billing.invoices.list(status="open", limit=1000):
            if invoice.number is not None and invoice.issued_on is not None:
                self._expect(
                    invoice.customer,
                    invoice.id,
                    invoice.number,
                    invoice.amount_due,
                    invoice.issued_on,
                )

    def hears(self, event: Recorded) -> None:
        """Take note of an invoice that somebody will pay by transfer."""
        body = event.body
        if isinstance(body, InvoiceFinalized) and body.total:
            on = local_date(event.at, self.billing.engine.seller.zone)
            self._expect(body.customer, body.invoice, body.number, body.total, on)

    def statement(self, day: date) -> int:
        """Record the transfers of a day, all in one transaction; returns how many there were."""
        transfers = self.coming.pop(day, [])
        at = datetime.combine(day, STATEMENT_AT)
        with self.billing.transaction():
            for customer, invoice, number, amount in transfers:
                try:
                    self.billing.payments.record(
                        customer, amount, invoice=invoice, reference=f"transfer {number}", at=at
                    )
                except DomainError:
                    continue  # it is settled otherwise; a person would send the money back
        return len(transfers)

    def _expect(self, customer: str, invoice: str, number: str, amount: Money, on: date) -> None:
        habit = self.habits.get(customer)
        if habit is None:
            return
        day = habit.pays_on(on, number)
        if day is not None:
            self.coming.setdefault(day, []).append((customer, invoice, number, amount))
