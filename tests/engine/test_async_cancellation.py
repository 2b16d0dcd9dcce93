"""A task that is cancelled, such as a request that timed out, stops nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from attrs import define, field

from subscriptions import AsyncBilling, DomainError, MemoryStorage, OneOff, SqlStorage
from subscriptions.customers import Customer
from subscriptions.gateways.fake import FakeGateway
from subscriptions.invoices import Invoice
from subscriptions.payments import Payment
from subscriptions.storage import Storage
from subscriptions.testing import TestClock
from tests.engine.worker import START
from tests.scenarios.shop import MONTHLY, eur

PATIENCE_SECONDS = 30
TURNS = 40


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "memory":
        yield MemoryStorage()
        return
    storage = SqlStorage(f"sqlite:///{tmp_path / 'billing.db'}", lock_timeout_seconds=2)
    yield storage
    storage.close()


def _within_patience(work: Coroutine[object, object, None]) -> None:
    async def run() -> None:
        await asyncio.wait_for(work, PATIENCE_SECONDS)

    asyncio.run(run())


async def _sign_up(billing: AsyncBilling, name: str) -> Customer:
    return await billing.customers.create(name=name)


async def _cancelled_after(task: asyncio.Task[Customer], turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_a_command_cancelled_at_any_turn_of_the_loop_stops_nobody(storage: Storage) -> None:
    async def story() -> None:
        billing = AsyncBilling(storage=storage, clock=TestClock(START))
        for turns in range(TURNS):
            task = asyncio.create_task(_sign_up(billing, "cancelled"))
            await _cancelled_after(task, turns)
            await billing.customers.create(name="after")
        after = await billing.customers.list(limit=1000)
        numbers = [customer.number async for customer in after]
        assert numbers == [f"{n:06}" for n in range(1, len(numbers) + 1)]
        assert len(numbers) >= TURNS

    _within_patience(story())


def test_a_command_cancelled_before_its_first_turn_stops_nobody(storage: Storage) -> None:
    async def story() -> None:
        billing = AsyncBilling(storage=storage, clock=TestClock(START))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await billing.customers.create(name="slow")
        made = await billing.customers.create(name="next")
        assert made.number is not None

    _within_patience(story())


def test_a_transaction_that_is_cancelled_leaves_nothing_and_stops_nobody(storage: Storage) -> None:
    async def story() -> None:
        billing = AsyncBilling(storage=storage, clock=TestClock(START))
        reached = asyncio.Event()

        async def sign_up() -> Customer:
            async with billing.transaction():
                made = await billing.customers.create(name="cancelled")
                reached.set()
                await asyncio.Event().wait()
                return made

        task = asyncio.create_task(sign_up())
        await reached.wait()
        await _cancelled_after(task, 0)
        await billing.customers.create(name="after")
        assert [each.name async for each in await billing.customers.list()] == ["after"]

    _within_patience(story())


def test_a_command_that_waits_for_its_turn_may_be_cancelled(storage: Storage) -> None:
    async def story() -> None:
        billing = AsyncBilling(storage=storage, clock=TestClock(START))
        tasks = [asyncio.create_task(_sign_up(billing, str(n))) for n in range(9)]
        await asyncio.sleep(0)
        for task in tasks[1::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        names = [each.name for each in done if isinstance(each, Customer)]
        assert {"0", "2", "4", "6", "8"} <= {*names}
        assert {*names} == {each.name async for each in await billing.customers.list()}

    _within_patience(story())


@define
class Crowd:
    """Many tasks of one host, of which about half are cancelled in the middle of things."""

    billing: AsyncBilling
    random: Random
    prices: list[str] = field(factory=list[str])
    customers: list[str] = field(factory=list[str])

    async def arrive(self) -> None:
        price = await self.billing.catalog.add_price("Pro", eur("29.00"), every=MONTHLY)
        self.prices.append(price.id)
        tokens = ("tok_visa", "tok_timeout_executed", "tok_insufficient_funds_twice")
        for token in tokens:
            customer = await self.billing.customers.create(name="Ada")
            await self.billing.payment_methods.attach(customer.id, token)
            self.customers.append(customer.id)

    async def one_off(self) -> None:
        lines = [OneOff("Work", eur("5.00"))]
        await self.billing.invoices.create_one_off(self.random.choice(self.customers), lines)

    async def subscribe(self) -> None:
        await self.billing.subscriptions.create(self.random.choice(self.customers), self.prices)

    async def transfer(self) -> None:
        await self.billing.payments.record(self.random.choice(self.customers), eur("3.00"))

    async def sign_up_once(self) -> None:
        key = f"key-{self.random.randrange(9)}"
        await self.billing.customers.create(name="keyed", idempotency_key=key)

    async def transact(self) -> None:
        async with self.billing.transaction():
            await self.one_off()
            await asyncio.sleep(0)
            await self.billing.customers.create(name="in a transaction")

    async def run(self) -> None:
        await self.billing.run()

    async def rush(self) -> None:
        """Begin four things and cancel some of them after a few turns of the loop."""
        kinds: list[Callable[[], Awaitable[None]]] = [
            self.one_off,
            self.subscribe,
            self.transfer,
            self.sign_up_once,
            self.transact,
            self.run,
        ]
        tasks = [asyncio.ensure_future(self.random.choice(kinds)()) for _ in range(4)]
        for _ in range(self.random.choice([0, 1, 5, 25, 100])):
            await asyncio.sleep(0)
        for task in tasks:
            if self.random.random() < 0.5:
                task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            expected = result is None or isinstance(result, asyncio.CancelledError | DomainError)
            assert expected, repr(result)


@pytest.mark.parametrize("seed", range(4))
def test_many_tasks_cancelled_at_random_leave_the_books_in_order(
    storage: Storage, seed: int
) -> None:
    clock = TestClock(START)
    gateway = FakeGateway(clock=clock)

    async def story() -> None:
        billing = AsyncBilling(storage=storage, gateways={"card": gateway}, clock=clock)
        crowd = Crowd(billing, Random(seed))
        await crowd.arrive()
        for _ in range(25):
            await crowd.rush()
        for _ in range(20):
            clock.now += timedelta(hours=12)
            await billing.run()
        invoices: list[Invoice] = [each async for each in await billing.invoices.list(limit=1000)]
        payments: list[Payment] = [each async for each in await billing.payments.list(limit=1000)]
        for invoice in invoices:
            assert gateway.succeeded_minor(invoice.id) <= invoice.total_minor
            assert invoice.paid_minor <= invoice.total_minor
        known = {payment.id for payment in payments}
        assert {charge.attempt for charge in gateway.charges} <= known
        assert [payment.id for payment in payments if payment.live or payment.parked] == []
        assert await billing.reports.numbers() == ()
        names = [each.name async for each in await billing.customers.list(limit=1000)]
        assert names.count("keyed") <= 9

    _within_patience(story())
