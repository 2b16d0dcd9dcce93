"""What nobody knows, and what cannot be true, ends up on one list, once, until it is settled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from attrs import evolve

from subscriptions import DunningPolicy, InvalidTransition, OneOff, Retries, ValidationError
from subscriptions.customers import Customer
from subscriptions.dunning import DunningReminderDue
from subscriptions.errors import NotFound, TooManyAttempts
from subscriptions.gateways.fake import WEBHOOK_SECRET
from subscriptions.gateways.fake.messages import write
from subscriptions.invoices import Invoice
from subscriptions.money import Money
from subscriptions.payments import (
    Outcome,
    Payment,
    PaymentOutcomeUnknown,
    PaymentQuarantined,
    PaymentResolved,
)
from subscriptions.review import ReviewItem
from subscriptions.storage import Storage
from tests.scenarios.shop import Shop, audit, eur, open_shop

Opened = Callable[..., Shop]
LONG = 99


def review(shop: Shop) -> list[ReviewItem]:
    return list(shop.billing.payments.review())


def silence(shop: Shop) -> Payment:
    """Let a charge be unknown: it was not executed, and the gateway says nothing any more."""
    shop.gateway.time_out_next(executed=False, times=LONG)
    shop.gateway.ignore_next(times=LONG)
    shop.subscribe(shop.customer())
    (payment,) = shop.payments()
    return payment


def said(shop: Shop, payment: Payment, amount: Money, outcome: Outcome = Outcome.SUCCEEDED) -> None:
    """Let the gateway tell of another amount than it was asked for."""
    (charge,) = [each for each in shop.gateway.charges if each.attempt == payment.id]
    intent = evolve(charge.intent, amount=amount)
    told = evolve(charge, intent=intent, outcome=outcome, decline=None)
    message = write(told, id=f"evt_{amount.minor}", at=shop.time.now, secret=WEBHOOK_SECRET)
    receipt = shop.billing.webhooks.receive("card", message.raw, message.headers)
    assert receipt.status == "processed", "whoever delivers it need not care"


# ---- unknown for too long ------------------------------------------------------------------------


def test_an_outcome_that_is_unknown_for_three_days_is_listed_once_and_asked_on(shop: Shop) -> None:
    payment = silence(shop)
    shop.time.expect(*[PaymentOutcomeUnknown] * 6).advance(days=3)
    assert review(shop) == []
    shop.time.advance(days=1)
    (item,) = review(shop)
    assert (item.matter, item.kind, item.subject) == ("outcome_unknown", "payment", payment.id)
    assert (item.customer, item.amount) == (payment.customer, eur("29.00"))
    assert "payments.resolve" in item.todo
    shop.time.expect(*[PaymentOutcomeUnknown] * 10).advance(days=10)
    assert [each.id for each in review(shop)] == [item.id]
    assert shop.events().count("review.needed") == 1


def test_what_the_gateway_says_at_last_takes_it_from_the_list(shop: Shop) -> None:
    shop.gateway.time_out_next(executed=True, times=4)
    shop.gateway.ignore_next(times=5)
    shop.subscribe(shop.customer())
    shop.time.advance(days=5)
    assert len(review(shop)) == 1
    shop.time.advance(days=3)
    assert shop.statuses() == ["paid"]
    assert review(shop) == []
    (closed,) = shop.billing.payments.review(status="closed")
    assert closed.closed is not None
    assert closed.closed.reason == "succeeded"


def test_an_absence_that_is_proved_at_last_takes_it_from_the_list(shop: Shop) -> None:
    shop.gateway.time_out_next(executed=False, times=4)
    shop.gateway.ignore_next(times=5)
    shop.subscribe(shop.customer())
    shop.time.advance(days=8)
    assert [payment.status for payment in shop.payments()] == ["void", "succeeded"]
    assert review(shop) == []
    assert len(list(shop.billing.payments.review(status="closed"))) == 1


def test_a_gateway_that_cannot_be_reached_for_days_is_listed(shop: Shop) -> None:
    shop.gateway.refuse_connection_next(times=LONG)
    shop.gateway.ignore_next(times=LONG)
    shop.subscribe(shop.customer())
    shop.time.advance(days=5)
    assert [item.matter for item in review(shop)] == ["outcome_unknown"]


def test_a_refund_that_is_unknown_for_days_is_listed_until_it_is_known(shop: Shop) -> None:
    shop.subscribe(shop.customer())
    (payment,) = shop.payments()
    shop.gateway.time_out_refund_next(executed=True, times=4)
    shop.gateway.ignore_next(times=5)
    refund = shop.billing.payments.refund(payment.id, reason="goodwill")
    shop.time.advance(days=5)
    (item,) = review(shop)
    assert (item.kind, item.subject, item.amount) == ("refund", refund.id, eur("29.00"))
    shop.time.advance(days=3)
    assert shop.billing.payments.get_refund(refund.id).status == "succeeded"
    assert review(shop) == []


# ---- a person's word -----------------------------------------------------------------------------


def test_what_a_person_found_at_the_gateway_pays_the_invoice(storage: Storage) -> None:
    shop = open_shop(storage)
    payment = silence(shop)
    shop.time.advance(days=4)
    resolved = shop.billing.payments.resolve(
        payment.id, outcome="succeeded", reference="ch_4711", reason="seen in the dashboard"
    )
    assert (resolved.status, resolved.reference) == ("succeeded", "ch_4711")
    assert shop.statuses() == ["paid"]
    assert review(shop) == []
    (word,) = [e.body for e in shop.billing.events.list() if isinstance(e.body, PaymentResolved)]
    assert (word.outcome, word.reason) == ("succeeded", "seen in the dashboard")
    # The books of this gateway show no charge, whatever that person saw.
    assert audit(shop) == [f"{payment.id} took no money"]


def test_what_never_happened_is_void_and_dunning_looks_after_the_invoice(shop: Shop) -> None:
    payment = silence(shop)
    shop.time.advance(days=4)
    resolved = shop.billing.payments.resolve(
        payment.id, outcome="never_happened", reason="not in the dashboard"
    )
    assert resolved.status == "void"
    assert (shop.statuses(), review(shop)) == (["open"], [])
    assert shop.gateway.charges == (), "a word charges nobody"
    assert shop.billing.dunning.status(shop.only_invoice().id).status == "running"


def test_a_debit_that_never_ended_failed(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_sepa_debit"))
    (payment,) = shop.payments()
    resolved = shop.billing.payments.resolve(
        payment.id, outcome="never_happened", reason="the bank lost it"
    )
    assert resolved.status == "declined"
    assert shop.statuses() == ["open"]


def test_a_success_that_was_not_known_counts_although_it_comes_by_message_as_well(
    shop: Shop,
) -> None:
    shop.gateway.time_out_next(executed=True, times=LONG)
    shop.subscribe(shop.customer())
    (payment,) = shop.payments()
    (charge,) = shop.gateway.charges
    resolve = shop.billing.payments.resolve
    resolve(payment.id, outcome="succeeded", reference=charge.reference, reason="seen")
    shop.deliver_webhooks()
    assert shop.statuses() == ["paid"]
    assert shop.billing.payments.get(payment.id).unallocated == eur("0.00")


def test_a_word_that_cannot_be_true_is_refused(shop: Shop) -> None:
    shop.subscribe(shop.customer())
    (paid,) = shop.payments()
    resolve = shop.billing.payments.resolve
    with pytest.raises(InvalidTransition):
        resolve(paid.id, outcome="never_happened", reason="no")
    with pytest.raises(InvalidTransition):
        resolve(paid.id, outcome="succeeded", reference="ch_1", reason="yes")
    with pytest.raises(NotFound):
        resolve("pay_nowhere", outcome="succeeded", reference="ch_1", reason="yes")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"outcome": "perhaps", "reason": "who knows"}, "outcome"),
        ({"outcome": "succeeded", "reason": "seen"}, "reference"),
        ({"outcome": "never_happened", "reason": " "}, "reason"),
    ],
)
def test_a_word_needs_an_outcome_a_reference_and_a_reason(
    shop: Shop, given: dict[str, str], field: str
) -> None:
    payment = silence(shop)
    with pytest.raises(ValidationError) as refused:
        shop.billing.payments.resolve(payment.id, **given)  # type: ignore[arg-type]  # wrong ones
    assert refused.value.field == field
    assert shop.billing.payments.get(payment.id).status == "unknown"


# ---- another amount ------------------------------------------------------------------------------


def test_another_amount_sets_the_payment_aside_and_blocks_its_invoice(shop: Shop) -> None:
    ada = shop.customer("tok_sepa_debit")
    shop.subscribe(ada)
    (payment,) = shop.payments()
    said(shop, payment, eur("92.00"))
    (event,) = [
        e.body for e in shop.billing.events.list() if isinstance(e.body, PaymentQuarantined)
    ]
    assert (event.asked, event.said) == (eur("29.00"), eur("92.00"))
    (item,) = review(shop)
    assert (item.matter, item.subject) == ("quarantined", payment.id)
    assert "92.00 EUR" in item.facts
    said(shop, payment, eur("93.00"))
    assert [each.id for each in review(shop)] == [item.id], "once is enough"
    shop.billing.payment_methods.attach(ada.id, "tok_visa", default=True)
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.pay(shop.only_invoice().id)
    shop.time.advance(days=20)
    assert len(shop.gateway.charges) == 1
    assert shop.statuses() == ["open"]
    shop.billing.payments.resolve(
        payment.id, outcome="succeeded", reference="ch_1", reason="92.00 was a typing error"
    )
    assert (shop.statuses(), review(shop)) == (["paid"], [])


def test_another_amount_of_what_was_declined_blocks_its_invoice_as_well(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    shop.subscribe(ada)
    (declined,) = shop.payments()
    said(shop, declined, eur("92.00"))
    assert shop.billing.payments.get(declined.id).parked is not None
    with pytest.raises(InvalidTransition) as refused:
        shop.billing.invoices.pay(shop.only_invoice().id)
    assert refused.value.state == "collecting"
    shop.billing.payment_methods.attach(ada.id, "tok_visa", default=True)
    happened = shop.time.advance(days=29)
    assert len(shop.gateway.charges) == 1, "nothing is tried again meanwhile"
    reminders = [event for event in happened if isinstance(event, DunningReminderDue)]
    assert len(reminders) == 1, "the one of the first day, before anybody knew"
    assert shop.billing.subscriptions.list()[0].status == "past_due"
    resolve = shop.billing.payments.resolve
    resolve(declined.id, outcome="never_happened", reason="given back at the gateway")
    assert shop.billing.payments.get(declined.id).status == "declined"
    assert review(shop) == []
    assert shop.statuses() == ["paid"], "the retry that was held is made at once"


def test_a_payment_that_is_released_frees_its_invoice(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_insufficient_funds"))
    (declined,) = shop.payments()
    said(shop, declined, eur("92.00"))
    assert shop.only_invoice().collecting == declined.id
    shop.billing.unpark("payment", declined.id)
    assert shop.only_invoice().collecting is None
    assert review(shop) == []


def test_another_amount_of_an_old_attempt_is_listed_while_the_next_is_under_way(
    shop: Shop,
) -> None:
    ada = shop.customer("tok_insufficient_funds")
    shop.subscribe(ada)
    (declined,) = shop.payments()
    shop.gateway.process_next(days=3)
    shop.billing.payment_methods.attach(ada.id, "tok_visa", default=True)
    debit = shop.payments()[1]
    said(shop, declined, eur("92.00"))
    assert shop.only_invoice().collecting == debit.id
    shop.time.advance(days=9)
    assert shop.statuses() == ["paid"]
    assert [item.subject for item in review(shop)] == [declined.id]


def test_another_currency_sets_the_payment_aside(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_sepa_debit"))
    (payment,) = shop.payments()
    said(shop, payment, Money.of("29.00", "USD"))
    assert [item.matter for item in review(shop)] == ["quarantined"]
    shop.billing.unpark("payment", payment.id)
    assert review(shop) == []
    shop.time.advance(days=6)
    assert shop.statuses() == ["paid"]


def test_another_amount_of_what_was_paid_takes_nothing_back(shop: Shop) -> None:
    shop.subscribe(shop.customer())
    (payment,) = shop.payments()
    said(shop, payment, eur("92.00"))
    assert shop.statuses() == ["paid"]
    assert [item.subject for item in review(shop)] == [payment.id]
    shop.billing.payments.resolve(payment.id, outcome="succeeded", reason="29.00 it was")
    assert (review(shop), shop.billing.payments.get(payment.id).parked) == ([], None)


# ---- parked --------------------------------------------------------------------------------------


def test_a_parked_record_is_listed_until_it_is_released(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer())
    gateways = shop.billing.engine.gateways
    card = gateways.pop("card")  # type: ignore[attr-defined]  # a dict, as it happens
    shop.time.advance(days=32)
    gateways["card"] = card  # type: ignore[index]  # likewise
    (item,) = review(shop)
    assert (item.matter, item.kind, item.subject) == ("parked", "subscription", subscription.id)
    assert "gateway" in item.facts
    shop.billing.unpark("subscription", subscription.id)
    assert review(shop) == []
    assert shop.statuses() == ["paid", "paid"]


def test_an_item_is_closed_by_hand_once(shop: Shop) -> None:
    silence(shop)
    shop.time.advance(days=4)
    (item,) = review(shop)
    closed = shop.billing.payments.close_review(item.id, reason="looked at")
    assert closed.status == "closed"
    with pytest.raises(InvalidTransition):
        shop.billing.payments.close_review(item.id, reason="looked at")
    with pytest.raises(ValidationError):
        shop.billing.payments.close_review(item.id, reason="")
    shop.time.advance(days=1)
    assert [each.id for each in review(shop)] == [item.id], "nobody knows yet, so it comes back"


def test_the_list_can_be_narrowed(shop: Shop) -> None:
    payment = silence(shop)
    shop.time.advance(days=4)
    listed = shop.billing.payments.review
    assert listed(matter="outcome_unknown", customer=payment.customer).total == 1
    assert listed(matter="parked").total == listed(status="closed").total == 0
    assert listed(status=None).total == 1
    with pytest.raises(ValidationError):
        listed(matter="everything")


# ---- how often -----------------------------------------------------------------------------------


def _declined(shop: Shop, times: int) -> tuple[Customer, Invoice]:
    """Let a card be declined so many times within a day, each for an invoice of its own."""
    ada = shop.customer("tok_insufficient_funds")
    invoice = None
    for _ in range(times):
        invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("5.00"))])
    assert invoice is not None
    assert len(shop.gateway.charges) == times
    return ada, invoice


def test_after_ten_declines_in_a_day_a_card_rests_until_the_day_is_over(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop()
    shop.billing.dunning.set_policy(DunningPolicy(retries=Retries.after_days(3)))
    _, invoice = _declined(shop, 10)
    with pytest.raises(TooManyAttempts) as refused:
        shop.billing.invoices.pay(invoice.id)
    assert refused.value.until == shop.time.now + timedelta(days=1)
    assert len(shop.gateway.charges) == 10
    shop.time.advance(days=1)
    shop.billing.invoices.pay(invoice.id)
    assert len(shop.gateway.charges) == 11


def test_dunning_waits_until_a_card_may_be_charged_again(open_a_shop: Opened) -> None:
    shop = open_a_shop()
    shop.billing.dunning.set_policy(DunningPolicy(retries=Retries.after_days(1, 2, 3)))
    _declined(shop, 10)
    for _ in range(40):
        shop.time.advance(days=1)
        attempts = [each.created_at for each in shop.gateway.charges]
        day = [at for at in attempts if at > shop.time.now - timedelta(days=1)]
        month = [at for at in attempts if at > shop.time.now - timedelta(days=30)]
        assert len(day) <= 10
        assert len(month) <= 20
    assert len(shop.gateway.charges) > 20, "it goes on when it may"


def test_a_new_card_is_not_tried_for_more_invoices_than_it_may(open_a_shop: Opened) -> None:
    shop = open_a_shop()
    ada, _ = _declined(shop, 12)
    shop.billing.payment_methods.attach(ada.id, "tok_insufficient_funds", default=True)
    tried = [each for each in shop.gateway.charges if each.intent.method_ref.endswith(".2")]
    assert len(tried) == 10


def test_the_first_attempt_on_an_invoice_is_not_counted_against_anything(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop()
    _declined(shop, 13)


# ---- disputes ------------------------------------------------------------------------------------


def test_a_dispute_is_listed_while_evidence_is_asked_for(shop: Shop) -> None:
    shop.subscribe(shop.customer())
    (payment,) = shop.payments()
    shop.deliver_webhooks()
    reference = shop.gateway.open_dispute(payment.id, evidence_days=7)
    assert shop.deliver_webhooks() == [True]
    (item,) = review(shop)
    assert (item.matter, item.kind, item.amount) == ("dispute", "dispute", eur("29.00"))
    assert "2027-01-08" in item.facts
    shop.gateway.win_dispute(reference)
    shop.deliver_webhooks()
    assert review(shop) == []
