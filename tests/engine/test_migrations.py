"""A migration is planned in batches: none is lost in a crash, none is planned twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from attrs import define, field

from subscriptions import AsyncBilling, Billing, MemoryStorage, SqlStorage
from subscriptions.billing_cycles import BillingCycle, Interval
from subscriptions.catalog import PRICE, PRODUCT
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, created
from subscriptions.engine import migrating
from subscriptions.errors import Conflict, InvalidTransition
from subscriptions.events import Recorded
from subscriptions.ids import CustomerId, PriceId
from subscriptions.lifecycle import SUBSCRIPTION, Active, Item
from subscriptions.money import EUR, Money
from subscriptions.pricing import PerUnit
from subscriptions.records import Kind, Record
from subscriptions.storage import Found, Query, Storage
from subscriptions.testing import TestClock, builders
from subscriptions.testing.crashes import Crash, CrashingStorage, Points
from subscriptions.usecases.migration_report import MigrationReport

R = TypeVar("R", bound=Record)
START, MARCH, MAY = date(2027, 1, 1), date(2027, 3, 1), date(2027, 5, 1)
OLD, NEW, OTHER = "price_old", "price_new", "price_other"


def fill(storage: Storage, count: int) -> None:
    """Store prices of 10.00, 12.00 and 1.00 EUR, and subscriptions: every fifth has another."""
    changes: list[Change] = [created(PRODUCT, builders.a_product())]
    for id, amount in ((OLD, "10.00"), (NEW, "12.00"), (OTHER, "1.00")):
        changes.append(created(PRICE, builders.a_price(id, model=PerUnit(amount))))
    for place in range(count):
        customer = CustomerId(f"cus_{place}")
        changes.append(created(CUSTOMER, builders.a_customer(customer, zone="UTC")))
        cycle = BillingCycle(date(2027, 2, 1 + place % 28), Interval.months(1))
        price = PriceId(OTHER if place % 5 == 4 else OLD)
        sub = builders.a_subscription(
            f"sub_{place}",
            customer=customer,
            zone="UTC",
            items=(Item(price, 1 + place % 3, cycle, cycle.start(2)),),
            contract=Active(START),
        )
        changes.append(created(SUBSCRIPTION, sub))
    with storage.begin() as unit:
        unit.write(changes, [])


def open_billing(storage: Any) -> Billing:  # noqa: ANN401 - a storage, or what stands for one
    clock = TestClock(MARCH)
    return Billing(storage=storage, clock=clock, tenant=builders.TENANT)


def migrate(billing: Billing, *, preview: bool = False) -> MigrationReport:
    return billing.catalog.migrate(OLD, NEW, on=MAY, preview=preview)


def plans(billing: Billing) -> Counter[int]:
    """Return how many subscriptions have how many plans."""
    return Counter(len(sub.schedule) for sub in billing.subscriptions.list(limit=1000))


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "memory":
        yield MemoryStorage()
        return
    sql = SqlStorage(f"sqlite:///{tmp_path / 'billing.db'}")
    yield sql
    sql.close()


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "BATCH", 10)


# ---- a crash -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_batches")
def test_after_a_crash_at_any_commit_the_same_call_completes_it() -> None:
    points = Points()
    storage = MemoryStorage()
    fill(storage, 45)
    whole = migrate(open_billing(CrashingStorage(storage, points)))
    expected = plans(open_billing(storage))
    assert expected == {1: 36, 0: 9}
    assert points.passed >= 2 * (5 + 2), "five batches, a beginning and an end"
    for point in range(points.passed):
        storage = MemoryStorage()
        fill(storage, 45)
        with pytest.raises(Crash):
            migrate(open_billing(CrashingStorage(storage, Points(point))))
        billing = open_billing(storage)
        again = migrate(billing)
        assert plans(billing) == expected, points.names[point]
        stored = billing.catalog.get_migration(again.migration)
        assert (stored.status, stored.planned) == ("planned", 36)
        assert again.year_difference == whole.year_difference
        assert [row.subscription for row in again.rows] == [row.subscription for row in whole.rows]


@pytest.mark.usefixtures("small_batches")
def test_after_a_crash_an_undo_goes_on_where_it_was() -> None:
    points = Points()
    storage = MemoryStorage()
    fill(storage, 45)
    id = migrate(open_billing(storage)).migration
    open_billing(CrashingStorage(storage, points)).catalog.undo_migration(id)
    for point in range(points.passed):
        storage = MemoryStorage()
        fill(storage, 45)
        migrate(open_billing(storage))
        crashing = open_billing(CrashingStorage(storage, Points(point)))
        with pytest.raises(Crash):
            crashing.catalog.undo_migration(id)
        billing = open_billing(storage)
        if billing.catalog.get_migration(id).status != "undone":
            if billing.catalog.get_migration(id).status == "undoing":
                with pytest.raises(InvalidTransition):
                    migrate(billing)
            billing.catalog.undo_migration(id)
        undone = billing.catalog.get_migration(id)
        assert (undone.status, undone.withdrawn, undone.left) == ("undone", 36, 0)
        assert plans(billing) == {0: 45}


# ---- many ----------------------------------------------------------------------------------------


@define
class Counting:
    """A storage that counts what it is asked, and remembers the largest page."""

    storage: Any
    asked: list[str] = field(factory=list[str])
    pages: list[int] = field(factory=list[int])

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Any:  # noqa: ANN401
        self.asked.append(f"load {kind.name}")
        return self.storage.load(tenant, kind, ids)

    def find(self, query: Query[R], /) -> Found[R]:
        self.asked.append(f"find {query.kind.name}")
        found: Found[R] = self.storage.find(query)
        self.pages.append(len(found.items))
        return found

    def begin(self) -> Any:  # noqa: ANN401
        self.asked.append("begin")
        return Counting(self.storage.begin(), self.asked, self.pages)

    def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
        self.asked.append("write")
        self.storage.write(changes, events)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self.storage, name)


def test_three_thousand_are_planned_with_a_few_questions_for_each_thousand(
    storage: Storage,
) -> None:
    fill(storage, 3000)
    counting = Counting(storage)
    billing = open_billing(counting)
    preview = migrate(billing, preview=True)
    asked = Counter(counting.asked)
    assert (asked["begin"], asked["write"]) == (0, 0), "a preview writes nothing"
    assert asked["find subscription"] == 3
    assert max(counting.pages) <= 1000
    counting.asked.clear()
    report = migrate(billing)
    assert len(counting.asked) <= 10 * (3 + 2)
    assert (report.planned, report.rows) == (2400, preview.rows)
    # 800 each have one, two and three of them, at 2.00 EUR a month more.
    assert report.year_difference == Money(200 * 12 * 800 * (1 + 2 + 3), EUR)
    assert plans(open_billing(storage)) == {1: 2400, 0: 600}
    counting.asked.clear()
    undone = billing.catalog.undo_migration(report.migration)
    assert len(counting.asked) <= 10 * (3 + 2)
    assert (undone.withdrawn, undone.left) == (2400, 0)


@pytest.mark.usefixtures("small_batches")
def test_some_customers_are_asked_for_and_not_all_read(storage: Storage) -> None:
    fill(storage, 45)
    counting = Counting(storage)
    billing = open_billing(counting)
    wanted = [f"cus_{place}" for place in range(25)]
    report = billing.catalog.migrate(OLD, NEW, on=MAY, customers=iter(wanted))
    assert [row.customer for row in report.rows] == [
        f"cus_{place}" for place in range(25) if place % 5 != 4
    ]
    assert sum(counting.pages) <= 25 + 1, "no subscription of another customer is read"


def test_what_a_migration_reaches_is_run_and_billed_once(storage: Storage) -> None:
    fill(storage, 20)
    billing = open_billing(storage)
    for place in range(20):
        billing.payment_methods.attach(f"cus_{place}", "tok_visa")
    migrate(billing)
    billing.run(until=date(2027, 6, 30))
    changed = list(billing.events.list(type="subscription.changed", limit=1000))
    assert len({event.subject for event in changed}) == len(changed) == 16
    for sub in billing.subscriptions.list(limit=1000):
        assert sub.schedule == ()
        wanted = OTHER if int(sub.id.removeprefix("sub_")) % 5 == 4 else NEW
        assert [item.price for item in sub.items] == [wanted]
    # March and April at the old price, May and June at the new one.
    for invoice in billing.invoices.list(limit=1000):
        (line,) = invoice.lines
        assert line.period is not None
        late = line.period.start >= MAY
        assert line.price in ((NEW, OTHER) if late else (OLD, OTHER))


# ---- at the same time ----------------------------------------------------------------------------


@define
class Contended:
    """A storage on which somebody else is faster, so many times."""

    storage: Any
    conflicts: int

    def begin(self) -> Any:  # noqa: ANN401
        unit = Contended(self.storage.begin(), 0)
        if self.conflicts:
            self.conflicts -= 1
            unit.conflicts = 1
        return unit

    def commit(self) -> None:
        if self.conflicts:
            raise Conflict("migration", "mig", 1)
        self.storage.commit()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self.storage, name)


def test_a_batch_that_somebody_overtook_is_planned_anew() -> None:
    storage = MemoryStorage()
    fill(storage, 5)
    contended = Contended(storage, migrating.TRIES - 1)
    report = migrate(open_billing(contended))
    assert (report.planned, contended.conflicts) == (4, 0)
    other = Contended(storage, migrating.TRIES)
    with pytest.raises(Conflict):
        open_billing(other).catalog.undo_migration(report.migration)


def test_an_asynchronous_host_does_the_same() -> None:
    storage = MemoryStorage()
    fill(storage, 5)
    billing = AsyncBilling(storage=storage, clock=TestClock(MARCH), tenant=builders.TENANT)

    async def work() -> None:
        at = datetime(2027, 3, 1, 12, tzinfo=UTC)
        preview = await billing.catalog.migrate(OLD, NEW, on=MAY, preview=True, at=at)
        report = await billing.catalog.migrate(OLD, NEW, on=MAY, at=at)
        assert (report.rows, report.planned) == (preview.rows, 4)
        listed = [each async for each in await billing.catalog.migrations()]
        assert [each.planned for each in listed] == [4]
        undone = await billing.catalog.undo_migration(report.migration, at=at)
        assert undone == await billing.catalog.get_migration(report.migration)

    asyncio.run(work())
    assert plans(open_billing(storage)) == {0: 5}


@define
class Meanwhile:
    """A storage on which somebody else does something before the next unit of work begins."""

    storage: Any
    act: Callable[[], object] | None = None

    def begin(self) -> Any:  # noqa: ANN401
        act, self.act = self.act, None
        if act is not None:
            act()
        return self.storage.begin()

    def find(self, query: Query[R], /) -> Found[R]:
        found: Found[R] = self.storage.find(query)
        if query.kind is SUBSCRIPTION and self.act is None:
            self.act = self._leave
        return found

    def _leave(self) -> None:
        billing = open_billing(self.storage)
        schedule = billing.subscriptions.get("sub_0").schedule
        if schedule:
            billing.subscriptions.unschedule("sub_0", cause=schedule[0].cause)
        else:
            billing.subscriptions.cancel("sub_0", when="now")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self.storage, name)


def test_who_left_since_his_page_was_read_is_left_out() -> None:
    storage = MemoryStorage()
    fill(storage, 3)
    report = migrate(open_billing(Meanwhile(storage)))
    assert [row.subscription for row in report.rows] == ["sub_1", "sub_2"]
    assert open_billing(storage).subscriptions.get("sub_0").status == "canceled"


@pytest.mark.parametrize("count", [1, 3])
def test_what_was_withdrawn_since_its_page_was_read_is_not_withdrawn_twice(count: int) -> None:
    storage = MemoryStorage()
    fill(storage, count)
    id = migrate(open_billing(storage)).migration
    undone = open_billing(Meanwhile(storage)).catalog.undo_migration(id)
    assert (undone.withdrawn, undone.left) == (count - 1, 1)
