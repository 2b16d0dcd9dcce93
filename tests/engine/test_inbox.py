"""What gateways tell is kept first and looked at after that: once, whenever a process dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from attrs import evolve

from subscriptions import (
    AsyncBilling,
    Billing,
    Interval,
    InvalidTransition,
    MemoryStorage,
    NotFound,
    SqlStorage,
    StorageError,
    ValidationError,
)
from subscriptions.engine.run_reports import SweepReport
from subscriptions.gateways import WebhookRefused
from subscriptions.gateways.fake import WEBHOOK_SECRET, FakeGateway
from subscriptions.gateways.fake.messages import WebhookMessage, write
from subscriptions.gateways.signatures import sign
from subscriptions.ids import PaymentId
from subscriptions.inbox import Unmatched, Waiting
from subscriptions.invoices import Seller
from subscriptions.payments import Outcome
from subscriptions.storage import Storage, UnitOfWork
from subscriptions.testing import TestClock, Timeline, counting_ids
from subscriptions.testing.crashes import Crash, CrashingStorage, Points
from tests.scenarios.shop import Shop, audit, eur

START = datetime(2027, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "memory":
        yield MemoryStorage()
        return
    storage = SqlStorage(f"sqlite:///{tmp_path / 'billing.db'}")
    yield storage
    storage.close()


def open_on(storage: Storage, shop: Shop | None = None, process: str = "first") -> Shop:
    """Open a shop, or after a crash of one its successor with the same gateway and clock."""
    clock = TestClock(START) if shop is None else shop.clock
    gateway = FakeGateway(clock=clock) if shop is None else shop.gateway
    billing = Billing(
        storage=storage,
        gateways={"card": gateway},
        seller=Seller("Acme GmbH"),
        clock=clock,
        ids=counting_ids(process),
        webhook_secrets={"card": [gateway.webhook_secret]},
    )
    return Shop(storage, gateway, clock, billing, Timeline(billing, clock.now))


def deliver(shop: Shop, message: WebhookMessage) -> str:
    fresh = shop.gateway.send_again(message.id)
    return shop.billing.webhooks.receive("card", fresh.raw, fresh.headers).status


def stranger(shop: Shop, *, invoice: str = "inv_unknown", attempt: str = "pay_unknown") -> str:
    """Deliver a message about an attempt that nobody here knows; returns the id of what is kept."""
    known = shop.gateway.charges[0]
    metadata = {**known.intent.metadata, "invoice": invoice, "attempt": attempt}
    intent = evolve(known.intent, attempt_id=PaymentId(attempt), metadata=metadata)
    charge = evolve(known, intent=intent, reference="ch_stranger")
    message = write(charge, id="evt_stranger", at=shop.clock.now, secret=WEBHOOK_SECRET)
    receipt = shop.billing.webhooks.receive("card", message.raw, message.headers)
    assert not receipt.duplicate
    return receipt.id


# ---- kept ----------------------------------------------------------------------------------------


def test_a_message_is_kept_with_what_became_of_it(storage: Storage) -> None:
    shop = open_on(storage)
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(shop.customer())
    (message,) = shop.gateway.webhooks()
    receipt = shop.billing.webhooks.receive("card", message.raw, message.headers)
    assert (receipt.status, receipt.duplicate) == ("processed", False)
    kept = shop.billing.webhooks.get(receipt.id)
    assert (kept.gateway, kept.event, kept.type) == ("card", message.id, "payment.succeeded")
    assert kept.received_at == START
    assert kept.payment is not None
    assert kept.payment.attempt_id == shop.payments()[0].id
    assert shop.statuses() == ["paid"]


def test_a_message_that_comes_again_is_known_and_has_no_effect(storage: Storage) -> None:
    shop = open_on(storage)
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(shop.customer())
    (message,) = shop.gateway.webhooks()
    receive = shop.billing.webhooks.receive
    first = receive("card", message.raw, message.headers)
    events = shop.events()
    again = receive("card", message.raw, message.headers)
    assert again == evolve(first, duplicate=True)
    assert shop.events() == events
    assert shop.billing.webhooks.list().total == 1


def test_a_forged_message_is_not_kept(storage: Storage) -> None:
    shop = open_on(storage)
    shop.subscribe(shop.customer())
    (message,) = shop.gateway.webhooks()
    with pytest.raises(WebhookRefused):
        shop.billing.webhooks.receive("card", message.raw + b" ", message.headers)
    assert shop.billing.webhooks.list().total == 0


def test_a_message_of_an_unknown_type_is_kept_and_ignored(storage: Storage) -> None:
    shop = open_on(storage)
    raw = b'{"type":"payout.paid","timestamp":"2027-01-01T00:00:00+00:00","data":{}}'
    headers = sign(raw, id="evt_payout", at=START, secret=WEBHOOK_SECRET)
    assert shop.billing.webhooks.receive("card", raw, headers).status == "ignored"
    (kept,) = shop.billing.webhooks.list(status="ignored")
    assert kept.type == "payout.paid"
    assert list(shop.billing.payments.review()) == []
    with pytest.raises(InvalidTransition):
        shop.billing.webhooks.replay(kept.id)


def test_the_body_as_it_came_is_not_kept(storage: Storage) -> None:
    shop = open_on(storage)
    shop.subscribe(shop.customer())
    (message,) = shop.gateway.webhooks()
    shop.billing.webhooks.receive("card", message.raw, message.headers)
    (kept,) = shop.billing.webhooks.list()
    assert message.raw.decode() not in repr(kept)
    assert message.headers["webhook-signature"] not in repr(kept)


# ---- not known (yet) -----------------------------------------------------------------------------


def test_a_message_about_something_unknown_is_tried_again_then_listed_for_a_person(
    storage: Storage,
) -> None:
    shop = open_on(storage)
    shop.subscribe(shop.customer())
    id = stranger(shop)
    waits: list[timedelta] = []
    while isinstance(state := shop.billing.webhooks.get(id).state, Waiting):
        assert list(shop.billing.payments.review()) == []
        waits.append(state.process_at - shop.clock.now)
        shop.clock.now = state.process_at
        shop.billing.run()
    assert waits == [
        timedelta(minutes=5),
        timedelta(hours=1),
        timedelta(hours=6),
        *[timedelta(days=1)] * 3,
    ]
    assert isinstance(state, Unmatched)
    (item,) = shop.billing.payments.review()
    assert (item.matter, item.kind, item.subject) == ("unmatched_message", "inbound", id)
    assert (item.since, item.amount) == (START, eur("29.00"))
    shop.clock.now += timedelta(days=30)
    shop.billing.run()
    assert shop.events().count("review.needed") == 1
    shop.billing.payments.close_review(item.id, reason="of another shop")
    assert list(shop.billing.payments.review()) == []


def test_a_replayed_message_begins_anew_and_leaves_the_list(storage: Storage) -> None:
    shop = open_on(storage)
    shop.subscribe(shop.customer())
    id = stranger(shop)
    for _ in range(10):
        shop.clock.now += timedelta(days=1)
        shop.billing.run()
    assert shop.billing.webhooks.get(id).status == "unmatched"
    replayed = shop.billing.webhooks.replay(id)
    assert replayed.status == "unmatched", "it is as unknown as before"
    assert [item.subject for item in shop.billing.payments.review()] == [id]
    assert shop.events().count("review.needed") == 2, "it was taken from the list, and put back"
    with pytest.raises(NotFound):
        shop.billing.webhooks.replay("in_nowhere")


def test_a_message_of_another_gateway_about_a_payment_is_not_believed(storage: Storage) -> None:
    shop = open_on(storage)
    other = FakeGateway(clock=shop.clock)
    shop.billing.engine.gateways["other"] = other  # type: ignore[index]  # a dict, as it happens
    shop.billing.engine.secrets["other"] = [WEBHOOK_SECRET]  # type: ignore[index]  # likewise
    shop.gateway.time_out_next(executed=False)
    shop.subscribe(shop.customer())
    (payment,) = shop.payments()
    shop.gateway.time_out_next(executed=True)
    shop.clock.now += timedelta(minutes=5)
    shop.billing.run()
    (message,) = shop.gateway.webhooks()
    shop.billing.webhooks.receive("other", message.raw, message.headers)
    assert shop.billing.payments.get(payment.id).status == "unknown"


# ---- what goes wrong after it was kept -----------------------------------------------------------


class Flaky(MemoryStorage):
    """Fails to commit when it is told to."""

    fail_in: int = 99

    def begin(self) -> UnitOfWork:  # type: ignore[override]  # one that may fail
        self.fail_in -= 1
        if self.fail_in < 0:
            raise StorageError("the disk is full")
        return super().begin()


def test_what_fails_after_a_message_was_kept_is_not_the_senders_business() -> None:
    storage = Flaky()
    shop = open_on(storage)
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(shop.customer())
    (message,) = shop.gateway.webhooks()
    storage.fail_in = 1
    receipt = shop.billing.webhooks.receive("card", message.raw, message.headers)
    assert receipt.status == "waiting"
    storage.fail_in = 99
    shop.billing.run()
    assert shop.billing.webhooks.get(receipt.id).status == "processed"
    assert shop.statuses() == ["paid"]


def test_what_cannot_be_kept_is_the_senders_business() -> None:
    storage = Flaky()
    shop = open_on(storage)
    shop.subscribe(shop.customer())
    (message,) = shop.gateway.webhooks()
    storage.fail_in = 0
    with pytest.raises(StorageError):
        shop.billing.webhooks.receive("card", message.raw, message.headers)


def test_within_a_transaction_a_message_is_looked_at_after_it(storage: Storage) -> None:
    shop = open_on(storage)
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(shop.customer())
    (message,) = shop.gateway.webhooks()
    with shop.billing.transaction():
        receipt = shop.billing.webhooks.receive("card", message.raw, message.headers)
        assert receipt.status == "waiting"
        assert shop.statuses() == ["open"]
    assert shop.billing.webhooks.get(receipt.id).status == "processed"
    assert shop.statuses() == ["paid"]


# ---- retention -----------------------------------------------------------------------------------


def test_pruning_keeps_that_a_message_came_and_nothing_of_what_it_said(storage: Storage) -> None:
    shop = open_on(storage)
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(shop.customer())
    (message,) = shop.gateway.webhooks()
    shop.billing.webhooks.receive("card", message.raw, message.headers)
    unmatched = stranger(shop)
    for _ in range(9):
        shop.clock.now += timedelta(days=10)
        shop.billing.run()
    events = shop.events()
    prune = shop.billing.webhooks.prune
    assert prune(older_than=timedelta(days=91)) == 0
    assert prune(older_than=timedelta(days=89)) == 1
    assert prune(older_than=timedelta(days=89)) == 0
    pruned, kept = shop.billing.webhooks.list()
    assert (pruned.status, pruned.payment, pruned.event) == ("pruned", None, message.id)
    assert (kept.id, kept.status) == (unmatched, "unmatched")
    assert deliver(shop, message) == "pruned", "it still counts once"
    assert shop.events() == events
    with pytest.raises(InvalidTransition):
        shop.billing.webhooks.replay(pruned.id)
    with pytest.raises(ValidationError):
        prune(older_than=timedelta(days=3))


# ---- crashes, doubles and disorder ---------------------------------------------------------------


Fresh = Callable[[], Storage]


def _some_messages(shop: Shop) -> list[WebhookMessage]:
    """Let charges succeed, fail, take days and wait for the customer, with their answers lost."""
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(shop.customer())
    shop.subscribe(shop.customer("tok_sepa_debit"))
    shop.subscribe(shop.customer("tok_requires_action"))
    shop.gateway.time_out_next(executed=True, code="insufficient_funds")
    shop.subscribe(shop.customer())
    shop.gateway.settle(shop.payments()[1].id)
    shop.gateway.complete_action(shop.payments()[2].id)
    return shop.gateway.webhooks()


def _finish(shop: Shop) -> list[tuple[str, str]]:
    """Let the worker do the rest; returns which payments came to what."""
    for _ in range(30):
        shop.clock.now += timedelta(days=1)
        shop.billing.run()
    assert {message.status for message in shop.billing.webhooks.list()} == {"processed"}
    assert audit(shop) == []
    assert list(shop.billing.payments.review()) == []
    return sorted((payment.id, payment.status) for payment in shop.payments())


def test_a_process_that_dies_at_any_point_of_a_message_loses_nothing() -> None:
    def once(points: Points) -> list[tuple[str, str]]:
        storage = MemoryStorage()
        shop = open_on(storage)
        messages = _some_messages(shop)
        dying = open_on(CrashingStorage(storage, points), shop, "second")
        for message in messages:
            try:
                deliver(dying, message)
            except Crash:
                # The gateway gets no answer, so it sends it again: to the next process.
                dying = open_on(storage, shop, "third")
                deliver(dying, message)
        return _finish(open_on(storage, shop, "fourth"))

    counted = Points()
    undisturbed = once(counted)
    assert counted.passed > 20
    for point in range(counted.passed):
        assert once(Points(crash_at=point)) == undisturbed, counted.names[point]


def test_a_process_that_dies_between_keeping_and_looking_is_followed_by_a_run() -> None:
    def once(points: Points) -> list[tuple[str, str]]:
        storage = MemoryStorage()
        shop = open_on(storage)
        messages = _some_messages(shop)
        dying = open_on(CrashingStorage(storage, points), shop, "second")
        try:
            deliver(dying, messages[0])
        except Crash:
            # It got its answer just before, so it is not sent again.
            assert open_on(storage, shop, "third").billing.webhooks.list().total in (0, 1)
        return _finish_whatever(open_on(storage, shop, "fourth"))

    counted = Points()
    undisturbed = once(counted)
    for point in range(counted.passed):
        assert once(Points(crash_at=point)) == undisturbed, counted.names[point]


def _finish_whatever(shop: Shop) -> list[tuple[str, str]]:
    for _ in range(30):
        shop.clock.now += timedelta(days=1)
        shop.billing.run()
    assert audit(shop) == []
    return sorted((payment.id, payment.status) for payment in shop.payments())


@pytest.mark.parametrize("seed", range(12))
def test_messages_in_any_order_any_number_of_times_end_the_same(
    storage: Storage, seed: int
) -> None:
    random = Random(seed)
    shop = open_on(storage)
    messages = _some_messages(shop)
    storm = [*messages, *random.choices(messages, k=random.randrange(12))]
    random.shuffle(storm)
    die_at = random.randrange(3 * len(storm))
    dying = open_on(CrashingStorage(storage, Points(crash_at=die_at)), shop, "second")
    for message in storm:
        try:
            deliver(dying, message)
        except Crash:
            dying = open_on(storage, shop, "third")
            deliver(dying, message)
    outcomes = _finish(open_on(storage, shop, "fourth"))
    first_attempts = {charge.attempt: charge.outcome for charge in shop.gateway.charges}
    for id, status in outcomes:
        if status == "succeeded":
            assert first_attempts[PaymentId(id)] is Outcome.SUCCEEDED
    assert shop.billing.webhooks.list().total == len(messages)


def test_an_asynchronous_host_has_the_same_inbox_and_sweep() -> None:
    async def scenario() -> None:
        clock = TestClock(START)
        gateway = FakeGateway(clock=clock)
        billing = AsyncBilling(
            gateways={"card": gateway},
            clock=clock,
            ids=counting_ids(),
            webhook_secrets={"card": [gateway.webhook_secret]},
        )
        price = await billing.catalog.add_price("Pro", eur("29.00"), every=Interval.months(1))
        for lost in (True, False):
            ada = await billing.customers.create(name="Ada")
            await billing.payment_methods.attach(ada.id, "tok_visa")
            gateway.time_out_next(executed=lost)
            await billing.subscriptions.create(ada.id, [price.id])
        (message,) = gateway.webhooks()
        receipt = await billing.webhooks.receive("card", message.raw, message.headers)
        assert receipt.status == "processed"
        assert (await billing.webhooks.get(receipt.id)).event == message.id
        assert await billing.sweep() == SweepReport(listed=1, agreed=1)
        clock.now += timedelta(days=5)
        assert await billing.webhooks.prune(older_than=timedelta(days=4)) == 1
        gateway.ignore_next(times=99)
        await billing.run()
        (item,) = (await billing.payments.review()).items
        closed = await billing.payments.close_review(item.id, reason="looked at")
        assert closed.status == "closed"
        await billing.payments.resolve(item.subject, outcome="never_happened", reason="no")

    asyncio.run(scenario())
