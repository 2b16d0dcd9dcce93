"""Disputes and a returned debit, killed at every commit and at every gateway call.

What a gateway tells is told again until it was taken in, and a process that died begins anew on
what was stored. Each time the books must end as if nothing had happened.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from attrs import define, field

from subscriptions import (
    Billing,
    DunningPolicy,
    MarkUnpaid,
    MemoryStorage,
    Money,
    OneOff,
    Reminder,
    Retries,
    SqlStorage,
)
from subscriptions.gateways.fake import FakeGateway
from subscriptions.gateways.fake.messages import WebhookMessage
from subscriptions.payments import Payment
from subscriptions.storage import Storage
from subscriptions.testing import TestClock, counting_ids
from subscriptions.testing.crashes import Crash, CrashingGateway, CrashingStorage, Points

START = date(2027, 1, 1)


@define
class World:
    """What outlives a process: the storage, the gateway, the time, and what it has yet to tell."""

    storage: Storage
    gateway: FakeGateway = field(factory=FakeGateway)
    clock: TestClock = field(factory=lambda: TestClock(START))
    untold: list[WebhookMessage] = field(factory=list[WebhookMessage])
    days: int = 0

    def billing(self, points: Points, process: str) -> Billing:
        return Billing(
            storage=CrashingStorage(self.storage, points),
            gateways={"card": CrashingGateway(self.gateway, points)},
            clock=self.clock,
            ids=counting_ids(process),
            webhook_secrets={"card": [self.gateway.webhook_secret]},
        )

    def tell(self, billing: Billing) -> None:
        """Tell what the gateway has to tell, each thing until it was taken in, then once more."""
        self.gateway.at(self.clock.now)
        self.untold += self.gateway.webhooks()
        while self.untold:
            message = self.gateway.send_again(self.untold[0].id)
            billing.webhooks.receive("card", message.raw, message.headers)
            billing.webhooks.receive("card", message.raw, message.headers)
            self.untold.pop(0)


def set_up(world: World) -> None:
    """Make three customers who have paid: by card, by a debit, and by card with a refund."""
    billing = world.billing(Points(), "first")
    policy = DunningPolicy(Retries.after_days(1), [Reminder(0)], MarkUnpaid(), 60)
    billing.dunning.set_policy(policy)
    for name, token in (("Ada", "tok_visa"), ("Bob", "tok_sepa_debit"), ("Cyd", "tok_amex")):
        customer = billing.customers.create(name=name)
        billing.payment_methods.attach(customer.id, token=token)
        work = [OneOff("Work", Money.of("50.00", "EUR"))]
        billing.invoices.create_one_off(customer.id, work)
    advance(world, billing, 7)
    world.tell(billing)


def advance(world: World, billing: Billing, days: int) -> None:
    if world.days < days:
        world.clock.now = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=days)
        billing.run()
        world.days = days


def live(world: World, billing: Billing) -> None:
    """Let disputes come, a debit come back, and one of them be won; each step may be done again."""
    ada, bob, cyd = payments(billing)
    gateway = world.gateway
    gateway.at(world.clock.now)
    if not gateway.disputes:
        gateway.open_dispute(ada.id, Money.of("30.00", "EUR"))
        gateway.return_debit(bob.id, "AM04")
    gateway_refund = "refund-1"
    billing.payments.refund(
        cyd.id, Money.of("10.00", "EUR"), reason="a mistake", idempotency_key=gateway_refund
    )
    world.tell(billing)
    if all(each.attempt != cyd.id for each in gateway.disputes):
        gateway.open_dispute(cyd.id, Money.of("40.00", "EUR"))
    world.tell(billing)
    advance(world, billing, 25)
    first = gateway.disputes[0]
    if first.status == "opened":
        gateway.win_dispute(first.reference)
    last = gateway.disputes[2]
    if last.status == "opened":
        gateway.lose_dispute(last.reference)
    world.tell(billing)
    advance(world, billing, 30)
    world.tell(billing)
    billing.run()


def payments(billing: Billing) -> list[Payment]:
    """Return the first payment of each customer, in the order of the customers."""
    return list(billing.payments.list())[:3]


def outcome(world: World) -> dict[str, tuple[object, ...]]:
    """Return what must be the same however often it died, read by a process of its own."""
    billing = world.billing(Points(), "last")
    found: dict[str, tuple[object, ...]] = {}
    for invoice in billing.invoices.list():
        disputed = len(invoice.disputed)
        found[invoice.id] = (invoice.status, invoice.paid, disputed, invoice.reopened)
    for payment in billing.payments.list():
        given_back = payment.refunded_minor + payment.disputed_minor
        found[payment.id] = (payment.status, payment.allocations, payment.withheld, given_back)
        # We have of each payment what the gateway says the seller has.
        if payment.status == "succeeded":
            assert payment.amount_minor - given_back == world.gateway.kept_minor(payment.id)
    for dispute in billing.payments.disputes():
        found[dispute.id] = (dispute.status, dispute.amount, dispute.due_at, dispute.version)
    for case in billing.dunning.list():
        found[case.id] = (case.status, case.next_step)
    assert not billing.reports.ledger().differences
    return found


def run_and_check(world: World, points: Points) -> dict[str, tuple[object, ...]]:
    try:
        live(world, world.billing(points, "second"))
    except Crash:
        assert points.crash_at is not None
        live(world, world.billing(Points(), "third"))
    sequences: dict[str, list[int]] = {}
    for event in world.billing(Points(), "last").events.list(limit=1000):
        sequences.setdefault(event.subject, []).append(event.sequence)
    for subject, numbers in sequences.items():
        assert numbers == list(range(1, len(numbers) + 1)), subject
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
    rest = pickle.dumps((made.gateway, made.clock, made.untold, made.days))
    numbers = count()

    def fresh() -> World:
        copy = folder / f"{next(numbers)}.db"
        shutil.copyfile(template, copy)
        return World(SqlStorage(f"sqlite:///{copy}"), *pickle.loads(rest))  # noqa: S301 - ours

    return fresh


@pytest.mark.parametrize("make", [in_memory, on_sqlite])
def test_disputes_killed_at_any_point_end_as_if_nothing_had_happened(
    make: Callable[[Path], Callable[[], World]], tmp_path: Path
) -> None:
    fresh = make(tmp_path)
    counted = Points()
    undisturbed = run_and_check(fresh(), counted)
    assert counted.passed > 40, "a sweep over nothing proves nothing"
    assert any("dispute" in name for name in counted.names)
    statuses = sorted(str(each[0]) for each in undisturbed.values())
    assert {"won", "lost", "paid", "open", "stopped"} <= set(statuses)
    for point in range(counted.passed):
        found = run_and_check(fresh(), Points(crash_at=point))
        assert found == undisturbed, f"point {point}: {counted.names[point]}"
