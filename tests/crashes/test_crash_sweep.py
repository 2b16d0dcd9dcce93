"""A billing run is killed at every commit and at every gateway call, and recovers each time.

Ten customers over three months, on both storages. What is checked is checked against the gateway's
own books and against a run that was not disturbed.
"""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path

import pytest
from attrs import define, field

from subscriptions import (
    Billing,
    Interval,
    MemoryStorage,
    Money,
    OneOff,
    Seller,
    SqlStorage,
    TaxRate,
    TaxRates,
)
from subscriptions.engine.run_reports import RunReport
from subscriptions.events import Recorded
from subscriptions.gateways.fake import FakeGateway
from subscriptions.invoices import Invoice, verify_chain
from subscriptions.payments import Outcome
from subscriptions.storage import Storage
from subscriptions.testing.crashes import Crash, CrashingGateway, CrashingStorage, Points

START = datetime(2027, 1, 1, tzinfo=UTC)
UNTIL = date(2027, 3, 31)
WAITING = ("Set-up", "Training")
LEAVES_AT = datetime(2027, 3, 31, 12, tzinfo=UTC)

# Ten customers: start, token (None: pays by transfer), interval.
CUSTOMERS: tuple[tuple[date, str | None, Interval], ...] = (
    (date(2027, 1, 31), "tok_visa", Interval.months(1)),
    (date(2027, 1, 31), "tok_mastercard", Interval.months(1)),
    (date(2027, 1, 31), "tok_timeout_executed", Interval.months(1)),
    (date(2027, 1, 31), "tok_timeout_not_executed", Interval.months(1)),
    (date(2027, 1, 5), "tok_insufficient_funds_twice", Interval.months(1)),
    (date(2027, 1, 5), "tok_lost_card", Interval.months(1)),
    (date(2027, 2, 1), "tok_insufficient_funds", Interval.months(1)),
    (date(2027, 2, 1), "tok_sepa_debit", Interval.months(1)),
    (date(2027, 2, 1), None, Interval.months(1)),
    (date(2027, 3, 1), "tok_visa", Interval.weeks(2)),
)


@define
class Ids:
    """Counts; a later process begins elsewhere, as random ids would."""

    process: str
    count: int = 0

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.process}_{self.count:04}"

    def secret(self) -> str:
        self.count += 1
        return f"secret-{self.process}-{self.count:06}"


@define
class Inbox:
    """A subscriber with a memory that outlives the process."""

    events: list[Recorded] = field(factory=list[Recorded])

    def __call__(self, event: Recorded) -> None:
        self.events.append(event)


def billing_on(
    storage: Storage, gateway: FakeGateway, points: Points, inbox: Inbox, *, process: str
) -> Billing:
    billing = Billing(
        storage=CrashingStorage(storage, points),
        gateways={"card": CrashingGateway(gateway, points)},
        seller=Seller(name="Seller", zone="Europe/Berlin"),
        taxes=TaxRates({"DE": TaxRate("19")}),
        clock=lambda: START,
        ids=Ids(process),
    )
    billing.events.subscribe(inbox, name="inbox")
    return billing


def set_up(storage: Storage, gateway: FakeGateway, inbox: Inbox) -> None:
    billing = billing_on(storage, gateway, Points(), inbox, process="first")
    prices = {
        every: billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=every)
        for every in {every for _, _, every in CUSTOMERS}
    }
    for start, token, every in CUSTOMERS:
        customer = billing.customers.create(name="Ada Lovelace", country="DE")
        if token is not None:
            billing.payment_methods.attach(customer.id, token=token)
        billing.subscriptions.create(customer.id, [prices[every].id], start=start)
    # Two things wait for the first customer's next invoice.
    first = billing.customers.list()[0]
    for description in WAITING:
        billing.invoices.add_pending_item(first.id, OneOff(description, Money.of("5.00", "EUR")))
    # The first answer about the refund at the end gets lost.
    gateway.time_out_refund_next(executed=True)


def bill(billing: Billing) -> RunReport:
    """Run; then one customer leaves, and is given back what he paid and did not use."""
    billing.run(until=UNTIL)
    leaving = billing.subscriptions.list()[1]
    billing.subscriptions.cancel(
        leaving.id, when="now", settlement="refund", at=LEAVES_AT, idempotency_key="leaves"
    )
    return billing.run(until=UNTIL)


@define
class World:
    """What is there before the run: customers with subscriptions, and a gateway that knows them."""

    storage: Storage
    gateway: FakeGateway = field(factory=FakeGateway)
    inbox: Inbox = field(factory=Inbox)


@define
class Outcomes:
    """What a run left behind."""

    invoices: dict[str, Invoice]
    charges: Counter[str]


def run_and_check(world: World, points: Points) -> Outcomes:
    """Run; die where it is told to; start again; check what must hold; return what came out."""
    storage, gateway, inbox = world.storage, world.gateway, world.inbox
    try:
        bill(billing_on(storage, gateway, points, inbox, process="second"))
    except Crash:
        assert points.crash_at is not None
    billing = billing_on(storage, gateway, Points(), inbox, process="third")
    assert not bill(billing).parked
    invoices: dict[str, Invoice] = {
        invoice.id: invoice for invoice in billing.invoices.list(limit=1000)
    }

    # No number is missing, none is given twice, the order is that of finalisation.
    final = sorted(invoices.values(), key=lambda invoice: invoice.number or "")
    assert [i.number for i in final] == [f"INV-2027-{n:05}" for n in range(1, len(final) + 1)]
    assert list(verify_chain(final)) == []
    times = [i.finalized_at for i in final if i.finalized_at is not None]
    assert times == sorted(times)

    # The gateway took for each invoice what the invoice says, and never twice.
    for invoice in final:
        taken = gateway.succeeded_minor(invoice.id)
        assert taken == invoice.paid_minor <= max(0, invoice.total_minor)
    succeeded = [each for each in gateway.charges if each.outcome is Outcome.SUCCEEDED]
    assert max(Counter(each.invoice for each in succeeded).values()) == 1

    # What was not used is given back once, and nothing of it stays on the balance.
    (given_back,) = gateway.refunds
    (refund,) = billing.payments.refunds()
    assert (given_back.outcome.value, refund.status) == ("succeeded", "succeeded")
    assert given_back.amount == refund.amount
    assert refund.amount == -min(final, key=lambda invoice: invoice.total_minor).total
    assert all(not customer.balance for customer in billing.customers.list(limit=1000))

    # What waited was invoiced once.
    described = [line.description for invoice in final for line in invoice.lines]
    assert [described.count(each) for each in WAITING] == [1, 1]
    assert [item.status for item in billing.invoices.pending_items()] == ["invoiced"] * 2
    assert all(not customer.pending_items for customer in billing.customers.list(limit=1000))

    # Every event is there, numbered without a gap, and reached the subscriber.
    events = list(billing.events.list(limit=1000))
    sequences: dict[str, list[int]] = {}
    for event in events:
        sequences.setdefault(event.subject, []).append(event.sequence)
    for subject, sequence in sequences.items():
        assert sequence == list(range(1, len(sequence) + 1)), subject
    assert {event.id for event in inbox.events} == {event.id for event in events}
    assert {event.subject for event in events if event.kind == "invoice"} == set(invoices)
    return Outcomes(invoices, Counter(each.invoice for each in gateway.charges))


def documents(outcomes: Outcomes) -> dict[str, tuple[object, ...]]:
    """Return what two runs must have in common, document by document."""
    return {
        id: (i.lines, i.taxes, i.total_minor, i.paid_minor, i.status, i.issued_on)
        for id, i in outcomes.invoices.items()
    }


def in_memory(_: Path) -> Callable[[], World]:
    def fresh() -> World:
        world = World(MemoryStorage())
        set_up(world.storage, world.gateway, world.inbox)
        return world

    return fresh


def on_sqlite(folder: Path) -> Callable[[], World]:
    """Set up one database and copy it for each run: a copy is quicker than a set-up."""
    template = folder / "template.db"
    storage = SqlStorage(f"sqlite:///{template}")
    world = World(storage)
    set_up(storage, world.gateway, world.inbox)
    storage.close()
    rest = pickle.dumps((world.gateway, world.inbox))
    numbers = count()

    def fresh() -> World:
        copy = folder / f"{next(numbers)}.db"
        shutil.copyfile(template, copy)
        return World(SqlStorage(f"sqlite:///{copy}"), *pickle.loads(rest))  # noqa: S301 - ours

    return fresh


@pytest.mark.parametrize("make", [in_memory, on_sqlite])
def test_a_run_killed_at_any_point_ends_as_if_nothing_had_happened(
    make: Callable[[Path], Callable[[], World]], tmp_path: Path
) -> None:
    fresh = make(tmp_path)
    counted = Points()
    undisturbed = run_and_check(fresh(), counted)
    assert counted.passed > 100, "a sweep over nothing proves nothing"
    assert {name.split()[0] for name in counted.names} == {"before", "after"}
    for point in range(counted.passed):
        outcomes = run_and_check(fresh(), Points(crash_at=point))
        where = f"point {point}: {counted.names[point]}"
        assert documents(outcomes) == documents(undisturbed), where
        assert outcomes.charges == undisturbed.charges, where
