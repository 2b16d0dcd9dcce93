"""Six messages about one payment, in all 720 orders and some of them twice, come to one state.

The whole engine takes them in as webhooks, on a world in memory that is made anew for each order. A
customer has a subscription, a card, a balance and an invoice whose first charge was not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from random import Random

import pytest
from attrs import define, evolve, frozen

from subscriptions import (
    Billing,
    DunningPolicy,
    Interval,
    MarkUnpaid,
    Money,
    Retries,
)
from subscriptions.disputes import DisputeKind, DisputeStatus
from subscriptions.gateways.fake import FakeGateway, LedgerCharge, LedgerDispute, LedgerRefund
from subscriptions.gateways.fake.messages import (
    WebhookMessage,
    write,
    write_dispute,
    write_refund,
)
from subscriptions.ids import PaymentId, gateway_key
from subscriptions.payments import Advice, Decline, Outcome
from subscriptions.refunds import RefundIntent, RefundOutcome, refund_id
from subscriptions.testing import counting_ids

START = datetime(2027, 1, 1, tzinfo=UTC)
GIVEN_BACK = Money.of("10.00", "EUR")
DISPUTED = Money.of("14.00", "EUR")
DECLINE = Decline("insufficient_funds", "", Advice.RETRY_AFTER)


@define
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@frozen
class World:
    """A host whose one payment waits for its outcome, and what the gateway has of it."""

    billing: Billing
    gateway: FakeGateway
    clock: Clock
    payment: PaymentId
    charge: LedgerCharge


def a_world() -> World:
    """Return a world; each is like the other, for nothing in it is random."""
    gateway, clock = FakeGateway(), Clock()
    billing = Billing(
        gateways={"card": gateway},
        clock=clock,
        ids=counting_ids("any"),
        webhook_secrets={"card": [gateway.webhook_secret]},
    )
    billing.dunning.set_policy(DunningPolicy(Retries.after_days(3), final=MarkUnpaid()))
    pro = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    ada = billing.customers.create(name="Ada Lovelace")
    billing.balance.adjust(ada.id, Money.of("5.00", "EUR"), reason="goodwill")
    billing.payment_methods.attach(ada.id, token="tok_visa")
    gateway.time_out_next(executed=True)
    billing.subscriptions.create(ada.id, [pro.id])
    (payment,) = billing.payments.list()
    assert (payment.status, payment.amount) == ("unknown", Money.of("24.00", "EUR"))
    (charge,) = gateway.charges
    gateway.webhooks()
    return World(billing, gateway, clock, payment.id, charge)


# ---- what may be said --------------------------------------------------------------------------


def about_payment(world: World, outcome: Outcome) -> WebhookMessage:
    declined = outcome in (Outcome.DECLINED_SOFT, Outcome.DECLINED_HARD)
    charge = evolve(
        world.charge,
        outcome=outcome,
        decline=DECLINE if declined else None,
        action_url="https://bank.example/3ds" if outcome is Outcome.REQUIRES_ACTION else None,
    )
    id = f"evt_{outcome.value}"
    return write(charge, id=id, at=START, secret=world.gateway.webhook_secret)


def about_dispute(world: World, status: DisputeStatus, *, hours: int) -> WebhookMessage:
    dispute = LedgerDispute(
        "dp_1",
        world.payment,
        world.charge.reference,
        DISPUTED,
        DisputeKind.CHARGEBACK,
        status,
        "fraudulent",
        START,
        START + timedelta(hours=hours),
        funds_withdrawn=True,
    )
    id = f"evt_dispute_{status.value}"
    return write_dispute(dispute, id=id, at=START, secret=world.gateway.webhook_secret)


def about_refund(world: World, outcome: RefundOutcome) -> WebhookMessage:
    id = refund_id("default", world.payment, 1)
    intent = RefundIntent(
        id,
        gateway_key("default", "refund", id),
        GIVEN_BACK,
        world.payment,
        world.charge.reference,
        world.charge.intent.customer_ref,
        {"tenant": "default", "refund": id, "payment": world.payment},
        START,
    )
    refund = LedgerRefund(f"re_{id.removeprefix('ref_')}", intent, outcome, START, START)
    event = f"evt_refund_{outcome.value}"
    return write_refund(refund, id=event, at=START, secret=world.gateway.webhook_secret)


def six_without_a_refund(world: World) -> list[WebhookMessage]:
    return [
        about_payment(world, Outcome.REQUIRES_ACTION),
        about_payment(world, Outcome.PROCESSING),
        about_payment(world, Outcome.DECLINED_SOFT),
        about_payment(world, Outcome.SUCCEEDED),
        about_dispute(world, DisputeStatus.OPENED, hours=1),
        about_dispute(world, DisputeStatus.LOST, hours=2),
    ]


def six_that_end_well(world: World) -> list[WebhookMessage]:
    return [
        about_payment(world, Outcome.REQUIRES_ACTION),
        about_payment(world, Outcome.PROCESSING),
        about_payment(world, Outcome.DECLINED_SOFT),
        about_payment(world, Outcome.SUCCEEDED),
        about_dispute(world, DisputeStatus.OPENED, hours=1),
        about_dispute(world, DisputeStatus.WON, hours=2),
    ]


def six_with_a_refund(world: World) -> list[WebhookMessage]:
    return [
        about_payment(world, Outcome.REQUIRES_ACTION),
        about_payment(world, Outcome.PROCESSING),
        about_payment(world, Outcome.DECLINED_SOFT),
        about_payment(world, Outcome.SUCCEEDED),
        about_refund(world, RefundOutcome.SUCCEEDED),
        about_dispute(world, DisputeStatus.LOST, hours=1),
    ]


# ---- what came of it ----------------------------------------------------------------------------


def picture(world: World) -> tuple[object, ...]:
    """Return the state of everything that the messages are about, but not how often it moved."""
    billing = world.billing
    payment = billing.payments.get(world.payment)
    (invoice,) = billing.invoices.list()
    (subscription,) = billing.subscriptions.list()
    (customer,) = billing.customers.list()
    (method,) = billing.payment_methods.list()
    open_cases = [each for each in billing.dunning.list() if each.status == "running"]
    return (
        (payment.state, payment.reference, payment.allocations, payment.withheld, payment.parked),
        (payment.disputed_minor, payment.refunded_minor, payment.refunding_minor),
        (payment.unallocated, payment.refundable, payment.balanced_minor),
        (invoice.status, invoice.paid, invoice.amount_due, invoice.disputed),
        (invoice.collecting, invoice.attempts, invoice.dunning),
        [(each.policy, each.next_step) for each in open_cases],
        [(each.status, each.amount, each.due_at) for each in billing.payments.disputes()],
        [(each.status, each.amount) for each in billing.payments.refunds()],
        (subscription.status, subscription.collection),
        (customer.balance, method.status),
    )


def told(world: World, messages: Sequence[WebhookMessage]) -> None:
    for each in messages:
        world.billing.webhooks.receive("card", each.raw, each.headers)


def some_twice(order: Sequence[WebhookMessage], random: Random) -> list[WebhookMessage]:
    messages = list(order)
    for each in random.sample(messages, k=random.randint(0, 2)):
        messages.insert(random.randint(0, len(messages)), each)
    return messages


Six = Callable[[World], list[WebhookMessage]]


@pytest.mark.parametrize(
    ("six", "expected"),
    [
        (six_without_a_refund, ("open", "14.00 EUR", "past_due", "held", "lost")),
        (six_that_end_well, ("paid", "0.00 EUR", "active", "usable", "won")),
    ],
)
def test_all_720_orders_come_to_one_state(six: Six, expected: tuple[str, ...]) -> None:
    random, first = Random(720), None
    for order in permutations(range(6)):
        world = a_world()
        billing, messages = world.billing, six(world)
        told(world, some_twice([messages[place] for place in order], random))
        found = picture(world)
        first = found if first is None else first
        assert found == first, order
        assert (
            billing.invoices.list()[0].status.value,
            str(billing.invoices.list()[0].amount_due),
            billing.subscriptions.list()[0].status,
            billing.payment_methods.list()[0].status,
            billing.payments.disputes()[0].status.value,
        ) == expected
        assert len(world.gateway.charges) == 1


def test_all_720_orders_with_a_refund_that_the_host_makes_on_success_come_to_one_state() -> None:
    """The message of the refund may come before the refund is made here: it is kept until then."""
    random, first = Random(721), None
    for order in permutations(range(6)):
        world = a_world()
        billing, gateway, messages = world.billing, world.gateway, six_with_a_refund(world)
        made = False
        for each in some_twice([messages[place] for place in order], random):
            told(world, [each])
            if not made and billing.payments.get(world.payment).status == "succeeded":
                # Its answer gets lost, so only messages and questions tell what became of it.
                gateway.time_out_refund_next(executed=True)
                billing.payments.refund(world.payment, GIVEN_BACK, reason="a mistake")
                made = True
        world.clock.now = START + timedelta(hours=8)
        billing.run()
        found = picture(world)
        first = found if first is None else first
        assert found == first, order
        payment = billing.payments.get(world.payment)
        assert (payment.disputed, payment.refunded) == (DISPUTED, GIVEN_BACK)
        assert len(gateway.refunds) == 1
        assert billing.payments.refunds()[0].status == "succeeded"
