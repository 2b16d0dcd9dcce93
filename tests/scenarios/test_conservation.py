"""Whatever is given, used, credited, voided and refunded in any order: no credit is lost or made.

Random histories of a shop are judged by what its events say, replayed one by one by an oracle that
knows nothing of balances, grants or credit notes but how each event adds up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from attrs import define, field

from subscriptions import Billing, InvalidTransition, Money, OneOff, ValidationError
from subscriptions.catalog import Price
from subscriptions.credit_notes import CreditNoteIssued
from subscriptions.customers import BalanceMoved, Customer
from subscriptions.decisions import RecordParked
from subscriptions.errors import NotSupported
from subscriptions.events import Event
from subscriptions.grants import (
    Category,
    GrantApplied,
    GrantCreated,
    GrantExpired,
    GrantReturned,
    GrantRolledOver,
    GrantVoided,
    Rollover,
    Scope,
)
from subscriptions.ids import InvoiceId
from subscriptions.invoices import InvoiceCredited, InvoiceFinalized, InvoiceVoided
from subscriptions.payments import Outcome
from subscriptions.proration import Proration
from subscriptions.refunds import RefundOutcome
from tests.scenarios.shop import Shop, eur

STEPS = 60


@define
class Oracle:
    """What events come to, in minor units; each movement is judged when it happens."""

    totals: dict[str, int] = field(factory=dict[str, int])
    void: set[str] = field(factory=set[str])
    credited: Counter[str] = field(factory=Counter[str])
    issued: Counter[str] = field(factory=Counter[str])
    by_balance: Counter[str] = field(factory=Counter[str])
    by_grants: Counter[str] = field(factory=Counter[str])
    pairs: Counter[tuple[str, str]] = field(factory=Counter[tuple[str, str]])
    left: dict[str, int] = field(factory=dict[str, int])
    balance: Counter[str] = field(factory=Counter[str])
    sums: Counter[str] = field(factory=Counter[str])

    def see(self, event: Event) -> None:
        """Replay one event, and refuse what can never be."""
        match event:
            case GrantCreated(grant=grant, amount=amount, origin=origin):
                assert grant not in self.left
                self.left[grant] = amount.minor
                self.sums["granted" if origin is None else "went on"] += amount.minor
            case GrantApplied(grant=grant, invoice=invoice, amount=amount):
                self._move(grant, -amount.minor, event.left)
                self.pairs[grant, invoice] += 1
                assert self.pairs[grant, invoice] == 1, "a grant pays an invoice once"
                self.by_grants[invoice] += amount.minor
            case GrantReturned(grant=grant, invoice=invoice, amount=amount):
                self._move(grant, amount.minor, event.left)
                self.by_grants[invoice] -= amount.minor
                assert self.by_grants[invoice] >= 0, "no more returns than was paid"
            case GrantExpired(grant=grant, amount=amount):
                self._move(grant, -amount.minor)
                self.sums["expired"] += amount.minor
            case GrantRolledOver(grant=grant, amount=amount):
                self._move(grant, -amount.minor)
                self.sums["rolled over"] += amount.minor
            case GrantVoided(grant=grant, amount=amount):
                self._move(grant, -amount.minor)
                self.sums["voided"] += amount.minor
            case BalanceMoved(customer=customer, amount=amount, balance=balance):
                self.balance[customer] += amount.minor
                assert self.balance[customer] == balance.minor >= 0
                self.sums[f"balance {event.reason}"] += amount.minor
                if event.reason in {"applied", "negative_invoice", "void_returned"}:
                    self.by_balance[str(event.invoice)] -= amount.minor
            case InvoiceFinalized(invoice=invoice, total=total):
                self.totals[invoice] = total.minor
            case InvoiceVoided(invoice=invoice):
                self.void.add(invoice)
            case InvoiceCredited(invoice=invoice, total=total):
                self.credited[invoice] += total.minor
            case CreditNoteIssued(invoice=invoice, total=total):
                self.issued[invoice] += total.minor
            case _:
                return

    def _move(self, grant: str, minor: int, left: Money | None = None) -> None:
        self.left[grant] += minor
        assert self.left[grant] >= 0, "no more goes than there is"
        assert left is None or left.minor == self.left[grant]

    def judge(self, shop: Shop) -> None:
        """Hold what the events come to against the records and the gateway's own books."""
        billing = shop.billing
        assert self.issued == self.credited
        for id, total in self.totals.items():
            assert self.by_grants[id] + max(self.by_balance[id], 0) <= max(total, 0), "due"
            assert self.credited[id] <= max(total, 0)
            if id in self.void:
                assert (self.by_grants[id], self.by_balance[id]) == (0, 0), "void restores"
        customers = list(billing.customers.list(limit=1000))
        for customer in customers:
            for grant in billing.balance.grants(customer.id, limit=1000):
                assert grant.left_minor == self.left[grant.id]
            there = sum(amount.minor for amount in customer.balance)
            assert there == self.balance[customer.id]
        self._judge_money(shop)

    def _judge_money(self, shop: Shop) -> None:
        billing, sums = shop.billing, self.sums
        taken, out = Counter[str](), Counter[str]()
        for charge in shop.gateway.charges:
            if charge.outcome is Outcome.SUCCEEDED:
                taken[charge.attempt] += charge.amount.minor
        for refund in shop.gateway.refunds:
            if refund.outcome is not RefundOutcome.FAILED:
                out[refund.attempt] += refund.amount.minor
        assert all(out[attempt] <= taken[attempt] for attempt in out), "refunds ≤ captured"
        # All that came in is somewhere: it paid for what was billed and not credited, or is there.
        invoices = list(billing.invoices.list(limit=1000))
        notes = list(billing.credit_notes.list(limit=1000))
        payments = list(billing.payments.list(limit=1000))
        for invoice in invoices:
            parts = [note.division for note in notes if note.invoice == invoice.id]
            money = sum(p.refund_minor + p.balance_minor + p.outside_minor for p in parts)
            there = invoice.paid_minor + max(0, self.by_balance[invoice.id])
            assert money <= there, "what grants paid is no money"
        due = sum(invoice.due_minor for invoice in invoices)
        billed = sum(minor for id, minor in self.totals.items() if id not in self.void)
        received = sum(p.amount_minor for p in payments if p.status == "succeeded")
        waiting = sum(p.unallocated.minor for p in payments if p.status == "succeeded")
        by_refund = -sums["balance refund"] - sums["balance refund_failed"]
        gone = sums["expired"] + sums["voided"]
        assert sums["went on"] == sums["rolled over"]
        assert received + sums["balance adjustment"] + sums["granted"] == (
            billed
            - self.issued.total()
            - due
            + by_refund
            + sum(note.division.outside_minor for note in notes)
            + self.balance.total()
            + sum(self.left.values())
            + gone
            + waiting
        )


@define
class History:
    """One random history: what is done next is drawn from `random`; what is refused is skipped."""

    shop: Shop
    random: Random
    customers: list[Customer] = field(factory=list[Customer])
    prices: list[Price] = field(factory=list[Price])
    done: Counter[str] = field(factory=Counter[str])

    def open(self) -> None:
        """Let there be customers with cards and without, each with a subscription."""
        shop = self.shop
        self.prices = [shop.price(eur(a), name=f"P{a}") for a in ("9.99", "29.00", "31.00")]
        for token in ("tok_visa", None, "tok_insufficient_funds"):
            ada = shop.customer(token)
            shop.subscribe(ada, self.random.choice(self.prices))
            self.customers.append(ada)

    def step(self) -> None:
        """Do one thing; a command that is refused changes nothing."""
        does: list[Callable[[], object]] = [
            self.grant,
            self.grant,
            self.adjust,
            self.one_off,
            self.subscribe,
            self.change,
            self.cancel,
            self.credit,
            self.credit,
            self.void,
            self.void_grant,
            self.refund,
            self.pay,
            self.wait,
            self.wait,
        ]
        do = self.random.choice(does)
        try:
            do()
        except (ValidationError, InvalidTransition, NotSupported):
            return
        self.done[do.__name__] += 1

    @property
    def billing(self) -> Billing:
        return self.shop.billing

    def customer(self) -> str:
        return self.random.choice(self.customers).id

    def amount(self, most: int = 6000) -> Money:
        return Money(self.random.randint(1, most), eur("1").currency)

    def grant(self) -> None:
        random, now = self.random, self.shop.clock()
        expires = now + timedelta(days=random.randint(1, 50)) if random.random() < 0.7 else None
        pro = random.choice(self.prices)
        rule = Rollover(random.randint(1, 100), days=random.choice([None, 20]), times=2)
        self.billing.balance.grant(
            self.customer(),
            self.amount(2500),
            category=random.choice(list(Category)),
            priority=random.choice([10, 50, 50, 90]),
            scope=random.choice([Scope(), Scope(), Scope(products=(pro.product,))]),
            effective=random.choice([None, now + timedelta(days=random.randint(0, 20))]),
            expires=expires,
            rollover=rule if expires is not None and random.random() < 0.5 else None,
        )

    def void_grant(self) -> None:
        found = list(self.billing.balance.grants(self.customer(), limit=1000))
        self.billing.balance.void_grant(self.random.choice(found).id, reason="x") if found else None

    def adjust(self) -> None:
        sign = self.random.choice([1, 1, -1])
        self.billing.balance.adjust(self.customer(), self.amount(2000) * sign, reason="goodwill")

    def one_off(self) -> None:
        self.billing.invoices.create_one_off(self.customer(), [OneOff("Work", self.amount())])

    def subscribe(self) -> None:
        self.billing.subscriptions.create(
            self.customer(),
            [self.random.choice(self.prices).id],
            require_payment=self.random.random() < 0.3,
        )

    def subscription(self) -> str:
        return self.random.choice(list(self.billing.subscriptions.list(limit=1000))).id

    def change(self) -> None:
        mode = self.random.choice(["invoice_now", "next_invoice"])
        self.billing.subscriptions.change(
            self.subscription(),
            [self.random.choice(self.prices).id],
            proration=Proration(mode=mode),
        )

    def cancel(self) -> None:
        settlement = self.random.choice(["none", "credit", "refund"])
        self.billing.subscriptions.cancel(self.subscription(), when="now", settlement=settlement)

    def invoice(self) -> InvoiceId:
        found = list(self.billing.invoices.list(limit=1000))
        granted = [invoice for invoice in found if invoice.granted_minor]
        return self.random.choice(self.random.choice([found, granted or found])).id

    def credit(self) -> None:
        random = self.random
        where = random.choice([None, "refund", "balance", "outside"])
        amount = random.choice([None, self.amount(4000)])
        parts: dict[str, Any] = {} if where is None else {where: self.amount(3000)}
        id = self.invoice()
        if where is not None and amount is not None and random.random() < 0.5:
            parts = {where: amount}
        self.billing.credit_notes.create(id, amount=amount, reason="outage", **parts)

    def void(self) -> None:
        self.billing.invoices.void(self.invoice(), reason="wrong")

    def refund(self) -> None:
        found = list(self.billing.payments.list(limit=1000))
        amount = self.random.choice([None, self.amount(1000)])
        self.billing.payments.refund(self.random.choice(found).id, amount, reason="x")

    def pay(self) -> None:
        invoice = self.billing.invoices.get(self.invoice())
        if invoice.due_minor:
            self.billing.payments.record(
                invoice.customer, Money(invoice.due_minor, invoice.currency), invoice=invoice.id
            )

    def wait(self) -> None:
        self.shop.time.advance(days=self.random.randint(1, 25))


def everything(shop: Shop) -> list[Event]:
    """Return all events in the order in which they happened."""
    events: list[Event] = []
    cursor: str | None = None
    while True:
        page = shop.billing.events.list(limit=1000, after=cursor)
        events += [recorded.body for recorded in page]
        cursor = page.next_cursor
        if cursor is None:
            return events


@pytest.mark.parametrize("seed", range(6))
def test_no_history_loses_or_makes_credit(shop: Shop, seed: int) -> None:
    history = History(shop, Random(seed))
    oracle = Oracle()
    history.open()
    seen, events = 0, list[Event]()
    for _ in range(STEPS):
        history.step()
        events = everything(shop)
        for event in events[seen:]:
            oracle.see(event)
        seen = len(events)
        oracle.judge(shop)
    assert not [event for event in events if isinstance(event, RecordParked)]
    assert len(history.done) > 6, "a history of one kind proves little"
