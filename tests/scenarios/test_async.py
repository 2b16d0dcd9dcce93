"""`AsyncBilling` does what `Billing` does, document for document."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

import pytest

from subscriptions import (
    Address,
    AsyncBilling,
    Billing,
    DunningPolicy,
    Interval,
    MarkUnpaid,
    MemoryStorage,
    Money,
    NotFound,
    OneOff,
    Retries,
    Seller,
    TaxRate,
    TaxRates,
)
from subscriptions.events import Recorded
from subscriptions.gateways.fake import FakeGateway
from subscriptions.storage import Storage
from subscriptions.testing import TestClock, counting_ids
from tests.scenarios.shop import eur

START = datetime(2027, 1, 1, tzinfo=UTC)
UNTIL = date(2027, 5, 31)
SELLER = Seller("Acme GmbH", zone="Europe/Berlin")
TAXES = TaxRates({"DE": TaxRate("19")})
TOKENS = (
    "tok_visa",
    "tok_insufficient_funds_twice",
    "tok_lost_card",
    "tok_sepa_debit",
    "tok_timeout_executed",
    "tok_requires_action",
)


def _billing(storage: Storage, gateway: FakeGateway) -> Billing:
    return Billing(
        storage=storage,
        gateways={"card": gateway},
        seller=SELLER,
        taxes=TAXES,
        clock=TestClock(START),
        ids=counting_ids(),
        webhook_secrets={"card": [gateway.webhook_secret]},
    )


def _async_billing(storage: Storage, gateway: FakeGateway) -> AsyncBilling:
    return AsyncBilling(
        storage=storage,
        gateways={"card": gateway},
        seller=SELLER,
        taxes=TAXES,
        clock=TestClock(START),
        ids=counting_ids(),
        webhook_secrets={"card": [gateway.webhook_secret]},
    )


def _story(billing: Billing, gateway: FakeGateway) -> None:
    """Every noun once, every kind of answer of a gateway, five months."""
    pro = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    billing.dunning.set_policy(DunningPolicy(retries=Retries.after_days(1, 3), final=MarkUnpaid()))
    for token in TOKENS:
        ada = billing.customers.create(name="Ada", country="DE", idempotency_key=token)
        billing.payment_methods.attach(ada.id, token)
        billing.subscriptions.create(ada.id, [(pro.id, 2)], start=date(2027, 1, 31))
    with billing.transaction():
        bob = billing.customers.create(name="Bob", country="DE")
        billing.invoices.create_one_off(bob.id, [OneOff("Work", eur("100.00"))])
    billing.payments.record(bob.id, eur("119.00"), reference="E2E-1")
    billing.run(until=date(2027, 2, 3))
    for message in gateway.webhooks():
        receipt = billing.webhooks.receive("card", message.raw, message.headers, at=gateway.now)
        assert receipt.status == "processed"
    subs = [*billing.subscriptions.list()]
    billing.subscriptions.cancel(subs[0].id, when=date(2027, 4, 1))
    billing.subscriptions.cancel(subs[1].id)
    billing.subscriptions.undo_cancel(subs[1].id)
    billing.run(until=UNTIL)


async def _async_story(billing: AsyncBilling, gateway: FakeGateway) -> None:
    """The same with `await`."""
    pro = await billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    await billing.dunning.set_policy(
        DunningPolicy(retries=Retries.after_days(1, 3), final=MarkUnpaid())
    )
    for token in TOKENS:
        ada = await billing.customers.create(name="Ada", country="DE", idempotency_key=token)
        await billing.payment_methods.attach(ada.id, token)
        await billing.subscriptions.create(ada.id, [(pro.id, 2)], start=date(2027, 1, 31))
    async with billing.transaction():
        bob = await billing.customers.create(name="Bob", country="DE")
        await billing.invoices.create_one_off(bob.id, [OneOff("Work", eur("100.00"))])
    await billing.payments.record(bob.id, eur("119.00"), reference="E2E-1")
    await billing.run(until=date(2027, 2, 3))
    for message in gateway.webhooks():
        receipt = await billing.webhooks.receive(
            "card", message.raw, message.headers, at=gateway.now
        )
        assert receipt.status == "processed"
    subs = [sub async for sub in await billing.subscriptions.list()]
    await billing.subscriptions.cancel(subs[0].id, when=date(2027, 4, 1))
    await billing.subscriptions.cancel(subs[1].id)
    await billing.subscriptions.undo_cancel(subs[1].id)
    await billing.run(until=UNTIL)


def test_the_same_story_makes_the_same_documents(storage: Storage) -> None:
    one_gateway, other_gateway = FakeGateway(), FakeGateway()
    one = _billing(MemoryStorage(), one_gateway)
    _story(one, one_gateway)
    asyncio.run(_async_story(_async_billing(storage, other_gateway), other_gateway))
    other = _billing(storage, other_gateway)
    assert [*other.invoices.list()] == [*one.invoices.list()]
    assert [*other.payments.list()] == [*one.payments.list()]
    assert [*other.subscriptions.list()] == [*one.subscriptions.list()]
    assert [*other.events.list()] == [*one.events.list()]
    assert other_gateway.charges == one_gateway.charges
    assert other.reports.numbers() == ()


def _awaited(storage: Storage, story: Callable[[AsyncBilling], Awaitable[None]]) -> None:
    async def run() -> None:
        await story(_async_billing(storage, FakeGateway()))

    asyncio.run(run())


def test_pages_are_iterated_asynchronously(storage: Storage) -> None:
    async def story(billing: AsyncBilling) -> None:
        made = [await billing.customers.create(name=f"Customer {n}") for n in range(5)]
        page = await billing.customers.list(limit=2)
        assert (page.items, page.total) == (tuple(made[:2]), 5)
        assert [each async for each in page] == made

    _awaited(storage, story)


def test_a_subscriber_may_be_a_coroutine_function(storage: Storage) -> None:
    async def story(billing: AsyncBilling) -> None:
        got: list[Recorded] = []

        async def subscriber(event: Recorded) -> None:
            await asyncio.sleep(0)
            got.append(event)

        billing.events.subscribe(subscriber, name="coroutine")
        plain: list[Recorded] = []
        billing.events.subscribe(plain.append, name="plain")
        await billing.customers.create(name="Ada")
        await billing.customers.create(name="Bob")
        assert got == plain == [each async for each in await billing.events.list()]

    _awaited(storage, story)


def test_a_transaction_that_fails_leaves_nothing(storage: Storage) -> None:
    async def story(billing: AsyncBilling) -> None:
        async def failing() -> None:
            async with billing.transaction():
                await billing.customers.create(name="Ada")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await failing()
        assert [each async for each in await billing.events.list()] == []
        with pytest.raises(NotFound):
            await billing.customers.get("cus_000001")

    _awaited(storage, story)


def test_a_parked_record_is_released(storage: Storage) -> None:
    async def story(billing: AsyncBilling) -> None:
        pro = await billing.catalog.add_price("Pro", eur("10.00"), every=Interval.months(1))
        ada = await billing.customers.create(name="Ada", country="FR")
        sub = await billing.subscriptions.create(ada.id, [pro.id], start=date(2027, 2, 1))
        report = await billing.run(until=date(2027, 2, 1))
        assert [each.id for each in report.parked] == [sub.id]
        await billing.customers.update(ada.id, address=Address(country="DE"))
        at = datetime(2027, 2, 2, tzinfo=UTC)
        released = await billing.unpark("subscription", sub.id, at=at)
        assert released.status == "active"

    _awaited(storage, story)


def test_commands_that_run_at_the_same_time_do_not_mix(storage: Storage) -> None:
    async def story(billing: AsyncBilling) -> None:
        made = await asyncio.gather(
            *[billing.customers.create(name=f"Customer {n}") for n in range(10)]
        )
        assert sorted(each.number or "" for each in made) == [f"{n:06}" for n in range(1, 11)]

    _awaited(storage, story)
