"""An amount is held first and taken later: capture, release, expiry, and every kind of silence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from subscriptions import Billing, InvalidTransition, Money, UnknownReference, ValidationError
from subscriptions.errors import NotSupported
from subscriptions.gateways.bank_transfer import BankTransfer
from subscriptions.gateways.fake import FakeGateway
from subscriptions.invoices import Invoice, InvoicePaid
from subscriptions.payments import (
    Outcome,
    Payment,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentFailed,
    PaymentIntended,
    PaymentOutcomeUnknown,
    PaymentRestReleased,
    PaymentSucceeded,
    PaymentVoided,
)
from tests.scenarios.shop import Shop, eur

Opened = Callable[..., Shop]

DEPOSIT = eur("100.00")


def authorized(shop: Shop, amount: Money = DEPOSIT, *, token: str = "tok_visa") -> Payment:  # noqa: S107 - a test token
    return shop.billing.payments.authorize(shop.customer(token).id, amount)


def owed(shop: Shop, customer: str, amount: str = "29.00") -> Invoice:
    """Return an open invoice that nobody collects."""
    customer_now = shop.billing.customers.get(customer)
    method = customer_now.default_method
    assert method is not None
    shop.gateway.decline_next("insufficient_funds")
    shop.subscribe(customer_now, shop.price(eur(amount)))
    (invoice,) = shop.invoices(customer_now)
    assert (invoice.status.value, invoice.collecting) == ("open", None)
    return invoice


def captures(shop: Shop) -> list[str]:
    """Return what the gateway's own books say was captured."""
    return [str(each.intent.amount) for each in shop.gateway.captures]


def held(shop: Shop, payment: Payment) -> int:
    """Return how much the gateway's own books hold of a payment."""
    return sum(
        charge.capturable_minor for charge in shop.gateway.charges if charge.attempt == payment.id
    )


def test_what_is_authorised_moves_no_money_and_pays_nothing(shop: Shop) -> None:
    happened = shop.time.expect(PaymentIntended, PaymentAuthorized)
    payment = authorized(shop)
    happened.advance(minutes=1)
    assert payment.status == "authorized"
    assert (payment.authorized, payment.unallocated) == (DEPOSIT, eur("0.00"))
    (charge,) = shop.gateway.charges
    assert (charge.outcome, charge.invoice) == (Outcome.AUTHORIZED, "")
    assert captures(shop) == []


def test_all_of_it_is_captured_and_waits_for_an_invoice(shop: Shop) -> None:
    payment = authorized(shop)
    done = shop.billing.payments.capture(payment.id)
    assert (done.status, done.amount, done.unallocated) == ("succeeded", DEPOSIT, DEPOSIT)
    assert shop.events(payment.id) == [
        "payment.intended",
        "payment.authorized",
        "payment.capture_intended",
        "payment.succeeded",
        "payment.allocated",
    ]
    assert captures(shop) == ["100.00 EUR"]
    shop.time.expect().advance(days=30)


def test_a_part_is_captured_and_the_rest_released_at_once(shop: Shop) -> None:
    payment = authorized(shop)
    done = shop.billing.payments.capture(payment.id, eur("40.00"))
    assert (done.amount, done.authorized, done.due_at) == (eur("40.00"), DEPOSIT, None)
    assert shop.events(payment.id)[-1] == "payment.rest_released"
    assert held(shop, payment) == 0
    assert captures(shop) == ["40.00 EUR"]


def test_the_rest_is_released_where_a_gateway_would_hold_on(open_a_shop: Opened) -> None:
    hotel = FakeGateway(multi_capture=True)
    shop = open_a_shop(gateways={"hotel": hotel})
    ada = shop.customer(None)
    method = shop.billing.payment_methods.attach(ada.id, "tok_visa", gateway="hotel")
    payment = shop.billing.payments.authorize(ada.id, DEPOSIT, method=method.id)
    hotel.ignore_next()
    done = shop.billing.payments.capture(payment.id, eur("40.00"))
    assert (done.status, done.due_at) == ("succeeded", shop.clock() + timedelta(minutes=5))
    assert [charge.capturable_minor for charge in hotel.charges] == [6000]
    shop.time.expect(PaymentRestReleased).advance(minutes=5)
    assert [charge.capturable_minor for charge in hotel.charges] == [0]


def test_what_was_captured_pays_the_invoice_that_is_named(shop: Shop) -> None:
    ada = shop.customer()
    payment = shop.billing.payments.authorize(ada.id, DEPOSIT)
    first, second = owed(shop, ada.id), None
    shop.gateway.decline_next("insufficient_funds")
    shop.subscribe(shop.billing.customers.get(ada.id), shop.price(eur("10.00")))
    second = shop.invoices(shop.billing.customers.get(ada.id))[-1]
    done = shop.billing.payments.capture(payment.id, eur("20.00"), invoice=second.id)
    assert [part.invoice for part in done.allocations] == [second.id]
    assert done.unallocated == eur("10.00")
    assert shop.billing.invoices.get(second.id).status.value == "paid"
    assert shop.billing.invoices.get(first.id).status.value == "open"
    assert shop.gateway.succeeded_minor(second.id) == 2000


def test_without_an_invoice_it_pays_the_oldest_ones(shop: Shop) -> None:
    ada = shop.customer()
    payment = shop.billing.payments.authorize(ada.id, DEPOSIT)
    invoice = owed(shop, ada.id)
    done = shop.billing.payments.capture(payment.id)
    assert shop.billing.invoices.get(invoice.id).status.value == "paid"
    assert (done.unallocated, len(done.allocations)) == (eur("71.00"), 1)


def test_it_pays_the_invoice_that_it_was_authorised_for(shop: Shop) -> None:
    ada = shop.customer()
    invoice = owed(shop, ada.id)
    payment = shop.billing.payments.authorize(ada.id, eur("29.00"), invoice=invoice.id)
    assert payment.invoice == invoice.id
    assert shop.billing.invoices.get(invoice.id).status.value == "open"
    shop.billing.payments.capture(payment.id)
    assert shop.billing.invoices.get(invoice.id).status.value == "paid"


def test_a_capture_may_pay_a_part_of_its_invoice(shop: Shop) -> None:
    ada = shop.customer()
    invoice = owed(shop, ada.id)
    payment = shop.billing.payments.authorize(ada.id, DEPOSIT)
    shop.billing.payments.capture(payment.id, eur("9.00"), invoice=invoice.id)
    assert shop.billing.invoices.get(invoice.id).amount_due == eur("20.00")


def test_what_was_captured_can_be_given_back(shop: Shop) -> None:
    payment = authorized(shop)
    shop.billing.payments.capture(payment.id, eur("40.00"))
    refund = shop.billing.payments.refund(payment.id, eur("15.00"), reason="late")
    assert refund.status == "succeeded"
    assert shop.billing.payments.get(payment.id).refundable == eur("25.00")


@pytest.mark.parametrize("executed", [False, True])
def test_a_capture_that_is_not_answered_is_asked_about_and_made_once(
    shop: Shop, *, executed: bool
) -> None:
    payment = authorized(shop)
    shop.gateway.time_out_capture_next(executed=executed)
    asked = shop.billing.payments.capture(payment.id, eur("40.00"))
    assert asked.status == "capturing"
    shop.time.expect(PaymentSucceeded).advance(minutes=5)
    assert captures(shop) == ["40.00 EUR"]


@pytest.mark.parametrize("executed", [False, True])
def test_past_the_replay_window_a_capture_is_found_or_made_anew(
    shop: Shop, *, executed: bool
) -> None:
    payment = authorized(shop)
    shop.gateway.time_out_capture_next(executed=executed, times=4)
    shop.billing.payments.capture(payment.id, eur("40.00"))
    shop.time.expect(PaymentSucceeded).advance(days=3)
    assert captures(shop) == ["40.00 EUR"]
    assert shop.gateway.alerts == ()


def test_while_nobody_says_what_became_of_a_capture_nothing_else_happens(shop: Shop) -> None:
    ada = shop.customer()
    invoice = owed(shop, ada.id)
    payment = shop.billing.payments.authorize(ada.id, DEPOSIT)
    shop.gateway.time_out_capture_next(executed=True)
    shop.billing.payments.capture(payment.id, invoice=invoice.id)
    for again in (
        lambda: shop.billing.payments.capture(payment.id),
        lambda: shop.billing.payments.release(payment.id),
        lambda: shop.billing.invoices.pay(invoice.id),
    ):
        with pytest.raises(InvalidTransition):
            again()
    shop.time.expect(PaymentFailed, PaymentSucceeded, InvoicePaid).advance(minutes=5)
    assert captures(shop) == ["100.00 EUR"]


def test_a_refused_connection_is_tried_again(shop: Shop) -> None:
    payment = authorized(shop)
    shop.gateway.refuse_capture_connection_next()
    shop.billing.payments.capture(payment.id)
    shop.time.expect(PaymentSucceeded).advance(minutes=5)
    assert captures(shop) == ["100.00 EUR"]


def test_what_the_gateway_would_not_capture_is_held_still(shop: Shop) -> None:
    ada = shop.customer()
    invoice = owed(shop, ada.id)
    payment = shop.billing.payments.authorize(ada.id, DEPOSIT)
    shop.gateway.decline_capture_next()
    refused = shop.billing.payments.capture(payment.id, invoice=invoice.id)
    assert refused.status == "authorized"
    assert shop.events(payment.id)[-1] == "payment.capture_failed"
    assert shop.billing.invoices.get(invoice.id).collecting is None
    again = shop.billing.payments.capture(payment.id, invoice=invoice.id)
    assert again.status == "succeeded"
    assert captures(shop) == ["100.00 EUR"]


def test_a_capture_that_comes_too_late_is_declined(shop: Shop) -> None:
    payment = authorized(shop)
    # The gateway's clock is ahead of ours: there the authorisation is over.
    shop.gateway.at(shop.clock() + timedelta(days=8))
    late = shop.billing.payments.capture(payment.id)
    assert late.status == "declined"
    assert getattr(late.state, "decline").code == "authorization_expired"  # noqa: B009 - of one state
    assert captures(shop) == []


def test_what_nobody_captures_expires(shop: Shop) -> None:
    payment = authorized(shop)
    shop.time.expect().advance(days=6)
    shop.time.expect(PaymentVoided).advance(days=1)
    over = shop.billing.payments.get(payment.id)
    assert (over.status, held(shop, payment)) == ("void", 0)
    with pytest.raises(InvalidTransition):
        shop.billing.payments.capture(payment.id)


def test_what_is_released_is_void(shop: Shop) -> None:
    payment = authorized(shop)
    released = shop.billing.payments.release(payment.id)
    assert (released.status, held(shop, payment)) == ("void", 0)
    assert shop.events(payment.id)[-2:] == ["payment.withdrawn", "payment.voided"]
    with pytest.raises(InvalidTransition):
        shop.billing.payments.release(payment.id)


def test_a_release_that_is_not_answered_is_asked_for_again(shop: Shop) -> None:
    payment = authorized(shop)
    shop.gateway.ignore_next(times=2)
    assert shop.billing.payments.release(payment.id).status == "authorized"
    with pytest.raises(InvalidTransition):
        shop.billing.payments.capture(payment.id)
    silences = [PaymentOutcomeUnknown] * 2
    shop.time.expect(*silences, PaymentVoided).advance(hours=2)
    assert held(shop, payment) == 0


@pytest.mark.parametrize("token", ["tok_timeout_executed", "tok_timeout_not_executed"])
def test_an_authorisation_that_is_not_answered_is_made_once(shop: Shop, token: str) -> None:
    payment = authorized(shop, token=token)
    assert payment.status == "unknown"
    shop.time.expect(PaymentAuthorized).advance(minutes=5)
    assert [charge.outcome for charge in shop.gateway.charges] == [Outcome.AUTHORIZED]


@pytest.mark.parametrize("executed", [False, True])
def test_past_the_replay_window_an_authorisation_is_found_or_given_up(
    shop: Shop, *, executed: bool
) -> None:
    shop.gateway.time_out_next(executed=executed, times=4)
    payment = authorized(shop)
    shop.time.advance(days=2)
    status = shop.billing.payments.get(payment.id).status
    assert status == ("authorized" if executed else "void")
    assert len(shop.gateway.charges) == int(executed)


def test_a_decline_holds_nothing_and_a_stolen_card_is_not_tried_again(shop: Shop) -> None:
    ada = shop.customer("tok_stolen_card")
    payment = shop.billing.payments.authorize(ada.id, DEPOSIT)
    assert payment.status == "declined"
    (method,) = shop.billing.payment_methods.list(customer=ada.id)
    assert not method.usable


def test_what_the_customer_must_confirm_is_held_when_he_has(shop: Shop) -> None:
    payment = authorized(shop, token="tok_requires_action")
    assert payment.status == "requires_action"
    shop.gateway.complete_action(payment.id)
    shop.deliver_webhooks()
    assert shop.billing.payments.get(payment.id).status == "authorized"
    assert shop.billing.payments.capture(payment.id).status == "succeeded"


def test_what_the_customer_need_not_confirm_any_more_is_void(shop: Shop) -> None:
    payment = authorized(shop, token="tok_requires_action")
    assert shop.billing.payments.release(payment.id).status == "void"


def test_a_slow_authorisation_is_held_when_the_bank_says_so(shop: Shop) -> None:
    payment = authorized(shop, token="tok_sepa_debit")
    assert payment.status == "processing"
    shop.time.expect(PaymentAuthorized).advance(days=6)
    assert shop.billing.payments.get(payment.id).status == "authorized"


def test_messages_in_any_order_come_to_the_same(shop: Shop) -> None:
    payment = authorized(shop)
    shop.billing.payments.capture(payment.id, eur("40.00"))
    before = shop.billing.payments.get(payment.id)
    messages = shop.gateway.webhooks()
    assert len(messages) == 2
    for message in (*reversed(messages), *messages):
        receipt = shop.billing.webhooks.receive("card", message.raw, message.headers)
        assert receipt.status == "processed"
    assert shop.billing.payments.get(payment.id) == before


def test_a_capture_is_known_by_its_message_before_it_is_asked_about(shop: Shop) -> None:
    payment = authorized(shop)
    shop.gateway.time_out_capture_next(executed=True)
    shop.billing.payments.capture(payment.id, eur("40.00"))
    shop.deliver_webhooks()
    assert shop.billing.payments.get(payment.id).status == "succeeded"
    shop.time.advance(days=30)
    assert held(shop, payment) == 0
    assert captures(shop) == ["40.00 EUR"]


def test_the_same_command_twice_is_done_once(shop: Shop) -> None:
    ada = shop.customer()
    one, other = (
        shop.billing.payments.authorize(ada.id, DEPOSIT, idempotency_key="booking-17")
        for _ in range(2)
    )
    assert one == other
    for _ in range(2):
        shop.billing.payments.capture(one.id, eur("1.00"), idempotency_key="checkout-17")
    assert captures(shop) == ["1.00 EUR"]
    assert len(shop.gateway.charges) == 1


def test_what_cannot_be_authorised_is_refused_and_nothing_changes(shop: Shop) -> None:
    ada, bob = shop.customer(), shop.customer("tok_mastercard", name="Bob")
    card = shop.billing.payment_methods.list(customer=bob.id)[0]
    invoice = owed(shop, bob.id)
    authorize = shop.billing.payments.authorize
    with pytest.raises(UnknownReference):
        authorize("cus_nobody", DEPOSIT)
    with pytest.raises(UnknownReference):
        authorize(ada.id, DEPOSIT, method="pm_none")
    with pytest.raises(UnknownReference):
        authorize(ada.id, DEPOSIT, invoice="inv_none")
    with pytest.raises(ValidationError, match="method of customer"):
        authorize(ada.id, DEPOSIT, method=card.id)
    with pytest.raises(ValidationError, match="invoice of customer"):
        authorize(ada.id, DEPOSIT, invoice=invoice.id)
    with pytest.raises(ValidationError, match="amount"):
        authorize(bob.id, Money.of("1.00", "USD"), invoice=invoice.id)
    with pytest.raises(ValidationError, match="more than zero"):
        authorize(ada.id, eur("0.00"))
    with pytest.raises(ValidationError, match="a Money"):
        authorize(ada.id, 100)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(ValidationError, match="can be charged"):
        authorize(shop.customer(None, name="Cleo").id, DEPOSIT)
    shop.billing.payment_methods.detach(card.id)
    with pytest.raises(ValidationError, match="can be charged"):
        authorize(bob.id, DEPOSIT, method=card.id)
    assert [payment.status for payment in shop.payments()] == ["declined"]


def test_what_cannot_be_captured_is_refused_and_nothing_changes(shop: Shop) -> None:
    ada = shop.customer()
    invoice = owed(shop, ada.id)
    payment = shop.billing.payments.authorize(ada.id, DEPOSIT)
    capture = shop.billing.payments.capture
    with pytest.raises(UnknownReference):
        capture("pay_none")
    with pytest.raises(UnknownReference):
        shop.billing.payments.release("pay_none")
    with pytest.raises(UnknownReference):
        capture(payment.id, invoice="inv_none")
    with pytest.raises(ValidationError, match="at most"):
        capture(payment.id, eur("100.01"))
    with pytest.raises(ValidationError, match="a Money"):
        capture(payment.id, "100")  # type: ignore[arg-type]  # what is refused
    shop.billing.invoices.pay(invoice.id)
    with pytest.raises(ValidationError, match="open"):
        capture(payment.id, invoice=invoice.id)
    assert shop.billing.payments.get(payment.id) == payment
    assert captures(shop) == []


def test_a_gateway_that_takes_no_parts_takes_all(open_a_shop: Opened) -> None:
    whole = FakeGateway(partial_capture=False)
    shop = open_a_shop(gateways={"whole": whole})
    ada = shop.customer(None)
    method = shop.billing.payment_methods.attach(ada.id, "tok_visa", gateway="whole")
    payment = shop.billing.payments.authorize(ada.id, DEPOSIT, method=method.id)
    with pytest.raises(ValidationError, match="all of it"):
        shop.billing.payments.capture(payment.id, eur("40.00"))
    assert shop.billing.payments.capture(payment.id, DEPOSIT).status == "succeeded"


def test_a_gateway_that_cannot_hold_is_named(open_a_shop: Opened) -> None:
    class ChargesOnly(FakeGateway):
        authorize = None  # type: ignore[assignment]  # it cannot

    shop = open_a_shop(gateways={"plain": ChargesOnly(), "bank": BankTransfer()})
    ada = shop.customer(None)
    method = shop.billing.payment_methods.attach(ada.id, "tok_visa", gateway="plain")
    with pytest.raises(NotSupported, match="Authorizes"):
        shop.billing.payments.authorize(ada.id, DEPOSIT, method=method.id)


def test_a_gateway_that_cannot_hold_any_more_is_silence(open_a_shop: Opened) -> None:
    shop = open_a_shop()
    payment = authorized(shop)
    forgotten = Billing(storage=shop.storage, gateways={"other": FakeGateway()}, clock=shop.clock)
    with pytest.raises(ValidationError, match="gateway"):
        forgotten.payments.capture(payment.id)
    assert forgotten.payments.release(payment.id).status == "authorized"


@pytest.mark.parametrize("lost", [False, True])
def test_what_waits_for_the_customer_has_a_link_and_is_not_tried_again(
    shop: Shop, *, lost: bool
) -> None:
    ada = shop.customer("tok_requires_action")
    shop.subscribe(ada)
    invoice = shop.only_invoice()
    (asked,) = [
        event.body
        for event in shop.billing.events.list()
        if isinstance(event.body, PaymentActionRequired)
    ]
    (payment,) = shop.payments(invoice)
    assert asked.url.startswith("https://")
    # No retry by itself, and none by hand, while it waits; the link is good for a week.
    shop.time.expect().advance(days=6)
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.pay(invoice.id)
    assert len(shop.gateway.charges) == 1
    if lost:
        # Its end voids it at the gateway: whoever acts then pays nothing.
        shop.time.expect(PaymentVoided).advance(days=1)
        with pytest.raises(InvalidTransition):
            shop.gateway.complete_action(payment.id)
        assert shop.gateway.succeeded_minor(invoice.id) == 0
        return
    # He acts in the last moment, and the message comes when it was about to be voided.
    shop.gateway.complete_action(payment.id)
    shop.time.expect(PaymentSucceeded, InvoicePaid).advance(days=1)
    assert shop.gateway.succeeded_minor(invoice.id) == 2900


def test_a_customer_who_acts_late_has_paid(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_requires_action"))
    invoice = shop.only_invoice()
    (payment,) = shop.payments(invoice)
    # The gateway does not answer to the void, and the customer acts meanwhile.
    shop.gateway.ignore_next()
    shop.time.expect(PaymentOutcomeUnknown).advance(days=7)
    shop.gateway.complete_action(payment.id)
    shop.time.expect(PaymentSucceeded, InvoicePaid).advance(hours=1)
    assert shop.gateway.succeeded_minor(invoice.id) == 2900


def test_a_capture_that_nobody_can_tell_of_comes_on_the_review_list(shop: Shop) -> None:
    payment = authorized(shop)
    shop.gateway.time_out_capture_next(executed=False, times=9)
    shop.gateway.ignore_next(times=99)
    shop.billing.payments.capture(payment.id, eur("40.00"))
    shop.time.advance(days=4)
    assert [item.subject for item in shop.billing.payments.review()] == [payment.id]
    resolved = shop.billing.payments.resolve(
        payment.id, outcome="never_happened", reason="asked them by phone"
    )
    assert resolved.status == "authorized"
    assert list(shop.billing.payments.review()) == []
    shop.gateway.forget_scripts()
    again = shop.billing.payments.capture(payment.id, eur("50.00"))
    assert (again.status, captures(shop)) == ("succeeded", ["50.00 EUR"])


def test_a_person_may_say_that_a_capture_took_its_part(shop: Shop) -> None:
    payment = authorized(shop)
    shop.gateway.time_out_capture_next(executed=True)
    shop.billing.payments.capture(payment.id, eur("40.00"))
    resolved = shop.billing.payments.resolve(
        payment.id, outcome="succeeded", reference="ch_phone", reason="seen on the statement"
    )
    assert (resolved.status, resolved.amount) == ("succeeded", eur("40.00"))
    shop.time.advance(days=10)
    assert captures(shop) == ["40.00 EUR"]
