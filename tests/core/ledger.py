"""A subscription that is billed and changed by the pure core alone, and all that it was charged.

No engine, no storage: the commands that the use cases would give are given by hand, so that a law
of the core can be judged by thousands of sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from subscriptions.billing_cycles import BillingCycle, first_instant, local_date
from subscriptions.catalog import Price
from subscriptions.coupons import AppliedCoupon
from subscriptions.ids import InvoiceId
from subscriptions.invoices import Charge, LineKind, LineRef
from subscriptions.lifecycle import (
    Active,
    BillPeriods,
    ChangeItems,
    Conditions,
    Item,
    Outcome,
    PaidShare,
    Subscription,
    UsageOf,
    WantedItem,
    change_items,
    charge_period,
    debits_of,
    decide,
    discounted,
    move_billing_date,
    parts_off,
    settle,
)
from subscriptions.proration import Mode, Proration
from subscriptions.taxes import TaxRate
from subscriptions.testing.builders import a_subscription

VAT = TaxRate("19")


def charged_minor(charges: Sequence[Charge]) -> int:
    """Return what charges come to after discounts: net or gross, as they are priced."""
    return sum(
        charge.amount_minor - sum(share.amount_minor for share in charge.discounts)
        for charge in charges
    )


class Ledger:
    """The subscription as it stands, its invoices with their lines, and the rates that count."""

    def __init__(
        self,
        prices: Sequence[Price],
        *,
        start: date,
        zone: str = "UTC",
        coupons: tuple[AppliedCoupon, ...] = (),
        items: tuple[Item, ...] | None = None,
        rate: TaxRate = VAT,
    ) -> None:
        self.prices: dict[str, Price] = {price.id: price for price in prices}
        self.rate = rate
        if items is None:
            items = (self.item(prices[0], start=start),)
        self.sub: Subscription = a_subscription(
            zone=zone,
            items=items,
            contract=Active(start),
            discounts=coupons,
            start=start,
        )
        self.invoices: dict[InvoiceId, list[Charge]] = {}

    def item(self, price: Price, quantity: int = 1, *, start: date, number: int = 1) -> Item:
        """Return an item of a price that begins on a day, with periods counted from it."""
        assert price.every is not None
        cycle = BillingCycle(start, price.every)
        return Item(
            price.id, quantity, cycle, start, number, arrears=price.arrears, meter=price.meter
        )

    @property
    def lines(self) -> list[Charge]:
        """All that was invoiced, and what waits for an invoice."""
        return [
            *[line for lines in self.invoices.values() for line in lines],
            *self.sub.pending,
        ]

    @property
    def charged(self) -> int:
        """What all of it comes to."""
        return charged_minor(self.lines)

    def bill(
        self, on: date | None = None, usage: Mapping[int, Sequence[UsageOf]] | None = None
    ) -> list[Charge]:
        """Bill what is due on a day (default: the next day on which something is)."""
        sub = self.sub
        on = on or min(item.due_day for item in sub.items)
        due = [item for item in sub.items if item.due_day <= on]
        charges: list[Charge] = []
        for item in due:
            charges += charge_period(
                item,
                self.prices[item.price],
                item.next_period,
                rate=self.rate,
                subscription=sub,
                usage=(usage or {}).get(item.number, ()),
            )
        lines = discounted([*sub.pending, *charges], sub.discounts, sub.currency)
        invoice = InvoiceId(f"inv_{len(self.invoices) + 1}")
        mine = lines[len(sub.pending) :]
        coupons = {share.coupon: None for line in mine for share in line.discounts}
        self.invoices[invoice] = lines
        self._do(
            BillPeriods(
                tuple(item.number for item in due),
                tuple(item.next_period for item in due),
                tuple(
                    sum(line.amount_minor for line in charges if line.item == item.number)
                    for item in due
                ),
                invoice,
                debits_of(
                    mine, invoice, first_line=len(sub.pending), after=on, coupons=sub.discounts
                ),
                tuple(coupons),
            )
        )
        return lines

    def conditions(
        self,
        at: datetime,
        policy: Proration | None = None,
        *,
        paid: Mapping[InvoiceId, PaidShare] | None = None,
        usage: Mapping[int, Sequence[UsageOf]] | None = None,
    ) -> Conditions:
        """Return what a change depends on, now."""
        return Conditions(
            at, policy or Proration(), self.rate, self.prices, usage or {}, paid or {}
        )

    def change(
        self,
        wanted: Sequence[WantedItem],
        at: datetime,
        policy: Proration | None = None,
        *,
        paid: Mapping[InvoiceId, PaidShare] | None = None,
        usage: Mapping[int, Sequence[UsageOf]] | None = None,
    ) -> list[Charge]:
        """Change the items; returns what is new of what is pending, or the lines invoiced now."""
        policy = policy or Proration()
        conditions = self.conditions(at, policy, paid=paid, usage=usage)
        new = self._take(change_items(self.sub, wanted, conditions), at, policy)
        today = local_date(at, self.sub.zone)
        if any(item.due_day <= today for item in self.sub.items):
            new = self.bill(today)
        return new

    def move(self, on: date, at: datetime, policy: Proration | None = None) -> list[Charge]:
        """Let the next period begin on another day."""
        policy = policy or Proration()
        return self._take(move_billing_date(self.sub, on, self.conditions(at, policy)), at, policy)

    def settled(
        self,
        at: datetime,
        policy: Proration | None = None,
        *,
        usage: Mapping[int, Sequence[UsageOf]] | None = None,
    ) -> Outcome:
        """Return what an end at an instant leaves."""
        return settle(self.sub, self.conditions(at, policy, usage=usage))

    def _take(self, outcome: Outcome, at: datetime, policy: Proration) -> list[Charge]:
        before, pending = self.sub.pending, outcome.pending
        if policy.mode is not Mode.INVOICE_NOW or not pending:
            self._do(ChangeItems(outcome.items, outcome.debits, pending, at, places=outcome.places))
            return [charge for charge in pending if charge not in before]
        invoice = InvoiceId(f"inv_{len(self.invoices) + 1}")
        parts = parts_off(self.sub, local_date(at, self.sub.zone))
        lines = discounted(pending, parts, self.sub.currency)
        self.invoices[invoice] = lines
        places = outcome.places
        self._do(
            ChangeItems(outcome.items, outcome.debits, pending, at, "", invoice, places=places)
        )
        return lines

    def _do(self, *commands: BillPeriods | ChangeItems) -> None:
        after = decide(self.sub, *commands).after
        assert isinstance(after, Subscription)
        self.sub = after

    def check(self) -> None:
        """Check what must hold of every ledger: no line is credited beyond what it charged."""
        credited: dict[LineRef, int] = {}
        for line in self.lines:
            if line.kind is LineKind.CREDIT and line.credits is not None:
                credited[line.credits] = credited.get(line.credits, 0) - line.amount_minor
        for ref, amount_minor in credited.items():
            line = self.invoices[ref.invoice][ref.line]
            assert line.kind in {LineKind.PERIOD, LineKind.DEBIT}
            assert 0 <= amount_minor <= charged_minor([line]), "no more than was charged"
        for debit in self.sub.debits:
            line = (
                self.sub.pending[debit.line]
                if debit.invoice is None
                else self.invoices[debit.invoice][debit.line]
            )
            assert (line.item, line.price) == (debit.item, debit.price), "a debit names its line"
            assert 0 <= debit.begin <= debit.end <= 1
            assert debit.begin < debit.end


def noon(day: date, hour: int = 12) -> datetime:
    """Return an instant of a day in UTC."""
    return first_instant(day, "UTC") + timedelta(hours=hour)
