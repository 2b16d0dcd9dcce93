"""What a host asks for: twice with one key, in a transaction, by a preview, on its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from subscriptions import (
    AsyncBilling,
    Billing,
    Interval,
    Money,
    OneOff,
    SqlStorage,
    StorageError,
    UnknownReference,
    ValidationError,
)
from subscriptions.errors import IdempotencyMismatch, StalePlan
from subscriptions.gateways import PaymentGateway
from subscriptions.gateways.fake import FakeGateway
from subscriptions.lifecycle import Subscription
from subscriptions.payments import ChargeIntent, PaymentSnapshot
from tests.engine.worker import START, later, open_with_a_worker
from tests.scenarios.shop import MONTHLY, audit, eur

KEY = "order-7"


class ChangeOfMind(Exception):
    """The host gives up in the middle of a transaction."""


def _shop() -> tuple[Billing, str, str, str]:
    billing = Billing(clock=lambda: START)
    small = billing.catalog.add_price("Small", eur("9.00"), every=MONTHLY)
    large = billing.catalog.add_price("Large", eur("900.00"), every=MONTHLY)
    ada = billing.customers.create(name="Ada")
    return billing, ada.id, small.id, large.id


# ---- one key ----------------------------------------------------------------------------------

Order = Callable[[Billing, str, str], Subscription]

SAME: dict[str, Order] = {
    "by place": lambda b, ada, id: b.subscriptions.create(ada, [id], idempotency_key=KEY),
    "by name": lambda b, ada, id: b.subscriptions.create(
        items=[id], customer=ada, idempotency_key=KEY
    ),
    "a tuple": lambda b, ada, id: b.subscriptions.create(ada, (id,), idempotency_key=KEY),
    "a generator": lambda b, ada, id: b.subscriptions.create(
        ada, (each for each in [id]), idempotency_key=KEY
    ),
    "an iterator": lambda b, ada, id: b.subscriptions.create(ada, iter([id]), idempotency_key=KEY),
    "a default that is said": lambda b, ada, id: b.subscriptions.create(
        ada, [id], metadata=None, start=None, idempotency_key=KEY
    ),
    "another time": lambda b, ada, id: b.subscriptions.create(
        ada, [id], at=datetime(2027, 5, 1, tzinfo=UTC), idempotency_key=KEY
    ),
}


@pytest.mark.parametrize("first", SAME)
@pytest.mark.parametrize("second", SAME)
def test_the_same_request_in_another_form_is_answered_and_not_done_again(
    first: str, second: str
) -> None:
    billing, ada, small, _ = _shop()
    made = SAME[first](billing, ada, small)
    assert SAME[second](billing, ada, small).id == made.id
    assert billing.subscriptions.list().total == 1


@pytest.mark.parametrize("form", SAME)
def test_another_request_under_a_used_key_is_refused(form: str) -> None:
    billing, ada, small, large = _shop()
    SAME[form](billing, ada, small)
    with pytest.raises(IdempotencyMismatch):
        SAME[form](billing, ada, large)
    assert billing.subscriptions.list().total == 1


def test_another_command_under_a_used_key_is_refused() -> None:
    billing, ada, small, _ = _shop()
    SAME["by place"](billing, ada, small)
    with pytest.raises(IdempotencyMismatch):
        billing.customers.create(name="Ada", idempotency_key=KEY)


def test_tags_in_another_order_are_the_same_request() -> None:
    billing, *_ = _shop()
    words = [f"tag-{n}" for n in range(20)]
    there = billing.customers.create(name="Bob", tags={*words}, idempotency_key=KEY)
    back = billing.customers.create(name="Bob", tags={*reversed(words)}, idempotency_key=KEY)
    assert there.id == back.id


def test_metadata_in_another_order_is_the_same_request() -> None:
    billing, *_ = _shop()
    there = billing.customers.create(
        name="Bob", metadata={"crm": "1", "shop": "2"}, idempotency_key=KEY
    )
    back = billing.customers.create(
        name="Bob", metadata={"shop": "2", "crm": "1"}, idempotency_key=KEY
    )
    assert there.id == back.id


def test_an_amount_that_differs_is_another_request() -> None:
    billing, ada, *_ = _shop()
    billing.payments.record(ada, eur("3.00"), idempotency_key=KEY)
    with pytest.raises(IdempotencyMismatch):
        billing.payments.record(ada, eur("30.00"), idempotency_key=KEY)
    assert billing.payments.list().total == 1


def test_a_quantity_that_differs_is_another_request() -> None:
    billing, ada, small, _ = _shop()
    billing.subscriptions.create(ada, [(small, 2)], idempotency_key=KEY)
    with pytest.raises(IdempotencyMismatch):
        billing.subscriptions.create(ada, [(small, Decimal("2.5"))], idempotency_key=KEY)


def test_a_generator_without_a_key_is_read_once_and_in_full() -> None:
    billing, ada, small, large = _shop()
    made = billing.subscriptions.create(ada, (each for each in (small, large)))
    assert [item.price for item in made.items] == [small, large]


# ---- transactions -----------------------------------------------------------------------------


def test_a_task_that_outlives_the_transaction_it_began_in_works_by_itself() -> None:
    async def story() -> None:
        billing = AsyncBilling(clock=lambda: START)
        over = asyncio.Event()

        async def greet() -> str:
            await over.wait()
            return (await billing.customers.create(name="later")).name

        async with billing.transaction():
            await billing.customers.create(name="Ada")
            task = asyncio.create_task(greet())
        over.set()
        assert await task == "later"
        assert [each.name async for each in await billing.customers.list()] == ["Ada", "later"]

    asyncio.run(story())


def test_a_task_that_outlives_a_rolled_back_transaction_works_by_itself() -> None:
    async def story() -> None:
        billing = AsyncBilling(clock=lambda: START)
        over = asyncio.Event()

        async def greet() -> str:
            await over.wait()
            return (await billing.customers.create(name="later")).name

        tasks: list[asyncio.Task[str]] = []
        with suppress(ChangeOfMind):
            async with billing.transaction():
                await billing.customers.create(name="Ada")
                tasks.append(asyncio.create_task(greet()))
                raise ChangeOfMind
        over.set()
        assert await tasks[0] == "later"
        assert [each.name async for each in await billing.customers.list()] == ["later"]

    asyncio.run(story())


def test_a_number_that_a_rollback_gives_back_is_taken_again_under_the_same_key() -> None:
    billing, ada, *_ = _shop()
    lines = [OneOff("Work", eur("1.00"))]
    taken: list[str | None] = []
    with suppress(ChangeOfMind), billing.transaction():
        taken.append(billing.invoices.create_one_off(ada, lines, idempotency_key=KEY).number)
        raise ChangeOfMind
    taken.append(billing.invoices.create_one_off(ada, lines, idempotency_key=KEY).number)
    assert taken == ["INV-2027-00001"] * 2
    assert billing.reports.numbers() == ()


def test_a_run_on_a_storage_that_joins_the_hosts_transaction_is_refused(tmp_path: Path) -> None:
    gateway = FakeGateway()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'host.db'}")
    SqlStorage(engine, migrate=True)
    with engine.connect() as connection:
        billing = Billing(
            storage=SqlStorage(connection), gateways={"card": gateway}, clock=lambda: START
        )
        price = billing.catalog.add_price("Pro", eur("29.00"), every=MONTHLY)
        ada = billing.customers.create(name="Ada")
        billing.payment_methods.attach(ada.id, "tok_visa")
        billing.subscriptions.create(ada.id, [price.id])
        with pytest.raises(StorageError, match="joins the host"):
            billing.run(until=date(2027, 2, 1))
        assert gateway.charges == (), "the host may still roll back"
        connection.commit()
    with_its_own = Billing(
        storage=SqlStorage(engine), gateways={"card": gateway}, clock=lambda: START
    )
    with_its_own.run()
    (invoice,) = with_its_own.invoices.list()
    assert gateway.succeeded_minor(invoice.id) == 2900
    engine.dispose()


# ---- plans ------------------------------------------------------------------------------------


def test_a_plan_is_committed_once() -> None:
    billing, ada, small, _ = _shop()
    plan = billing.preview.subscriptions.create(ada, [small])
    made = billing.commit(plan)
    with pytest.raises(StalePlan):
        billing.commit(plan)
    assert [each.id for each in billing.subscriptions.list()] == [made.id]
    assert billing.invoices.list().total == 1


def test_a_plan_with_a_key_that_is_committed_twice_is_answered_twice() -> None:
    billing, ada, small, _ = _shop()
    plan = billing.preview.subscriptions.create(ada, [small], idempotency_key=KEY)
    assert billing.commit(plan).id == billing.commit(plan).id
    assert billing.subscriptions.list().total == 1


# ---- gateways ---------------------------------------------------------------------------------


class Speechless(FakeGateway):
    """An adapter whose author forgot to return the answer."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        super().charge(intent)
        return None  # type: ignore[return-value]


def test_an_adapter_that_returns_nothing_is_silence_and_no_decline() -> None:
    gateway = Speechless()
    shop = open_with_a_worker(gateways={"speechless": gateway})
    ada = shop.customer(None)
    shop.billing.payment_methods.attach(ada.id, "tok_visa", gateway="speechless")
    subscription = shop.subscribe(ada)
    (payment,) = shop.payments()
    assert payment.status == "unknown"
    assert not later(shop, minutes=6).parked
    assert shop.subscription(subscription).status == "active"
    later(shop, days=2)
    later(shop, days=2)
    assert shop.statuses() == ["paid"], "what became of it was found in its list"
    assert len(gateway.charges) == 1
    assert audit(shop) == []


class Dead(FakeGateway):
    """A gateway that is down for good."""

    def detach(self, method_ref: str, /) -> None:
        raise ConnectionError(method_ref)


@pytest.mark.parametrize("gateways", [{"old": Dead()}, {}])
def test_a_method_of_a_gateway_that_is_gone_is_detached_all_the_same(
    gateways: dict[str, PaymentGateway],
) -> None:
    shop = open_with_a_worker(gateways={"old": FakeGateway()})
    ada = shop.customer(None)
    method = shop.billing.payment_methods.attach(ada.id, "tok_visa", gateway="old")
    billing = Billing(storage=shop.storage, gateways=gateways, clock=shop.clock)
    assert billing.payment_methods.detach(method.id).status == "detached"
    assert billing.customers.get(ada.id).default_method is None


def test_money_through_an_unknown_gateway_is_refused() -> None:
    billing, ada, *_ = _shop()
    with pytest.raises(ValidationError) as refused:
        billing.payments.record(ada, eur("1.00"), gateway="nonsense")
    assert refused.value.field == "gateway"
    with pytest.raises(UnknownReference):
        billing.payments.record("cus_nobody", eur("1.00"))


def test_a_record_stands_for_its_id_in_commands_questions_and_listings() -> None:
    billing = Billing(clock=lambda: datetime(2027, 1, 31, tzinfo=UTC))
    price = billing.catalog.add_price("Pro", Money.of("29", "EUR"), every=Interval.months(1))
    ada = billing.customers.create(name="Ada Lovelace")
    create: Any = billing.subscriptions.create
    subscription = create(ada, [(price, 2)])
    invoices: Any = billing.invoices.list
    (invoice,) = invoices(customer=ada, subscription=subscription)
    assert invoice.total == Money.of("58.00", "EUR")
    get: Any = billing.invoices.get
    assert get(invoice) == invoice
    change: Any = billing.subscriptions.change
    assert change(subscription, quantities={price: 3}).items[0].quantity == 3
