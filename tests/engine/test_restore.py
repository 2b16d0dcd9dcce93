"""A backup is restored while the gateway went on: nobody is charged twice, whenever that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from attrs import define, field

from subscriptions import Billing, Interval, Seller
from subscriptions.gateways.fake import FakeGateway
from subscriptions.ids import InvoiceId
from subscriptions.invoices import Invoice
from subscriptions.payments import Outcome
from subscriptions.storage import Storage
from subscriptions.testing import TestClock, Timeline, counting_ids
from subscriptions.testing.crashes import Crash, CrashingGateway, CrashingStorage, Points
from tests.engine.backups import Disk, disk
from tests.scenarios.shop import Shop, audit, eur

__all__ = ["disk"]

START = datetime(2027, 1, 1, 9, tzinfo=UTC)
BACKUP_AT = datetime(2027, 1, 30, 12, tzinfo=UTC)
# Two days, each with charges: renewals of the 31st and of the 1st, and what is tried again.
LOST_UNTIL = datetime(2027, 2, 1, 12, tzinfo=UTC)

CUSTOMERS = (
    ("tok_visa", date(2027, 1, 1)),
    ("tok_mastercard", date(2026, 12, 31)),
    ("tok_insufficient_funds_twice", date(2027, 1, 29)),
    ("tok_insufficient_funds", date(2027, 1, 1)),
    ("tok_sepa_debit", date(2026, 12, 31)),
    ("tok_timeout_executed", date(2027, 1, 1)),
    ("tok_timeout_not_executed", date(2026, 12, 31)),
    ("tok_lost_card", date(2027, 1, 1)),
    (None, date(2027, 1, 1)),
)


@define
class World:
    """A gateway that goes on, a clock, and billing on one storage after the other."""

    list_lag: timedelta = timedelta(0)
    clock: TestClock = field(factory=lambda: TestClock(START))
    gateway: FakeGateway = field(init=False)
    processes: int = 0

    def __attrs_post_init__(self) -> None:
        self.gateway = FakeGateway(clock=self.clock, list_lag=self.list_lag)

    def open(self, storage: Storage, points: Points | None = None) -> Shop:
        self.processes += 1
        passing = points or Points()
        billing = Billing(
            storage=CrashingStorage(storage, passing),
            gateways={"card": CrashingGateway(self.gateway, passing)},
            seller=Seller("Acme GmbH"),
            clock=self.clock,
            ids=counting_ids(f"process{self.processes}"),
        )
        return Shop(storage, self.gateway, self.clock, billing, Timeline(billing, self.clock.now))

    def work(self, shop: Shop, until: datetime, every: timedelta = timedelta(hours=6)) -> None:
        while self.clock.now < until:
            self.clock.now = min(until, self.clock.now + every)
            shop.billing.run()


def _lose_two_days(
    world: World, disk: Disk
) -> tuple[Callable[[], Storage], dict[InvoiceId, Invoice]]:
    """Bill until the backup, and on; returns the backup and the invoices that will be lost."""
    storage = disk.fresh()
    shop = world.open(storage)
    pro = shop.price(every=Interval.months(1))
    for token, start in CUSTOMERS:
        shop.subscribe(shop.customer(token), pro, start=start)
    world.work(shop, BACKUP_AT)
    restore = disk.backup(storage)
    before = len(world.gateway.charges)
    world.work(shop, LOST_UNTIL)
    assert len(world.gateway.charges) > before + 4, "nothing is lost that matters"
    return restore, {invoice.id: invoice for invoice in shop.invoices()}


def _check(world: World, shop: Shop, lost: dict[InvoiceId, Invoice]) -> None:
    succeeded = [each for each in world.gateway.charges if each.outcome is Outcome.SUCCEEDED]
    assert max(Counter(each.invoice for each in succeeded).values()) == 1
    assert max(Counter(each.attempt for each in world.gateway.charges).values()) == 1
    now = {invoice.id: invoice for invoice in shop.invoices()}
    for id, invoice in lost.items():
        again = now[id]
        assert (again.number, again.lines, again.total) == (
            invoice.number,
            invoice.lines,
            invoice.total,
        )
        assert world.gateway.succeeded_minor(id) == again.paid_minor
    assert world.gateway.alerts == ()
    assert audit(shop) == []


RESTORED_AT = {
    "an hour later": LOST_UNTIL + timedelta(hours=1),
    "in the replay window": datetime(2027, 2, 1, 22, tzinfo=UTC),
    "at the end of the replay window": datetime(2027, 2, 1, 23, 59, tzinfo=UTC),
    "after the replay window": LOST_UNTIL + timedelta(days=2),
    "three days later": LOST_UNTIL + timedelta(days=3),
}


@pytest.mark.parametrize("lag", [timedelta(0), timedelta(minutes=1)])
@pytest.mark.parametrize("when", RESTORED_AT)
@pytest.mark.parametrize("swept", ["", "swept"])
def test_a_restored_backup_charges_nobody_twice(
    disk: Disk, when: str, swept: str, lag: timedelta
) -> None:
    world = World(lag)
    restore, lost = _lose_two_days(world, disk)
    world.clock.now = RESTORED_AT[when]
    before = len(world.gateway.charges)
    shop = world.open(restore())
    if swept:
        shop.billing.sweep(since=BACKUP_AT - timedelta(days=1))
    shop.billing.run()
    if when == "an hour later":
        assert len(world.gateway.charges) == before, "all of it was charged before"
    world.clock.now += timedelta(hours=1)
    shop.billing.sweep(since=BACKUP_AT - timedelta(days=1))
    assert list(shop.billing.payments.review()) == []
    world.work(shop, world.clock.now + timedelta(days=8), timedelta(days=1))
    _check(world, shop, lost)


@pytest.mark.parametrize("when", ["in the replay window", "three days later"])
def test_a_restored_backup_has_every_charge_that_the_gateway_has(disk: Disk, when: str) -> None:
    world = World()
    restore, _ = _lose_two_days(world, disk)
    world.clock.now = RESTORED_AT[when]
    shop = world.open(restore())
    shop.billing.sweep(since=BACKUP_AT - timedelta(days=1))
    shop.billing.run()
    shop.billing.sweep(since=BACKUP_AT - timedelta(days=1))
    status = {Outcome.DECLINED_SOFT: "declined", Outcome.DECLINED_HARD: "declined"}
    books = {payment.id: payment.status for payment in shop.payments()}
    for charge in world.gateway.charges:
        assert books[charge.attempt] == status.get(charge.outcome, charge.outcome.value)


def test_what_was_sold_after_the_backup_is_found_and_listed(disk: Disk) -> None:
    world = World()
    storage = disk.fresh()
    shop = world.open(storage)
    ada = shop.customer()
    restore = disk.backup(storage)
    shop.subscribe(ada)
    world.clock.now += timedelta(days=2)
    shop = world.open(restore())
    report = shop.billing.sweep()
    shop.billing.run()
    assert (report.listed, report.orphans) == (1, 1)
    (item,) = shop.billing.payments.review()
    assert (item.matter, item.amount) == ("orphan_charge", eur("29.00"))
    assert world.gateway.charges[0].invoice in item.facts


@pytest.mark.parametrize("when", ["in the replay window", "three days later"])
def test_a_restore_that_dies_anywhere_is_done_again(disk: Disk, when: str) -> None:
    def restored(world: World, storage: Storage, points: Points) -> Shop:
        shop = world.open(storage, points)
        shop.billing.sweep(since=BACKUP_AT - timedelta(days=1))
        shop.billing.run()
        return shop

    def once(points: Points) -> None:
        world = World()
        restore, lost = _lose_two_days(world, disk.beside())
        world.clock.now = RESTORED_AT[when]
        storage = restore()
        try:
            restored(world, storage, points)
        except Crash:
            assert points.crash_at is not None
        _check(world, restored(world, storage, Points()), lost)

    counted = Points()
    once(counted)
    assert counted.passed > 20
    # Files take their time, and it is the same engine: some of the points will do.
    for point in range(0, counted.passed, 1 if disk.folder is None else 5):
        once(Points(crash_at=point))
