"""A billing run that grants pay for is killed at every commit and at every gateway call.

What a grant paid, what expired and what rolled over is the same as in a run that was not disturbed:
nothing is spent twice, and nothing is lost.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime

from attrs import define, field

from subscriptions import Interval, MemoryStorage, Money
from subscriptions.gateways.fake import FakeGateway
from subscriptions.grants import Category, Rollover, sums_of
from subscriptions.storage import Storage
from subscriptions.testing.crashes import Crash, Points
from tests.crashes.test_crash_sweep import Inbox, billing_on

UNTIL = date(2027, 4, 1)


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@define
class World:
    """Two customers with grants, three subscriptions, and a gateway that knows them."""

    storage: Storage = field(factory=MemoryStorage)
    gateway: FakeGateway = field(factory=FakeGateway)
    inbox: Inbox = field(factory=Inbox)

    def __attrs_post_init__(self) -> None:
        billing = billing_on(self.storage, self.gateway, Points(), self.inbox, process="first")
        price = billing.catalog.add_price("Pro", eur("29.00"), every=Interval.months(1))
        ada, bob = (billing.customers.create(name=name, country="DE") for name in ("Ada", "Bob"))
        billing.payment_methods.attach(ada.id, token="tok_visa")
        for customer in (ada, ada, bob):
            billing.subscriptions.create(customer.id, [price.id], start=date(2027, 1, 5))
        billing.balance.grant(
            ada.id,
            eur("100.00"),
            expires=instant(date(2027, 2, 4)),
            rollover=Rollover(percent=50, days=30),
        )
        billing.balance.grant(
            ada.id, eur("10.00"), effective=instant(date(2027, 3, 1)), category=Category.PAID
        )
        billing.balance.grant(bob.id, eur("5.00"), priority=1)


def outcome(world: World, points: Points) -> tuple[object, ...]:
    """Run; die where it is told to; start again; void one invoice; return what came out."""
    try:
        billing = billing_on(world.storage, world.gateway, points, world.inbox, process="second")
        billing.run(until=UNTIL)
    except Crash:
        assert points.crash_at is not None
    billing = billing_on(world.storage, world.gateway, Points(), world.inbox, process="third")
    assert not billing.run(until=UNTIL).parked
    invoices = list(billing.invoices.list(limit=1000))
    entries = list(billing.balance.grant_entries(limit=1000))
    paid = Counter[str]()
    for entry in entries:
        if entry.cause == "applied":
            paid[str(entry.invoice)] -= entry.amount_minor
    for invoice in invoices:
        assert paid[invoice.id] == invoice.granted_minor
        assert world.gateway.succeeded_minor(invoice.id) == invoice.paid_minor
    grants = [g for c in billing.customers.list() for g in billing.balance.grants(c.id)]
    assert sums_of(entries).left_minor == sum(grant.left_minor for grant in grants)
    held = {g.id for c in billing.customers.list() for g in c.grants}
    assert held == {grant.id for grant in grants if grant.live}
    told = [(e.id, e.cause, e.amount_minor, e.left_minor, e.invoice, e.into) for e in entries]
    return sorted(told), sorted((i.id, i.granted_minor, i.paid_minor) for i in invoices)


def test_a_run_with_grants_killed_at_any_point_ends_as_if_nothing_had_happened() -> None:
    counted = Points()
    undisturbed = outcome(World(), counted)
    assert counted.passed > 20, "a sweep over nothing proves nothing"
    for point in range(counted.passed):
        there = outcome(World(), Points(crash_at=point))
        assert there == undisturbed, f"point {point}: {counted.names[point]}"
