"""Giving money back: by hand and on cancellation, when the gateway refuses, waits or is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from threading import Barrier, Thread

import pytest
from attrs import evolve

from subscriptions import (
    AsyncBilling,
    Billing,
    DomainError,
    InvalidTransition,
    MemoryStorage,
    Money,
    OneOff,
    UnknownReference,
    ValidationError,
)
from subscriptions.customers import Customer, Grouping
from subscriptions.dunning import DunningPolicy, MarkUnpaid, Retries
from subscriptions.errors import IdempotencyMismatch, NotSupported
from subscriptions.events import Event
from subscriptions.gateways import FoundRefund, ReconciledRefund
from subscriptions.gateways.fake import FakeGateway
from subscriptions.lifecycle import Subscription
from subscriptions.payments import Payment
from subscriptions.refunds import (
    Failed,
    Refund,
    RefundFailed,
    RefundIntended,
    RefundIntent,
    RefundNotExecuted,
    RefundOutcome,
    RefundPending,
    RefundSnapshot,
    RefundSucceeded,
    RefundUnknown,
)
from subscriptions.storage import Storage
from subscriptions.testing import TestClock
from tests.scenarios.shop import Shop, eur, open_shop
from tests.scenarios.test_balance import entries

Opened = Callable[..., Shop]


def paid(shop: Shop, customer: Customer | None = None, amount: str = "50.00") -> Payment:
    """Invoice something that is charged at once; returns the payment."""
    who = customer or shop.customer()
    invoice = shop.billing.invoices.create_one_off(who.id, [OneOff("Work", eur(amount))])
    (payment,) = shop.payments(invoice)
    return payment


def refund(shop: Shop, payment: Payment, amount: str | None = None) -> Refund:
    given = None if amount is None else eur(amount)
    return shop.billing.payments.refund(payment.id, given, reason="a mistake")


def again(shop: Shop, payment: Payment) -> Payment:
    """Return a payment as it is now."""
    return shop.billing.payments.get(payment.id)


def only_refund(shop: Shop) -> Refund:
    (found,) = shop.billing.payments.refunds()
    return found


def given_back(shop: Shop) -> list[str]:
    """Return the gateway's books of refunds, as `outcome amount`."""
    return [f"{each.outcome.value} {each.amount}" for each in shop.gateway.refunds]


# ---- by hand -------------------------------------------------------------------------------------


def test_a_payment_is_given_back_in_parts_and_its_invoice_stays_paid(shop: Shop) -> None:
    payment = paid(shop)
    first = refund(shop, payment, "20.00")
    assert (first.status, first.amount, first.reason) == ("succeeded", eur("20.00"), "a mistake")
    assert (again(shop, payment).refunded, again(shop, payment).refundable) == (
        eur("20.00"),
        eur("30.00"),
    )
    rest = refund(shop, payment)
    assert (rest.amount, rest.ordinal) == (eur("30.00"), 2)
    assert again(shop, payment).refundable == eur("0.00")
    assert given_back(shop) == ["succeeded 20.00 EUR", "succeeded 30.00 EUR"]
    invoice = shop.only_invoice()
    assert (invoice.status, invoice.paid, invoice.amount_due) == (
        "paid",
        eur("50.00"),
        eur("0.00"),
    )
    assert list(shop.billing.payments.refunds(payment=payment.id)) == [first, rest]
    assert shop.billing.payments.get_refund(rest.id) == rest
    assert shop.billing.customers.get(payment.customer).balance == ()


@pytest.mark.parametrize("amount", ["0.00", "-1.00", "50.01"])
def test_more_than_there_is_or_nothing_is_refused_before_the_gateway_is_asked(
    shop: Shop, amount: str
) -> None:
    payment = paid(shop)
    with pytest.raises(ValidationError) as refused:
        refund(shop, payment, amount)
    assert refused.value.field == "amount"
    assert shop.gateway.refunds == ()
    assert again(shop, payment) == payment


def test_what_was_given_back_whole_cannot_be_given_back_again(shop: Shop) -> None:
    payment = paid(shop)
    refund(shop, payment)
    with pytest.raises(ValidationError):
        refund(shop, payment)
    assert len(shop.gateway.refunds) == 1


def test_a_refund_is_in_the_currency_of_its_payment(shop: Shop) -> None:
    payment = paid(shop)
    with pytest.raises(ValidationError):
        shop.billing.payments.refund(payment.id, Money.of("1.00", "USD"), reason="a mistake")
    with pytest.raises(ValidationError):
        shop.billing.payments.refund(payment.id, 1, reason="a mistake")  # type: ignore[arg-type]


def test_a_refund_needs_a_reason_and_a_payment_that_is_there(shop: Shop) -> None:
    payment = paid(shop)
    with pytest.raises(ValidationError) as refused:
        shop.billing.payments.refund(payment.id, reason="")
    assert refused.value.field == "reason"
    with pytest.raises(UnknownReference):
        shop.billing.payments.refund("pay_nobody", reason="a mistake")
    with pytest.raises(ValidationError):
        shop.billing.payments.refunds(status="lost")


def test_an_attempt_that_took_no_money_cannot_be_given_back(shop: Shop) -> None:
    payment = paid(shop, shop.customer("tok_sepa_debit"))
    with pytest.raises(InvalidTransition) as refused:
        refund(shop, payment)
    assert refused.value.state == "processing"
    shop.time.advance(days=6)
    assert refund(shop, payment).status == "succeeded"


def test_a_transfer_is_paid_back_by_a_person_and_the_error_says_why(shop: Shop) -> None:
    ada = shop.customer(None)
    payment = shop.billing.payments.record(ada.id, eur("10.00"))
    with pytest.raises(NotSupported) as refused:
        refund(shop, payment)
    assert (refused.value.gateway, refused.value.protocol) == ("transfer", "Refunds")
    assert again(shop, payment) == payment


def test_a_payment_of_a_gateway_that_is_gone_cannot_be_given_back(
    open_a_shop: Opened, storage: Storage
) -> None:
    shop = open_a_shop(gateways={"old": FakeGateway()})
    ada = shop.customer(None)
    shop.billing.payment_methods.attach(ada.id, "tok_visa", gateway="old")
    payment = paid(shop, ada)
    later = Billing(storage=storage, gateways={"card": shop.gateway}, clock=shop.clock)
    with pytest.raises(ValidationError) as refused:
        later.payments.refund(payment.id, reason="a mistake")
    assert refused.value.field == "gateway"


def test_a_command_that_is_repeated_with_its_key_gives_back_once(shop: Shop) -> None:
    payment = paid(shop)
    give = shop.billing.payments.refund
    first = give(payment.id, eur("5.00"), reason="x", idempotency_key="k")
    assert give(payment.id, eur("5.00"), reason="x", idempotency_key="k") == first
    with pytest.raises(IdempotencyMismatch):
        give(payment.id, eur("6.00"), reason="x", idempotency_key="k")
    assert given_back(shop) == ["succeeded 5.00 EUR"]


# ---- what the gateway says -----------------------------------------------------------------------


def test_a_refund_that_is_refused_frees_what_it_reserved(shop: Shop) -> None:
    payment = paid(shop)
    shop.gateway.fail_refund_next("refund_declined", message="Not this card")
    failed = refund(shop, payment, "20.00")
    assert isinstance(failed.state, Failed)
    assert (failed.state.failure.code, failed.due_at) == ("refund_declined", None)
    assert again(shop, payment).refundable == eur("50.00")
    assert refund(shop, payment).amount == eur("50.00")
    assert given_back(shop) == ["failed 20.00 EUR", "succeeded 50.00 EUR"]


@pytest.mark.parametrize("succeed", [True, False])
@pytest.mark.parametrize("by", ["poll", "webhook"])
def test_a_refund_that_takes_days_is_pending_and_then_known(
    shop: Shop, by: str, *, succeed: bool
) -> None:
    payment = paid(shop)
    shop.gateway.pend_refund_next(days=3, succeed=succeed)
    begun = refund(shop, payment)
    assert begun.status == "pending"
    with pytest.raises(ValidationError):
        refund(shop, payment, "0.01")
    outcome: type[Event] = RefundSucceeded if succeed else RefundFailed
    if by == "poll":
        shop.time.expect(*[RefundPending] * 3, outcome).advance(days=3)
    else:
        shop.gateway.settle_refund(begun.id, succeed=succeed)
        assert all(shop.deliver_webhooks())
    assert only_refund(shop).status == ("succeeded" if succeed else "failed")
    expected = eur("0.00") if succeed else eur("50.00")
    assert again(shop, payment).refundable == expected
    # A message that comes again, or late, changes nothing.
    known = only_refund(shop)
    shop.deliver_webhooks()
    assert only_refund(shop) == known


def test_money_that_a_bank_sends_back_days_later_can_be_given_back_again(shop: Shop) -> None:
    payment = paid(shop)
    done = refund(shop, payment)
    shop.deliver_webhooks()
    shop.time.advance(days=4)
    shop.gateway.send_back(done.id)
    assert shop.deliver_webhooks() == [True]
    assert only_refund(shop).status == "failed"
    assert (again(shop, payment).refunded, again(shop, payment).refundable) == (
        eur("0.00"),
        eur("50.00"),
    )


@pytest.mark.parametrize("executed", [True, False])
def test_silence_is_asked_about_with_the_same_key_and_given_back_once(
    shop: Shop, *, executed: bool
) -> None:
    payment = paid(shop)
    shop.gateway.time_out_refund_next(executed=executed, times=2)
    assert refund(shop, payment, "20.00").status == "unknown"
    assert again(shop, payment).refundable == eur("30.00")
    shop.time.expect(RefundUnknown, RefundUnknown).advance(minutes=5)
    shop.time.expect(RefundSucceeded).advance(hours=1)
    assert given_back(shop) == ["succeeded 20.00 EUR"]
    assert shop.gateway.alerts == ()


def test_past_the_replay_window_a_lost_refund_is_found_not_repeated(shop: Shop) -> None:
    payment = paid(shop)
    shop.gateway.time_out_refund_next(executed=True, times=4)
    refund(shop, payment)
    shop.time.expect(*[RefundUnknown] * 4).advance(days=1)
    shop.time.expect(RefundSucceeded).advance(days=1)
    assert given_back(shop) == ["succeeded 50.00 EUR"]
    assert len({made.key for made in shop.gateway.charges}) == 1


def test_past_the_replay_window_a_refund_that_never_was_is_sent_once_more(shop: Shop) -> None:
    payment = paid(shop)
    shop.gateway.time_out_refund_next(executed=False, times=4)
    first = refund(shop, payment)
    shop.time.expect(*[RefundUnknown] * 4).advance(days=1)
    shop.time.expect(RefundNotExecuted, RefundSucceeded).advance(days=1)
    assert only_refund(shop).id == first.id
    assert given_back(shop) == ["succeeded 50.00 EUR"]


def test_a_gateway_that_cannot_tell_is_asked_daily_and_nothing_is_guessed(shop: Shop) -> None:
    payment = paid(shop)
    shop.gateway.time_out_refund_next(executed=True, times=4)
    refund(shop, payment)
    shop.time.advance(days=1)
    shop.gateway.ignore_next(2)
    shop.time.expect(RefundUnknown, RefundUnknown, RefundSucceeded).advance(days=3)
    assert given_back(shop) == ["succeeded 50.00 EUR"]


def test_a_line_that_is_down_is_tried_again(shop: Shop) -> None:
    payment = paid(shop)
    shop.gateway.refuse_refund_connection_next(2)
    assert refund(shop, payment).status == "intended"
    shop.time.expect(RefundNotExecuted, RefundNotExecuted).advance(minutes=5)
    shop.time.expect(RefundSucceeded).advance(hours=1)
    assert given_back(shop) == ["succeeded 50.00 EUR"]


class Odd(FakeGateway):
    """Has a defect: it raises, answers nonsense, or speaks of another amount."""

    def __init__(self, defect: str) -> None:
        super().__init__()
        self.defect = defect

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        if self.defect == "raises":
            raise RuntimeError("a defect")
        if self.defect == "answers nonsense":
            return "done"  # type: ignore[return-value]  # that is the defect
        answer = super().refund(intent)
        return evolve(answer, amount=answer.amount * 2) if self.defect == "doubles" else answer

    def reconcile_refund(
        self, intent: RefundIntent, gateway_ref: str | None, /
    ) -> ReconciledRefund:
        found = super().reconcile_refund(intent, gateway_ref)
        if self.defect == "is vague" and isinstance(found, FoundRefund):
            silence = evolve(found.snapshot, outcome=RefundOutcome.UNKNOWN, failure=None)
            return FoundRefund(silence)
        return found


def paid_at(shop: Shop, gateway: str) -> Payment:
    ada = shop.customer(None)
    shop.billing.payment_methods.attach(ada.id, "tok_visa", gateway=gateway)
    return paid(shop, ada)


@pytest.mark.parametrize("defect", ["raises", "answers nonsense"])
def test_a_gateway_that_breaks_is_silent_and_one_that_is_gone_as_well(
    open_a_shop: Opened, storage: Storage, defect: str
) -> None:
    gateway = Odd(defect)
    shop = open_a_shop(gateways={"odd": gateway})
    assert refund(shop, paid_at(shop, "odd")).status == "unknown"
    shop.clock.now += timedelta(minutes=5)
    Billing(storage=storage, clock=shop.clock).run()
    assert only_refund(shop).status == "unknown"
    gateway.defect = ""
    shop.clock.now += timedelta(hours=1)
    shop.billing.run()
    assert only_refund(shop).status == "succeeded"
    assert len(gateway.refunds) == 1


def test_what_is_pending_stays_so_while_the_gateway_cannot_tell(open_a_shop: Opened) -> None:
    gateway = Odd("is vague")
    shop = open_a_shop(gateways={"odd": gateway})
    payment = paid_at(shop, "odd")
    gateway.pend_refund_next(days=2)
    assert refund(shop, payment).status == "pending"
    shop.time.expect(*[RefundPending] * 4).advance(days=3)
    gateway.defect = ""
    gateway.ignore_next()
    shop.time.expect(RefundPending).advance(days=1)
    shop.time.expect(RefundSucceeded).advance(days=1)


def test_a_gateway_that_speaks_of_another_amount_is_a_matter_for_a_person(
    open_a_shop: Opened,
) -> None:
    gateway = Odd("doubles")
    shop = open_a_shop(gateways={"odd": gateway})
    begun = refund(shop, paid_at(shop, "odd"))
    assert begun.parked is not None
    assert "as was asked for" in begun.parked
    gateway.defect = ""
    assert shop.billing.unpark("refund", begun.id).status == "succeeded"
    assert len(gateway.refunds) == 1


def test_a_message_about_a_refund_of_somebody_else_is_not_ours(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop()
    refund(shop, paid(shop))
    other = open_shop(MemoryStorage())
    receipts = [
        other.billing.webhooks.receive("card", message.raw, message.headers)
        for message in shop.gateway.webhooks()
    ]
    # It may still overtake its payment.
    assert {receipt.status for receipt in receipts} == {"waiting"}


def test_of_two_refunds_at_once_only_one_takes_what_is_left(
    shop: Shop,
) -> None:
    payment = paid(shop)
    together = Barrier(4)
    refused: list[DomainError] = []

    def give() -> None:
        together.wait(10)
        try:
            shop.billing.payments.refund(payment.id, eur("30.00"), reason="twice")
        except DomainError as error:
            refused.append(error)

    threads = [Thread(target=give) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 3
    assert given_back(shop) == ["succeeded 30.00 EUR"]
    assert again(shop, payment).refundable == eur("20.00")


def test_in_a_transaction_nothing_is_given_back_before_the_commit(shop: Shop) -> None:
    payment = paid(shop)
    with shop.billing.transaction():
        begun = refund(shop, payment, "20.00")
        assert begun.status == "intended"
        assert shop.gateway.refunds == ()
    assert only_refund(shop).status == "succeeded"

    def twice() -> None:
        with shop.billing.transaction():
            refund(shop, payment, "20.00")
            refund(shop, payment, "20.00")

    with pytest.raises(ValidationError):
        twice()
    assert given_back(shop) == ["succeeded 20.00 EUR"]


def test_an_asynchronous_host_gives_back_and_credits_alike() -> None:
    async def host() -> list[str]:
        billing = AsyncBilling(gateways={"card": FakeGateway()}, clock=TestClock(date(2027, 1, 1)))
        ada = await billing.customers.create(name="Ada Lovelace")
        await billing.payment_methods.attach(ada.id, "tok_visa")
        await billing.balance.adjust(ada.id, eur("10.00"), reason="goodwill")
        await billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("50.00"))])
        (payment,) = (await billing.payments.list()).items
        made = await billing.payments.refund(payment.id, eur("15.00"), reason="a mistake")
        listed = (await billing.payments.refunds(payment=payment.id)).items
        assert listed == (await billing.payments.get_refund(made.id),)
        moved = (await billing.balance.entries(ada.id)).items
        left = (await billing.payments.get(payment.id)).refundable
        return [made.status, str(left), *[str(each.amount) for each in moved]]

    assert asyncio.run(host()) == ["succeeded", "25.00 EUR", "10.00 EUR", "-10.00 EUR"]


# ---- on cancellation -----------------------------------------------------------------------------


def subscribed(shop: Shop, customer: Customer, amount: str = "31.00") -> Subscription:
    """Subscribe a customer for a month, of which 20 days pass."""
    sub = shop.subscribe(customer, shop.price(eur(amount)))
    shop.time.advance(days=20)
    return sub


def cancel(shop: Shop, sub: Subscription) -> None:
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="refund")


def test_on_cancellation_unused_time_is_given_back_to_the_card(shop: Shop) -> None:
    ada = shop.customer()
    sub = subscribed(shop, ada)
    cancel(shop, sub)
    assert given_back(shop) == ["succeeded 11.00 EUR"]
    assert entries(shop, ada) == [
        "negative_invoice 11.00 EUR → 11.00 EUR",
        "refund -11.00 EUR → 0.00 EUR",
    ]
    made = only_refund(shop)
    first, last = shop.invoices(ada)
    assert (made.invoice, made.from_balance) == (last.id, True)
    assert (first.status, last.status) == ("paid", "paid")
    assert [each.refund for each in shop.billing.balance.entries(ada.id)] == [None, made.id]
    assert shop.billing.customers.get(ada.id).balance == ()


def test_a_cancellation_of_a_day_to_come_gives_back_when_it_comes(shop: Shop) -> None:
    ada = shop.customer()
    sub = subscribed(shop, ada)
    shop.billing.subscriptions.cancel(sub.id, when=date(2027, 1, 27), settlement="refund")
    assert shop.gateway.refunds == ()
    shop.time.expect(RefundIntended, RefundSucceeded).advance(days=6)
    assert given_back(shop) == ["succeeded 5.00 EUR"]


def test_what_came_by_transfer_stays_on_the_balance(shop: Shop) -> None:
    ada = shop.customer(None)
    sub = shop.subscribe(ada, shop.price(eur("31.00")))
    shop.billing.payments.record(ada.id, eur("31.00"))
    shop.time.advance(days=20)
    cancel(shop, sub)
    assert entries(shop, ada) == ["negative_invoice 11.00 EUR → 11.00 EUR"]
    assert list(shop.billing.payments.refunds()) == []


def test_what_the_balance_had_paid_stays_there_and_only_the_card_gets_its_part(
    shop: Shop,
) -> None:
    ada = shop.customer()
    shop.billing.balance.adjust(ada.id, eur("25.00"), reason="goodwill")
    sub = subscribed(shop, ada)
    assert [str(charge.amount) for charge in shop.gateway.charges] == ["6.00 EUR"]
    cancel(shop, sub)
    assert given_back(shop) == ["succeeded 6.00 EUR"]
    assert shop.billing.customers.get(ada.id).balance == (eur("5.00"),)


def test_no_more_is_given_back_than_was_kept_of_the_period(shop: Shop) -> None:
    ada = shop.customer()
    sub = subscribed(shop, ada)
    shop.time.advance(to=date(2027, 2, 8))
    first, second = shop.payments()
    refund(shop, second, "21.00")
    cancel(shop, sub)
    # 21 of 28 days of February are 23.25; 10.00 are left of what was paid for it.
    assert given_back(shop)[1:] == ["succeeded 10.00 EUR"]
    assert [again(shop, each).refundable for each in (first, second)] == [
        eur("31.00"),
        eur("0.00"),
    ]
    assert shop.billing.customers.get(ada.id).balance == ()


def test_the_latest_payments_give_back_first_what_the_balance_had_paid(shop: Shop) -> None:
    ada = shop.customer()
    sub = subscribed(shop, ada)
    shop.billing.balance.adjust(ada.id, eur("21.00"), reason="goodwill")
    shop.time.advance(to=date(2027, 2, 8))
    cancel(shop, sub)
    # 21 of 28 days of February are 23.25; 10.00 of it were paid by card.
    assert given_back(shop) == ["succeeded 10.00 EUR", "succeeded 13.25 EUR"]
    assert shop.billing.customers.get(ada.id).balance == ()


def test_no_more_is_given_back_than_is_credited_though_there_are_other_payments(
    shop: Shop,
) -> None:
    ada = shop.customer()
    sub = subscribed(shop, ada)
    shop.time.advance(to=date(2027, 2, 8))
    cancel(shop, sub)
    assert given_back(shop) == ["succeeded 23.25 EUR"]
    assert [again(shop, each).refunded for each in shop.payments()] == [eur("0.00"), eur("23.25")]


def test_a_payment_of_another_purchase_is_never_touched(shop: Shop) -> None:
    ada = shop.customer()
    shop.billing.balance.adjust(ada.id, eur("31.00"), reason="goodwill")
    sub = subscribed(shop, ada)
    paid(shop, ada)
    cancel(shop, sub)
    assert shop.gateway.refunds == ()
    assert shop.billing.customers.get(ada.id).balance == (eur("11.00"),)


def test_a_refund_that_is_refused_returns_to_the_balance_once(shop: Shop) -> None:
    ada = shop.customer()
    sub = subscribed(shop, ada)
    shop.gateway.fail_refund_next()
    cancel(shop, sub)
    assert entries(shop, ada) == [
        "negative_invoice 11.00 EUR → 11.00 EUR",
        "refund -11.00 EUR → 0.00 EUR",
        "refund_failed 11.00 EUR → 11.00 EUR",
    ]
    for message in shop.gateway.webhooks():
        for _ in range(2):
            shop.billing.webhooks.receive("card", message.raw, message.headers)
    shop.time.advance(days=3)
    assert len(entries(shop, ada)) == 3
    shop.subscribe(ada, shop.price(eur("31.00")))
    assert entries(shop, ada)[3:] == ["applied -11.00 EUR → 0.00 EUR"]


def test_a_refund_that_comes_back_later_returns_to_the_balance_once(shop: Shop) -> None:
    ada = shop.customer()
    cancel(shop, subscribed(shop, ada))
    shop.gateway.send_back(only_refund(shop).id)
    messages = shop.gateway.webhooks()
    for message in (*messages, *reversed(messages)):
        shop.billing.webhooks.receive("card", message.raw, message.headers)
    assert entries(shop, ada)[2:] == ["refund_failed 11.00 EUR → 11.00 EUR"]


@pytest.mark.parametrize("executed", [True, False])
def test_silence_on_cancellation_gives_back_once(shop: Shop, *, executed: bool) -> None:
    ada = shop.customer()
    sub = subscribed(shop, ada)
    shop.gateway.time_out_refund_next(executed=executed, times=3)
    cancel(shop, sub)
    assert only_refund(shop).status == "unknown"
    assert shop.billing.customers.get(ada.id).balance == ()
    shop.time.advance(days=2)
    assert given_back(shop) == ["succeeded 11.00 EUR"]
    assert len(entries(shop, ada)) == 2


def test_a_customer_with_one_invoice_a_day_is_given_back_on_one_of_its_own(shop: Shop) -> None:
    ada = shop.customer()
    shop.billing.customers.update(ada.id, grouping=Grouping.DAY)
    sub = subscribed(shop, ada)
    other = shop.subscribe(ada, shop.price(eur("20.00"), name="Other"))
    cancel(shop, sub)
    assert given_back(shop) == ["succeeded 11.00 EUR"]
    shop.time.advance(days=1)
    assert shop.subscription(other).status == "active"
    assert shop.billing.customers.get(ada.id).balance == ()


def test_nothing_is_given_back_of_a_debt_but_the_debt_is_less(shop: Shop) -> None:
    shop.billing.dunning.set_policy(
        DunningPolicy(retries=Retries.after_days(1), final=MarkUnpaid())
    )
    ada = shop.customer()
    sub = subscribed(shop, ada)
    shop.billing.payment_methods.attach(ada.id, "tok_insufficient_funds", default=True)
    shop.time.advance(to=date(2027, 2, 8))
    assert shop.subscription(sub).status == "unpaid"
    cancel(shop, sub)
    assert list(shop.billing.payments.refunds()) == []
    last = shop.invoices(ada)[-1]
    assert (last.status, last.total, last.amount_due) == ("open", eur("31.00"), eur("7.75"))


def test_who_pauses_and_cancels_is_given_back_as_well(shop: Shop) -> None:
    ada = shop.customer()
    sub = subscribed(shop, ada)
    shop.billing.subscriptions.pause(sub.id, collect=False)
    cancel(shop, sub)
    assert given_back(shop) == ["succeeded 11.00 EUR"]


@pytest.mark.parametrize("settlement", ["none", "credit"])
def test_without_being_asked_for_nothing_is_given_back(shop: Shop, settlement: str) -> None:
    ada = shop.customer()
    sub = subscribed(shop, ada)
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement=settlement)
    assert list(shop.billing.payments.refunds()) == []
    expected = ["negative_invoice 11.00 EUR → 11.00 EUR"] if settlement == "credit" else []
    assert entries(shop, ada) == expected


def test_a_preview_of_a_cancellation_gives_nothing_back_and_its_commit_does(shop: Shop) -> None:
    ada = shop.customer()
    sub = subscribed(shop, ada)
    plan = shop.billing.preview.subscriptions.cancel(sub.id, when="now", settlement="refund")
    assert shop.gateway.refunds == ()
    shop.billing.commit(plan)
    assert given_back(shop) == ["succeeded 11.00 EUR"]
