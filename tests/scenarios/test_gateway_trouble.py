"""Answers of gateways that come late, twice, in the wrong order, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime

import pytest
from attrs import define, evolve

from subscriptions import Billing, InvalidTransition, MemoryStorage
from subscriptions.dunning import DunningPostponed, DunningStarted
from subscriptions.gateways import (
    Capabilities,
    GatewayEvent,
    Reconciled,
    Secret,
    WebhookRefused,
)
from subscriptions.gateways.fake import WEBHOOK_SECRET, FakeGateway
from subscriptions.gateways.fake.messages import write
from subscriptions.invoices import InvoiceFinalized, InvoiceOverdue, InvoicePaid
from subscriptions.lifecycle import SubscriptionRecovered
from subscriptions.payment_methods import MethodDetails
from subscriptions.payments import (
    ChargeIntent,
    Outcome,
    PaymentActionRequired,
    PaymentFailed,
    PaymentNotExecuted,
    PaymentOutcomeUnknown,
    PaymentProcessing,
    PaymentSnapshot,
    PaymentSucceeded,
    PaymentVoided,
)
from subscriptions.storage import Storage
from tests.scenarios.shop import Shop, audit, eur, open_shop

Opened = Callable[..., Shop]


@pytest.mark.parametrize("token", ["tok_timeout_executed", "tok_timeout_not_executed"])
def test_a_time_out_is_asked_about_and_charged_exactly_once(shop: Shop, token: str) -> None:
    shop.subscribe(shop.customer(token))
    shop.time.expect(InvoiceFinalized, PaymentOutcomeUnknown).advance(minutes=4)
    shop.time.expect(PaymentSucceeded, InvoicePaid).advance(minutes=1)
    invoice = shop.only_invoice()
    assert [charge.outcome for charge in shop.gateway.charges] == [Outcome.SUCCEEDED]
    assert shop.gateway.succeeded_minor(invoice.id) == 2900
    assert len(shop.payments(invoice)) == 1


def test_silence_is_no_decline_nobody_is_dunned(shop: Shop) -> None:
    shop.gateway.time_out_next(executed=True, times=3)
    shop.subscribe(shop.customer())
    happened = shop.time.expect(
        PaymentOutcomeUnknown, PaymentOutcomeUnknown, PaymentOutcomeUnknown
    ).advance(hours=2)
    assert not [e for e in happened if isinstance(e, InvoiceOverdue | DunningStarted)]
    shop.time.expect(PaymentSucceeded).advance(hours=6)


def test_what_is_unknown_blocks_every_other_attempt(shop: Shop) -> None:
    ada = shop.customer()
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(ada)
    invoice = shop.only_invoice()
    with pytest.raises(InvalidTransition) as refused:
        shop.billing.invoices.pay(invoice.id)
    assert refused.value.state == "collecting"
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.void(invoice.id, reason="a mistake")
    shop.billing.payment_methods.attach(ada.id, "tok_mastercard", default=True)
    assert len(shop.payments(invoice)) == 1
    shop.time.expect(PaymentSucceeded, InvoicePaid).advance(days=1)
    assert len(shop.gateway.charges) == 1


def test_past_the_replay_window_a_lost_charge_is_found_not_repeated(shop: Shop) -> None:
    shop.gateway.time_out_next(executed=True, times=4)
    shop.subscribe(shop.customer())
    shop.time.expect(*[PaymentOutcomeUnknown] * 4).advance(days=1)
    shop.time.expect(PaymentSucceeded, InvoicePaid).advance(days=1)
    assert len(shop.gateway.charges) == 1
    assert shop.gateway.alerts == ()


def test_past_the_replay_window_a_charge_that_never_was_is_voided_and_made_anew(
    shop: Shop,
) -> None:
    shop.gateway.time_out_next(executed=False, times=4)
    shop.subscribe(shop.customer())
    shop.time.advance(days=1)
    shop.time.expect(PaymentVoided, PaymentSucceeded, InvoicePaid).advance(days=1)
    invoice = shop.only_invoice()
    assert [payment.status for payment in shop.payments(invoice)] == ["void", "succeeded"]
    assert [charge.outcome for charge in shop.gateway.charges] == [Outcome.SUCCEEDED]


def test_while_the_gateway_cannot_tell_it_is_asked_daily(shop: Shop) -> None:
    shop.gateway.time_out_next(executed=True, times=4)
    shop.gateway.ignore_next(times=5)
    shop.subscribe(shop.customer())
    shop.time.expect(*[PaymentOutcomeUnknown] * 8).advance(days=5)
    shop.time.expect(PaymentOutcomeUnknown, PaymentSucceeded).advance(days=2)
    assert len(shop.gateway.charges) == 1


def test_a_refused_connection_is_tried_again_with_the_same_attempt(shop: Shop) -> None:
    shop.gateway.refuse_connection_next(times=3)
    shop.subscribe(shop.customer())
    shop.time.expect(*[PaymentNotExecuted] * 3, PaymentSucceeded).advance(hours=8)
    assert [payment.ordinal for payment in shop.payments()] == [1]
    assert len(shop.gateway.charges) == 1


def test_a_gateway_that_is_down_for_days_executes_nothing_by_then(shop: Shop) -> None:
    shop.gateway.refuse_connection_next(times=4)
    shop.subscribe(shop.customer())
    shop.time.advance(days=3)
    assert [charge.outcome for charge in shop.gateway.charges] == [Outcome.SUCCEEDED]
    assert shop.statuses() == ["paid"]


def test_what_the_customer_must_confirm_is_paid_when_he_has(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_requires_action"))
    happened = shop.time.expect(InvoiceFinalized, PaymentActionRequired).advance(days=2)
    (asked,) = [event for event in happened if isinstance(event, PaymentActionRequired)]
    assert asked.url.startswith("https://gateway.example/authenticate/")
    shop.gateway.complete_action(asked.payment)
    assert shop.deliver_webhooks() == [True, True]
    shop.time.expect(PaymentSucceeded, InvoicePaid).advance(days=10)


def test_a_confirmation_whose_message_was_lost_is_found_at_the_end(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_requires_action"))
    shop.time.advance(days=2)
    (payment,) = shop.payments()
    shop.gateway.complete_action(payment.id)
    shop.time.expect(PaymentSucceeded, InvoicePaid).advance(days=6)


def test_what_nobody_confirms_expires_and_is_dunned(shop: Shop) -> None:
    ada = shop.customer("tok_requires_action")
    shop.subscribe(ada)
    shop.time.expect(PaymentActionRequired, PaymentVoided, DunningStarted).advance(days=7)
    (payment,) = shop.payments()
    assert payment.status == "void"
    shop.billing.payment_methods.attach(ada.id, "tok_visa", default=True)
    shop.time.expect(PaymentSucceeded, InvoicePaid, SubscriptionRecovered).advance(hours=1)


def test_an_expired_action_that_cannot_be_voided_stays_open_until_it_is(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_requires_action"))
    shop.gateway.ignore_next(times=2)
    shop.time.expect(PaymentActionRequired, *[PaymentOutcomeUnknown] * 2).advance(days=7, hours=1)
    assert shop.payments()[0].status == "requires_action"
    shop.time.expect(PaymentVoided, DunningStarted).advance(hours=1)


def test_a_debit_is_paid_days_later(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_sepa_debit"))
    happened = shop.time.expect(InvoiceFinalized, PaymentProcessing).advance(hours=1)
    assert not [event for event in happened if isinstance(event, InvoiceOverdue)]
    shop.time.expect(PaymentSucceeded, InvoicePaid).advance(days=6)
    assert shop.payments()[0].status == "succeeded"


def test_a_debit_that_the_bank_returns_days_later_is_dunned(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_sepa_debit_returned"))
    shop.time.advance(days=4)
    assert shop.statuses() == ["open"]
    shop.time.expect(PaymentFailed, InvoiceOverdue, DunningStarted).advance(days=1)


def test_the_message_of_a_debit_comes_before_the_question(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_sepa_debit"))
    shop.time.advance(days=4, hours=12)
    (payment,) = shop.payments()
    shop.gateway.settle(payment.id)
    shop.deliver_webhooks()
    shop.time.expect(PaymentSucceeded, InvoicePaid).advance()


def test_dunning_waits_while_a_debit_is_on_its_way(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    shop.subscribe(ada)
    shop.gateway.process_next(days=3)
    shop.time.expect(PaymentFailed, PaymentProcessing).advance(days=1, hours=1)
    happened = shop.time.expect(DunningPostponed, PaymentSucceeded, InvoicePaid).advance(days=4)
    assert not [event for event in happened if isinstance(event, PaymentFailed)]


@define
class Impatient:
    """A gateway whose message arrives while its own answer is still on the way."""

    inner: FakeGateway
    billing: Billing | None = None

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        answer = self.inner.charge(intent)
        assert self.billing is not None
        for message in self.inner.webhooks():
            receipt = self.billing.webhooks.receive("eager", message.raw, message.headers)
            assert receipt.status == "processed"
        return answer

    def void(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        return self.inner.void(intent)

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        return self.inner.reconcile(intent, gateway_ref)

    def attach(self, token: str, customer_ref: str, /) -> MethodDetails:
        return self.inner.attach(token, customer_ref)

    def detach(self, method_ref: str, /) -> None:
        self.inner.detach(method_ref)

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        return self.inner.list_since(instant)

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        return self.inner.parse_webhook(raw, headers, secrets=[*secrets, WEBHOOK_SECRET], now=now)


@pytest.mark.parametrize(
    ("token", "status"), [("tok_visa", "paid"), ("tok_insufficient_funds", "open")]
)
def test_a_message_before_the_answer_counts_once(
    open_a_shop: Opened, token: str, status: str
) -> None:
    eager = Impatient(FakeGateway())
    shop = open_a_shop(gateways={"eager": eager})
    eager.billing = shop.billing
    ada = shop.customer(token=None)
    shop.billing.payment_methods.attach(ada.id, token, gateway="eager")
    shop.subscribe(ada)
    assert shop.statuses() == [status]
    (payment,) = shop.payments()
    assert shop.events(payment.id)[1:] == [
        "payment.succeeded" if status == "paid" else "payment.failed"
    ]


def test_a_message_that_comes_twice_has_one_effect(shop: Shop) -> None:
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(shop.customer())
    (message,) = shop.gateway.webhooks()
    receive = shop.billing.webhooks.receive
    receipt = receive("card", message.raw, message.headers)
    assert receipt.status == "processed"
    after_one = shop.events()
    again = shop.gateway.send_again(message.id)
    receipt = receive("card", message.raw, message.headers)
    assert receipt.status == "processed"
    receipt = receive("card", again.raw, again.headers)
    assert receipt.status == "processed"
    assert shop.events() == after_one
    assert shop.statuses() == ["paid"]
    shop.time.expect(PaymentSucceeded, InvoicePaid).advance(days=2)


def test_messages_in_the_wrong_order_end_the_same(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_sepa_debit"))
    shop.gateway.settle(shop.payments()[0].id)
    processing, succeeded = shop.gateway.webhooks()
    for message in (succeeded, processing):
        shop.billing.webhooks.receive("card", message.raw, message.headers)
    assert shop.statuses() == ["paid"]


def test_a_forged_message_has_no_effect(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_sepa_debit"))
    (message,) = shop.gateway.webhooks()
    before = shop.events()
    forged = message.raw.replace(b"processing", b"succeeded")
    unsigned: dict[str, str] = {}
    wrong = [(forged, message.headers), (message.raw, unsigned), (b"{}", message.headers)]
    for raw, headers in wrong:
        with pytest.raises(WebhookRefused):
            shop.billing.webhooks.receive("card", raw, headers)
    assert shop.events() == before


def test_an_old_message_is_refused(shop: Shop) -> None:
    shop.subscribe(shop.customer())
    (message,) = shop.gateway.webhooks()
    shop.time.advance(minutes=6)
    with pytest.raises(WebhookRefused):
        shop.billing.webhooks.receive("card", message.raw, message.headers)


def test_a_message_about_somebody_elses_payment_is_not_ours(shop: Shop) -> None:
    other = open_shop(MemoryStorage(), tenant="other")
    other.subscribe(other.customer())
    (message,) = other.gateway.webhooks()
    before = shop.events()
    receipt = shop.billing.webhooks.receive("card", message.raw, message.headers)
    assert receipt.status == "ignored"
    assert shop.events() == before


def _late_success(shop: Shop) -> None:
    """Let the gateway say that its first charge succeeded, which its books do not show."""
    late = evolve(shop.gateway.charges[0], outcome=Outcome.SUCCEEDED, decline=None)
    message = write(late, id="evt_late", at=shop.time.now, secret=WEBHOOK_SECRET)
    receipt = shop.billing.webhooks.receive("card", message.raw, message.headers)
    assert receipt.status == "processed"


def test_a_success_after_a_decline_is_still_money(storage: Storage) -> None:
    shop = open_shop(storage)
    sub = shop.subscribe(shop.customer("tok_insufficient_funds"))
    shop.time.expect(PaymentFailed).advance(hours=1)
    _late_success(shop)
    shop.time.expect(PaymentSucceeded, InvoicePaid, SubscriptionRecovered).advance(days=20)
    assert shop.subscription(sub).status == "active"
    assert len(shop.gateway.charges) == 1, "and the ladder stops"
    # All is well but for the gateway's books: here its message alone says so.
    assert audit(shop) == [f"{shop.payments()[0].id} took no money"]


def test_a_success_after_the_invoice_was_paid_otherwise_waits_for_a_person(
    storage: Storage,
) -> None:
    shop = open_shop(storage)
    ada = shop.customer("tok_insufficient_funds")
    shop.subscribe(ada)
    shop.billing.payments.record(ada.id, eur("29.00"))
    _late_success(shop)
    charged, transferred = shop.payments()
    assert (transferred.unallocated, charged.unallocated) == (eur("0.00"), eur("29.00"))
    assert shop.only_invoice().paid == eur("29.00")
    assert audit(shop) == [f"{charged.id} took no money"]


def test_a_transfer_while_a_debit_is_on_its_way_pays_and_the_debit_is_left_over(
    shop: Shop,
) -> None:
    ada = shop.customer("tok_sepa_debit")
    shop.subscribe(ada)
    shop.billing.payments.record(ada.id, eur("29.00"))
    assert shop.statuses() == ["paid"]
    shop.time.expect(PaymentSucceeded, InvoicePaid, PaymentSucceeded).advance(days=7)
    debit = next(each for each in shop.payments() if each.gateway == "card")
    assert (debit.status, debit.unallocated) == ("succeeded", eur("29.00"))


def test_a_detached_card_is_not_charged_any_more(shop: Shop) -> None:
    ada = shop.customer()
    shop.subscribe(ada, start=date(2027, 1, 31))
    (method,) = shop.billing.payment_methods.list(customer=ada.id)
    shop.billing.payment_methods.detach(method.id)
    assert shop.billing.customers.get(ada.id).default_method is None
    shop.time.expect(InvoiceFinalized).advance(to=date(2027, 2, 1))
    assert shop.statuses() == ["open"]
    assert shop.gateway.charges == ()


def test_an_attempt_under_way_ends_though_its_card_was_detached(shop: Shop) -> None:
    ada = shop.customer()
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(ada)
    (method,) = shop.billing.payment_methods.list(customer=ada.id)
    shop.billing.payment_methods.detach(method.id)
    shop.time.expect(PaymentSucceeded).advance(hours=1)
