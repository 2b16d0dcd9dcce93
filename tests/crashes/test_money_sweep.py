"""A story of everything that money does besides being charged, killed at every point of it.

Charges and refunds whose answers get lost, a credit note that is divided, disputes won and lost, a
debit that comes back, a grant, an authorisation captured in part, a bank statement, and a charge
that the books lost. A process dies before and after each commit, each acknowledgement and each call
of the gateway; the next one repeats the host's commands with their keys. Each time the gateway's
books and ours must end as if nothing had happened.
"""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest
from attrs import define, field

from subscriptions import (
    Billing,
    DunningPolicy,
    MarkUnpaid,
    MemoryStorage,
    Money,
    OneOff,
    Retries,
    Seller,
    SqlStorage,
    TaxRate,
    TaxRates,
)
from subscriptions.events import Recorded
from subscriptions.gateways.fake import FakeGateway
from subscriptions.gateways.fake.messages import WebhookMessage
from subscriptions.invoices import Invoice, verify_chain
from subscriptions.payments import ChargeIntent, Outcome, Payment, payment_id
from subscriptions.refunds import RefundOutcome
from subscriptions.statements import StatementLine
from subscriptions.storage import Storage
from subscriptions.testing import TestClock, counting_ids
from subscriptions.testing.crashes import Crash, CrashingGateway, CrashingStorage, Points

START = date(2027, 1, 1)
CARDS = ("tok_visa", "tok_sepa_debit", "tok_amex", None)
T = TypeVar("T")


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


@define
class World:
    """What outlives a process: the storage, the gateway, the time, and who was told what."""

    storage: Storage
    gateway: FakeGateway = field(factory=lambda: FakeGateway(multi_capture=True))
    clock: TestClock = field(factory=lambda: TestClock(START))
    told: list[Recorded] = field(factory=list[Recorded])
    untold: list[WebhookMessage] = field(factory=list[WebhookMessage])
    done: dict[str, object] = field(factory=dict[str, object])

    def billing(self, points: Points, process: str) -> Billing:
        billing = Billing(
            storage=CrashingStorage(self.storage, points),
            gateways={"card": CrashingGateway(self.gateway, points)},
            seller=Seller(name="Seller", zone="Europe/Berlin"),
            taxes=TaxRates({"DE": TaxRate("19")}),
            clock=self.clock,
            ids=counting_ids(process),
            webhook_secrets={"card": [self.gateway.webhook_secret]},
        )
        billing.events.subscribe(self.told.append, name="inbox")
        return billing

    def once(self, name: str, what: Callable[[], T]) -> T:
        """Do what the world outside does: it happens once, whatever dies here."""
        if name not in self.done:
            self.done[name] = what()
        return self.done[name]  # type: ignore[return-value]  # what was put there by that name

    def until(self, billing: Billing, day: int, hour: int = 0) -> None:
        """Let time pass, and do what is due."""
        now = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=day, hours=hour)
        if self.clock.now <= now:
            self.clock.now = now
            self.gateway.at(now)
        billing.run()

    def tell(self, billing: Billing) -> None:
        """Tell what the gateway has to tell, each thing until it was taken in."""
        self.untold += self.gateway.webhooks()
        while self.untold:
            message = self.gateway.send_again(self.untold[0].id)
            billing.webhooks.receive("card", message.raw, message.headers)
            self.untold.pop(0)


def set_up(world: World) -> None:
    """Make four customers, three of whom have paid an invoice: by card, by a debit, by card."""
    billing = world.billing(Points(), "first")
    billing.dunning.set_policy(DunningPolicy(Retries.after_days(1), (), MarkUnpaid(), 60))
    for number, token in enumerate(CARDS):
        customer = billing.customers.create(name=f"Customer {number}", country="DE")
        if token is not None:
            billing.payment_methods.attach(customer.id, token=token)
        work = [OneOff("Work", eur("100.00"))]
        billing.invoices.create_one_off(customer.id, work)
    world.until(billing, 7)
    world.tell(billing)
    # What is told from here on belongs to the story.
    world.told.clear()


def live(world: World, billing: Billing) -> None:
    """Do all of it, each command with a key: a host that died does it again from the beginning."""
    ada, bob, cyd, dan = billing.customers.list()
    gateway = world.gateway
    paid = {each.customer: each for each in list(billing.payments.list())[:3]}

    # Answers that get lost: charges executed and not, a partial refund, a capture.
    for executed in (True, False):
        world.once(f"lost {executed}", lambda: gateway.time_out_next(executed=executed))  # noqa: B023 - called at once
        _one_off(billing, ada.id, "20.00", f"charge {executed}")
    world.until(billing, 7, 1)
    world.once("lost refund", lambda: gateway.time_out_refund_next(executed=True))
    billing.payments.refund(
        paid[ada.id].id, eur("15.00"), reason="a mistake", idempotency_key="refund"
    )
    billing.invoices.add_pending_item(ada.id, OneOff("Waited", eur("5.00")), idempotency_key="item")

    # A grant pays; its invoice is void, and it returns and pays what waited.
    billing.balance.grant(bob.id, eur("30.00"), idempotency_key="grant")
    granted = billing.invoices.create_one_off(
        bob.id,
        [OneOff("Work", eur("50.00"))],
        collection_method="send_invoice",
        idempotency_key="granted",
    )
    billing.invoices.void(granted.id, reason="a mistake", idempotency_key="void")
    billing.invoices.invoice_pending_items(ada.id, idempotency_key="pending")

    # What was paid is credited: to the card, to the balance, and outside.
    first = billing.invoices.get(_invoice(paid[cyd.id]))
    world.once("lost note", lambda: gateway.time_out_refund_next(executed=False))
    billing.credit_notes.create(
        first.id,
        amount=eur("30.00"),
        reason="a mistake",
        refund=eur("10.00"),
        balance=eur("12.00"),
        outside=eur("8.00"),
        idempotency_key="note",
    )

    # Held for an invoice, and taken in part.
    stay = _one_off(billing, dan.id, "40.00", "stay")
    methods = list(billing.payment_methods.list(customer=dan.id))
    method = (
        methods[0] if methods else billing.payment_methods.attach(dan.id, "tok_visa", default=False)
    )
    held = billing.payments.authorize(
        dan.id, eur("70.00"), method=method.id, invoice=stay.id, idempotency_key="hold"
    )
    billing.payments.capture(held.id, eur("47.60"), idempotency_key="take")
    world.until(billing, 8)

    # The bank writes: one line is exact, one pays too much, one is nobody's.
    owed = next(each for each in billing.invoices.list() if each.customer == dan.id)
    world.once("number", lambda: owed.number)
    lines = [
        StatementLine(START, owed.total, text=f"for {owed.number}", bank_reference="B1"),
        StatementLine(START, eur("3.00"), text="thanks", bank_reference="B2"),
    ]
    billing.payments.import_statement(lines)
    waiting = [each for each in billing.payments.bank_lines() if each.line.bank_reference == "B2"]
    billing.payments.assign(waiting[0].id, dan.id, idempotency_key="assign")

    # Chargebacks, one won and one lost, and a debit that comes back.
    world.once("open", lambda: gateway.open_dispute(paid[ada.id].id, eur("50.00")))
    world.once("return", lambda: gateway.return_debit(paid[bob.id].id, "AM04"))
    world.once("other", lambda: gateway.open_dispute(paid[cyd.id].id, eur("40.00")))
    world.tell(billing)
    world.until(billing, 9)
    world.once("won", lambda: gateway.win_dispute(gateway.disputes[0].reference))
    world.once("lost", lambda: gateway.lose_dispute(gateway.disputes[2].reference))
    world.tell(billing)

    # A charge that the books lost, as after a restored backup.
    orphan = _one_off(billing, dan.id, "10.00", "orphan")
    world.once("orphan", lambda: _charge_lost(world, orphan))
    billing.sweep()
    world.until(billing, 20)
    world.tell(billing)
    world.until(billing, 40)


def _one_off(billing: Billing, customer: str, amount: str, key: str) -> Invoice:
    work = [OneOff("Work", eur(amount))]
    return billing.invoices.create_one_off(customer, work, idempotency_key=key)


def _invoice(payment: Payment) -> str:
    assert payment.invoice is not None
    return payment.invoice


def _charge_lost(world: World, invoice: Invoice) -> None:
    id = payment_id(invoice.tenant, invoice.id, 1)
    named = {"tenant": invoice.tenant, "attempt": id, "invoice": invoice.id}
    intent = ChargeIntent(
        id, f"v1:{id}", invoice.total, "pm_visa.x", invoice.customer, named, world.clock.now
    )
    world.gateway.charge(intent)


Picture = dict[str, object]


def outcome(world: World) -> Picture:
    """Return what must be the same however often it died; check what must hold of itself."""
    billing, gateway = world.billing(Points(), "last"), world.gateway
    invoices = list(billing.invoices.list(limit=1000))
    notes = list(billing.credit_notes.list(limit=1000))
    payments = list(billing.payments.list(limit=1000))
    refunds = list(billing.payments.refunds(limit=1000))

    # The gateway's own books: nothing was charged, captured or given back twice.
    taken = [each for each in gateway.charges if each.outcome is Outcome.SUCCEEDED]
    assert max(Counter(each.attempt for each in taken).values()) == 1
    assert max(Counter(each.intent.attempt_id for each in gateway.captures).values()) == 1
    given = [each for each in gateway.refunds if each.outcome is RefundOutcome.SUCCEEDED]
    assert max(Counter(each.refund for each in given).values()) == 1
    assert {each.refund for each in given} == {each.id for each in refunds}
    assert gateway.alerts == ()
    for payment in payments:
        if payment.gateway == "card" and payment.status == "succeeded":
            gone = payment.refunded_minor + payment.disputed_minor
            assert payment.amount_minor - gone == gateway.kept_minor(payment.id)

    # Ours: no gap, no change, no difference, nothing that waits for ever.
    assert billing.reports.numbers() == ()
    numbered = sorted(invoices, key=lambda each: each.number or "")
    assert [i.number for i in numbered] == [f"INV-2027-{n + 1:05}" for n in range(len(numbered))]
    assert list(verify_chain(numbered)) == []
    ledger = billing.reports.ledger()
    assert ledger.differences == ()
    assert sum([amount.minor for amount in ledger.sums.values()]) == 0
    assert {each.status for each in billing.webhooks.list(limit=1000)} == {"processed"}
    assert list(billing.payments.review()) == []
    events = list(billing.events.list(limit=1000))
    sequences: dict[str, list[int]] = {}
    for event in events:
        sequences.setdefault(event.subject, []).append(event.sequence)
    for subject, sequence in sequences.items():
        assert sequence == list(range(1, len(sequence) + 1)), subject
    told = {event.id for event in world.told}
    assert told == {event.id for event in events[-len(told) :]}

    # Ids are of the process that made a record, so records are told by what they say.
    place = {each.id: str(number) for number, each in enumerate(numbered)}
    return {
        "invoices": [
            (i.lines, i.taxes, i.total, i.paid, i.balance_applied, i.granted, i.credited, i.status)
            for i in numbered
        ],
        "notes": [(n.number, n.lines, n.taxes, n.total, n.division) for n in notes],
        "payments": sorted(
            (
                p.customer,
                p.status,
                p.gateway,
                p.amount_minor,
                p.refunded_minor,
                p.disputed_minor,
                p.balanced_minor,
                str([(place[part.invoice], part.amount_minor) for part in p.allocations]),
            )
            for p in payments
        ),
        "refunds": sorted((r.status, r.amount_minor, r.from_balance) for r in refunds),
        "disputes": [(d.status, d.amount) for d in billing.payments.disputes()],
        "balances": [customer.balance for customer in billing.customers.list()],
        "grants": [
            (e.cause, e.amount_minor, e.left_minor) for e in billing.balance.grant_entries()
        ],
        "lines": sorted((b.line.bank_reference, b.status) for b in billing.payments.bank_lines()),
        "items": [each.status for each in billing.invoices.pending_items()],
        "sums": {f"{place[0]} {place[1]}": amount for place, amount in ledger.sums.items()},
        "charges": sorted((e.outcome.value, e.amount.minor) for e in gateway.charges),
        "captures": [each.intent.amount for each in gateway.captures],
    }


def run_and_check(world: World, points: Points) -> Picture:
    try:
        live(world, world.billing(points, "second"))
    except Crash:
        assert points.crash_at is not None
        live(world, world.billing(Points(), "third"))
    return outcome(world)


def in_memory(_: Path) -> Callable[[], World]:
    def fresh() -> World:
        world = World(MemoryStorage())
        set_up(world)
        return world

    return fresh


def on_sqlite(folder: Path) -> Callable[[], World]:
    """Set up one database and copy it for each run: a copy is quicker than a set-up."""
    template = folder / "template.db"
    storage = SqlStorage(f"sqlite:///{template}")
    made = World(storage)
    set_up(made)
    storage.close()
    rest = pickle.dumps((made.gateway, made.clock, made.told, made.untold, made.done))
    numbers = count()

    def fresh() -> World:
        copy = folder / f"{next(numbers)}.db"
        shutil.copyfile(template, copy)
        return World(SqlStorage(f"sqlite:///{copy}"), *pickle.loads(rest))  # noqa: S301 - ours

    return fresh


SWEPT = (
    "before a charge",
    "after a charge",
    "before reconciling",
    "after a refund",
    "after reconciling a refund",
    "before an authorisation",
    "after a capture",
    "after a release",
    "after attaching a method",
    "before acknowledging events",
    "after acknowledging events",
)
WRITTEN = ("credit_note", "dispute", "grant_entry", "bank_line", "inbound", "pending_item")


@pytest.mark.parametrize("make", [in_memory, on_sqlite])
def test_whatever_money_does_ends_as_if_nothing_had_died(
    make: Callable[[Path], Callable[[], World]], tmp_path: Path
) -> None:
    fresh = make(tmp_path)
    counted = Points()
    undisturbed = run_and_check(fresh(), counted)
    assert counted.passed > 150, "a sweep over nothing proves nothing"
    assert {*SWEPT} <= {*counted.names}
    for kind in WRITTEN:
        assert any(kind in name for name in counted.names if name.startswith("after committing"))
    for point in range(counted.passed):
        found = run_and_check(fresh(), Points(crash_at=point))
        assert found == undisturbed, f"point {point}: {counted.names[point]}"
