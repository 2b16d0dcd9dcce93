"""Payments that are disputed: what is owed again, what is held, and what winning restores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from subscriptions import (
    AsyncBilling,
    DunningPolicy,
    InvalidTransition,
    MarkUnpaid,
    MemoryStorage,
    Money,
    OneOff,
    Reminder,
    Retries,
    UnknownReference,
    ValidationError,
)
from subscriptions.customers import Customer
from subscriptions.disputes import (
    Dispute,
    DisputeAwaitsPayment,
    DisputeKind,
    DisputeOpened,
    DisputePolicy,
    DisputeStatus,
    Reopen,
)
from subscriptions.dunning import DunningStepTaken, Retry
from subscriptions.gateways.fake import FakeGateway
from subscriptions.gateways.fake.messages import WebhookMessage
from subscriptions.invoices import Invoice, InvoicePaid, InvoiceReopened
from subscriptions.lifecycle import SubscriptionPastDue, SubscriptionRecovered
from subscriptions.payment_methods import PaymentMethodHeld, PaymentMethodReleased
from subscriptions.payments import Payment
from subscriptions.storage import Storage
from tests.scenarios.shop import Shop, eur, open_shop

Opened = Callable[..., Shop]
INQUIRY = DisputeKind.INQUIRY


def charged(
    shop: Shop, customer: Customer | None = None, amount: str = "50.00"
) -> tuple[Invoice, Payment]:
    """Invoice something that is charged at once."""
    who = customer or shop.customer()
    invoice = shop.billing.invoices.create_one_off(who.id, [OneOff("Work", eur(amount))])
    (payment,) = shop.payments(invoice)
    return shop.billing.invoices.get(invoice.id), payment


def patient(shop: Shop) -> None:
    """Let dunning take its time, so that nothing ends in the meantime."""
    shop.billing.dunning.set_policy(DunningPolicy(Retries(()), [Reminder(0)], MarkUnpaid(), 90))


def at_the_bank(shop: Shop) -> FakeGateway:
    """Return the gateway, whose time is that of the shop."""
    shop.gateway.at(shop.clock.now)
    return shop.gateway


def dispute(shop: Shop, payment: Payment, amount: str | None = None, **given: object) -> str:
    """Dispute a charge at the gateway, and let it tell; returns the gateway's reference."""
    asked = None if amount is None else eur(amount)
    reference = at_the_bank(shop).open_dispute(payment.id, asked, **given)  # type: ignore[arg-type]
    shop.deliver_webhooks()
    return reference


def won(shop: Shop, reference: str) -> None:
    at_the_bank(shop).win_dispute(reference)
    shop.deliver_webhooks()


def lost(shop: Shop, reference: str) -> None:
    at_the_bank(shop).lose_dispute(reference)
    shop.deliver_webhooks()


def only(shop: Shop) -> Dispute:
    (found,) = shop.billing.payments.disputes()
    return found


def now(shop: Shop, record: Invoice) -> Invoice:
    return shop.billing.invoices.get(record.id)


def again(shop: Shop, payment: Payment) -> Payment:
    return shop.billing.payments.get(payment.id)


def owed(shop: Shop, invoice: Invoice) -> tuple[str, Money, Money]:
    """Return the state of an invoice, what was paid of it and what is owed."""
    there = now(shop, invoice)
    return there.status.value, there.paid, there.amount_due


def agree(shop: Shop, payment: Payment) -> None:
    """Assert that we have of a payment what the gateway says the seller has."""
    there = again(shop, payment)
    kept = there.amount_minor - there.refunded_minor - there.disputed_minor
    assert kept == shop.gateway.kept_minor(payment.id)


# ---- opened, won, lost -----------------------------------------------------------------------


def test_a_chargeback_reopens_the_invoice_once_and_is_never_charged_again(shop: Shop) -> None:
    ada = shop.customer()
    sub = shop.subscribe(ada)
    shop.time.advance(days=10)
    invoice = shop.only_invoice()
    (payment,) = shop.payments(invoice)
    seen = len(shop.events())
    dispute(shop, payment, reason="fraudulent", evidence_days=9)
    assert shop.events()[seen:].count("invoice.reopened") == 1
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("29.00"))
    assert shop.subscription(sub).status == "past_due"
    assert shop.billing.dunning.status(invoice.id).status == "running"
    found = only(shop)
    assert (found.status, found.amount, found.reason) == ("opened", eur("29.00"), "fraudulent")
    assert found.evidence_due_at == datetime(2027, 1, 20, tzinfo=UTC)
    assert found.invoices == (invoice.id,)
    (item,) = shop.billing.payments.review()
    assert (item.matter.value, item.subject, item.amount) == ("dispute", found.id, eur("29.00"))
    assert "2027-01-20" in item.facts
    agree(shop, payment)
    # The ladder is climbed to its end, and no rung of it is a charge.
    shop.time.advance(days=20)
    assert len(shop.gateway.charges) == 1
    taken = [
        event.body.action
        for event in shop.billing.events.list(limit=1000)
        if isinstance(event.body, DunningStepTaken)
    ]
    assert taken
    assert not [action for action in taken if isinstance(action, Retry)]
    assert shop.subscription(sub).status == "canceled"


def test_winning_restores_the_payment_once(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer())
    invoice = shop.only_invoice()
    (payment,) = shop.payments(invoice)
    reference = dispute(shop, payment)
    assert again(shop, payment).refundable == eur("0.00")
    shop.time.advance(days=3)
    seen = len(shop.events())
    at_the_bank(shop).win_dispute(reference)
    (message,) = shop.gateway.webhooks()
    for each in (message, shop.gateway.send_again(message.id)):
        shop.billing.webhooks.receive("card", each.raw, each.headers)
    assert shop.events()[seen:].count("payment.restored") == 1
    assert owed(shop, invoice) == ("paid", eur("29.00"), eur("0.00"))
    assert now(shop, invoice).disputed == ()
    assert shop.billing.dunning.status(invoice.id).status == "stopped"
    assert shop.subscription(sub).status == "active"
    assert only(shop).status == "won"
    assert list(shop.billing.payments.review()) == []
    there = again(shop, payment)
    assert (there.disputed, there.refundable, there.withheld) == (eur("0.00"), eur("29.00"), ())
    agree(shop, payment)
    # The card is good again, so the next month is charged.
    shop.time.advance(to=date(2027, 2, 2))
    assert shop.statuses() == ["paid", "paid"]


def test_the_events_tell_what_happened_in_order(shop: Shop) -> None:
    shop.subscribe(shop.customer())
    (payment,) = shop.payments()
    seen = len(shop.events())
    reference = dispute(shop, payment)
    bodies = [event.body for event in shop.billing.events.list(limit=1000)][seen:]
    order = (DisputeOpened, PaymentMethodHeld, InvoiceReopened, SubscriptionPastDue)
    places = [
        next(place for place, body in enumerate(bodies) if isinstance(body, kind)) for kind in order
    ]
    assert places == sorted(places)
    seen = len(shop.events())
    won(shop, reference)
    names = [type(event.body) for event in shop.billing.events.list(limit=1000)][seen:]
    for kind in (PaymentMethodReleased, InvoicePaid, SubscriptionRecovered):
        assert names.count(kind) == 1


def test_what_is_lost_stays_owed_and_the_customer_may_pay_it_otherwise(shop: Shop) -> None:
    ada = shop.customer()
    sub = shop.subscribe(ada)
    invoice = shop.only_invoice()
    (payment,) = shop.payments(invoice)
    reference = dispute(shop, payment)
    lost(shop, reference)
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("29.00"))
    agree(shop, payment)
    # A new card is not charged by itself for what is disputed; asked to, it is.
    shop.billing.payment_methods.attach(ada.id, "tok_mastercard")
    assert len(shop.gateway.charges) == 1
    shop.billing.invoices.pay(invoice.id)
    assert owed(shop, invoice) == ("paid", eur("29.00"), eur("0.00"))
    assert shop.subscription(sub).status == "active"
    # Arbitration reverses it: the invoice needs nothing any more, so the money waits.
    shop.time.advance(days=5)
    won(shop, reference)
    assert owed(shop, invoice) == ("paid", eur("29.00"), eur("0.00"))
    assert again(shop, payment).unallocated == eur("29.00")
    agree(shop, payment)


def test_a_payer_may_give_his_dispute_up(shop: Shop) -> None:
    invoice, payment = charged(shop)
    reference = dispute(shop, payment)
    at_the_bank(shop).withdraw_dispute(reference)
    shop.deliver_webhooks()
    assert only(shop).status == "withdrawn"
    assert owed(shop, invoice) == ("paid", eur("50.00"), eur("0.00"))


def test_an_inquiry_moves_nothing_until_it_is_a_chargeback(shop: Shop) -> None:
    invoice, payment = charged(shop)
    before = again(shop, payment)
    reference = dispute(shop, payment, kind=INQUIRY)
    assert owed(shop, invoice) == ("paid", eur("50.00"), eur("0.00"))
    assert again(shop, payment).refundable == before.refundable
    agree(shop, payment)
    at_the_bank(shop).escalate_dispute(reference)
    shop.deliver_webhooks()
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("50.00"))
    assert only(shop).kind is DisputeKind.CHARGEBACK
    agree(shop, payment)


def test_a_second_chargeback_after_a_win_reopens_it_a_second_time(shop: Shop) -> None:
    invoice, payment = charged(shop)
    first = dispute(shop, payment)
    won(shop, first)
    shop.time.advance(days=1)
    second = dispute(shop, payment)
    assert first != second
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("50.00"))
    cases = list(shop.billing.dunning.list())
    assert [case.status for case in cases] == ["stopped", "running"]
    won(shop, second)
    assert owed(shop, invoice) == ("paid", eur("50.00"), eur("0.00"))


# ---- parts -----------------------------------------------------------------------------------


def test_several_disputes_of_parts_add_up_and_each_ends_by_itself(shop: Shop) -> None:
    invoice, payment = charged(shop)
    first = dispute(shop, payment, "20.00")
    assert owed(shop, invoice) == ("open", eur("30.00"), eur("20.00"))
    second = dispute(shop, payment, "10.00")
    assert owed(shop, invoice) == ("open", eur("20.00"), eur("30.00"))
    agree(shop, payment)
    won(shop, first)
    assert owed(shop, invoice) == ("open", eur("40.00"), eur("10.00"))
    assert now(shop, invoice).disputed == (payment.id,)
    (method,) = shop.billing.payment_methods.list()
    assert method.status == "held"
    won(shop, second)
    assert owed(shop, invoice) == ("paid", eur("50.00"), eur("0.00"))
    (method,) = shop.billing.payment_methods.list()
    assert method.status == "usable"
    agree(shop, payment)


def test_what_is_disputed_cannot_be_given_back_as_well(shop: Shop) -> None:
    _, payment = charged(shop)
    dispute(shop, payment, "20.00")
    assert again(shop, payment).refundable == eur("30.00")
    with pytest.raises(ValidationError):
        shop.billing.payments.refund(payment.id, eur("30.01"), reason="a mistake")
    refund = shop.billing.payments.refund(payment.id, reason="a mistake")
    assert (refund.status, refund.amount) == ("succeeded", eur("30.00"))
    agree(shop, payment)


def test_a_dispute_of_what_was_given_back_in_part_takes_only_the_rest(shop: Shop) -> None:
    invoice, payment = charged(shop)
    shop.billing.payments.refund(payment.id, eur("20.00"), reason="a mistake")
    dispute(shop, payment, "30.00")
    assert again(shop, payment).disputed == eur("30.00")
    # What was given back on purpose stays paid; what was taken is owed.
    assert owed(shop, invoice) == ("open", eur("20.00"), eur("30.00"))
    agree(shop, payment)


@pytest.mark.parametrize("succeed", [False, True])
def test_a_dispute_of_what_a_refund_is_giving_back_waits_for_its_end(
    shop: Shop, *, succeed: bool
) -> None:
    invoice, payment = charged(shop)
    shop.gateway.pend_refund_next(days=3, succeed=succeed)
    shop.billing.payments.refund(payment.id, eur("20.00"), reason="a mistake")
    shop.time.advance(days=1)
    dispute(shop, payment, "50.00")
    there = again(shop, payment)
    assert (there.disputed, there.parked) == (eur("30.00"), None)
    assert owed(shop, invoice) == ("open", eur("20.00"), eur("30.00"))
    shop.time.advance(days=3)
    there = again(shop, payment)
    if succeed:
        # It was given back, and disputed as well: a person must ask the gateway.
        assert there.parked is not None
        assert "20.00 EUR more" in there.parked
        assert shop.events(payment.id).count("record.parked") == 1
        assert owed(shop, invoice) == ("open", eur("20.00"), eur("30.00"))
        shop.billing.unpark("payment", payment.id)
        assert again(shop, payment).parked is None
        return
    # The refund fails: now the dispute has taken the whole, and nobody has to look at it.
    assert there.parked is None
    assert (there.disputed, there.refundable) == (eur("50.00"), eur("0.00"))
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("50.00"))
    agree(shop, payment)


def test_of_a_transfer_for_several_invoices_the_last_one_is_short_first(shop: Shop) -> None:
    patient(shop)
    ada = shop.customer(None)
    sub = shop.subscribe(ada)
    shop.time.advance(to=date(2027, 2, 2))
    first, second = shop.invoices()
    payment = shop.billing.payments.record(ada.id, eur("70.00"), reference="bank-1")
    assert shop.statuses() == ["paid", "paid"]
    # What was more than he owed is to his credit, and that is what goes first.
    assert shop.billing.customers.get(ada.id).balance == (eur("12.00"),)
    taken = shop.billing.payments.record_dispute(payment.id, eur("20.00"), reason="recalled")
    assert shop.billing.customers.get(ada.id).balance == ()
    assert owed(shop, second) == ("open", eur("21.00"), eur("8.00"))
    assert owed(shop, first) == ("paid", eur("29.00"), eur("0.00"))
    rest = shop.billing.payments.record_dispute(payment.id, reason="recalled")
    assert rest.amount == eur("50.00")
    assert shop.statuses() == ["open", "open"]
    assert set(rest.invoices) == {first.id, second.id}
    assert shop.subscription(sub).status == "past_due"
    shop.billing.payments.close_dispute(rest.id, "won")
    assert owed(shop, first) == ("paid", eur("29.00"), eur("0.00"))
    assert owed(shop, second) == ("open", eur("21.00"), eur("8.00"))
    shop.billing.payments.close_dispute(taken.id, "withdrawn")
    assert shop.statuses() == ["paid", "paid"]
    assert shop.billing.customers.get(ada.id).balance == (eur("12.00"),)
    causes = [str(entry.cause) for entry in shop.billing.balance.entries(ada.id)]
    assert causes == ["overpayment", "dispute", "dispute"]
    assert shop.subscription(sub).status == "active"


def test_a_credit_that_was_used_up_before_the_dispute_is_a_matter_for_a_person(
    shop: Shop,
) -> None:
    ada = shop.customer(None)
    first = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("50.00"))])
    payment = shop.billing.payments.record(ada.id, eur("60.00"))
    second = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    assert owed(shop, second) == ("paid", eur("0.00"), eur("0.00"))
    shop.billing.payments.record_dispute(payment.id, reason="recalled")
    assert owed(shop, first) == ("open", eur("0.00"), eur("50.00"))
    there = again(shop, payment)
    assert (there.disputed, there.balanced) == (eur("60.00"), eur("10.00"))
    assert there.parked is not None
    assert "10.00 EUR more" in there.parked


def test_two_invoices_of_one_subscription_are_reopened_together(shop: Shop) -> None:
    patient(shop)
    ada = shop.customer(None)
    sub = shop.subscribe(ada)
    shop.time.advance(to=date(2027, 2, 20))
    payment = shop.billing.payments.record(ada.id, eur("58.00"))
    assert shop.subscription(sub).status == "active"
    made = shop.billing.payments.record_dispute(payment.id, reason="recalled")
    assert shop.statuses() == ["open", "open"]
    running = [case for case in shop.billing.dunning.list() if case.status == "running"]
    assert {case.invoice for case in running} == set(made.invoices)
    shop.billing.payments.close_dispute(made.id, "won")
    assert shop.statuses() == ["paid", "paid"]
    assert shop.subscription(sub).status == "active"


def test_of_an_authorisation_what_was_captured_is_disputed(shop: Shop) -> None:
    ada = shop.customer()
    held = shop.billing.payments.authorize(ada.id, eur("80.00"))
    shop.billing.payments.capture(held.id, eur("60.00"))
    reference = dispute(shop, held)
    assert only(shop).amount == eur("60.00")
    assert (again(shop, held).disputed, again(shop, held).unallocated) == (
        eur("60.00"),
        eur("0.00"),
    )
    agree(shop, held)
    won(shop, reference)
    assert again(shop, held).unallocated == eur("60.00")


# ---- what it does by itself is a policy --------------------------------------------------------


def test_a_host_may_wait_until_a_dispute_is_lost(open_a_shop: Opened) -> None:
    shop = open_a_shop(disputes=DisputePolicy(Reopen.WHEN_LOST, hold_method=False))
    invoice, payment = charged(shop)
    reference = dispute(shop, payment)
    assert owed(shop, invoice) == ("paid", eur("50.00"), eur("0.00"))
    assert again(shop, payment).refundable == eur("0.00")
    (method,) = shop.billing.payment_methods.list()
    assert method.status == "usable"
    lost(shop, reference)
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("50.00"))


def test_a_host_may_bear_the_loss(open_a_shop: Opened) -> None:
    shop = open_a_shop(disputes=DisputePolicy(Reopen.NEVER))
    invoice, payment = charged(shop)
    reference = dispute(shop, payment)
    lost(shop, reference)
    assert owed(shop, invoice) == ("paid", eur("50.00"), eur("0.00"))
    assert (again(shop, payment).disputed, again(shop, payment).unallocated) == (
        eur("50.00"),
        eur("0.00"),
    )


def test_a_held_card_is_not_charged_for_the_next_month_and_the_customer_is_asked(
    shop: Shop,
) -> None:
    patient(shop)
    sub = shop.subscribe(shop.customer())
    (payment,) = shop.payments()
    reference = dispute(shop, payment)
    shop.time.advance(to=date(2027, 2, 2))
    _, february = shop.invoices()
    assert (february.status, february.collecting, february.terms_days) == ("open", None, 14)
    assert len(shop.gateway.charges) == 1
    won(shop, reference)
    assert shop.subscription(sub).status == "active"
    shop.time.advance(to=date(2027, 3, 2))
    assert [charge.outcome.value for charge in shop.gateway.charges] == ["succeeded", "succeeded"]


def test_a_running_ladder_skips_its_retries_for_what_is_disputed(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("50.00"))])
    invoice = shop.only_invoice()
    part = shop.billing.payments.record(ada.id, eur("20.00"), invoice=invoice.id)
    shop.billing.payments.record_dispute(part.id, reason="recalled")
    before = len(shop.gateway.charges)
    shop.time.advance(days=8)
    assert len(shop.gateway.charges) == before
    skipped = [
        event.body.skipped
        for event in shop.billing.events.list(limit=1000)
        if isinstance(event.body, DunningStepTaken) and isinstance(event.body.action, Retry)
    ]
    assert set(skipped) == {"disputed"}


def test_who_pays_by_himself_keeps_his_due_day(shop: Shop) -> None:
    ada = shop.customer(None)
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("50.00"))])
    payment = shop.billing.payments.record(ada.id, eur("50.00"), invoice=invoice.id)
    shop.billing.payments.record_dispute(payment.id, reason="recalled")
    there = now(shop, invoice)
    assert (there.status, there.dunning) == ("open", False)
    shop.time.advance(days=16)
    assert now(shop, invoice).dunning


# ---- other documents ---------------------------------------------------------------------------


def test_a_credit_note_on_a_reopened_invoice_lowers_what_is_owed_and_a_win_waits(
    shop: Shop,
) -> None:
    invoice, payment = charged(shop)
    reference = dispute(shop, payment)
    note = shop.billing.credit_notes.create(invoice.id, amount=eur("15.00"), reason="goodwill")
    assert note.taken_off == eur("15.00")
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("35.00"))
    won(shop, reference)
    assert owed(shop, invoice) == ("paid", eur("35.00"), eur("0.00"))
    assert again(shop, payment).unallocated == eur("15.00")


def test_a_reopened_invoice_may_be_void_and_a_win_waits(shop: Shop) -> None:
    invoice, payment = charged(shop)
    reference = dispute(shop, payment)
    shop.billing.invoices.void(invoice.id, reason="never ordered")
    won(shop, reference)
    assert owed(shop, invoice) == ("void", eur("0.00"), eur("0.00"))
    assert again(shop, payment).unallocated == eur("50.00")
    assert now(shop, invoice).disputed == ()


def test_what_a_credit_note_gave_back_before_is_not_owed_again(shop: Shop) -> None:
    invoice, payment = charged(shop)
    shop.billing.credit_notes.create(
        invoice.id, amount=eur("20.00"), reason="goodwill", refund=eur("20.00")
    )
    dispute(shop, payment, "30.00")
    assert owed(shop, invoice) == ("open", eur("20.00"), eur("30.00"))
    agree(shop, payment)


def test_an_invoice_that_was_given_up_is_paid_by_a_win(shop: Shop) -> None:
    invoice, payment = charged(shop)
    reference = dispute(shop, payment)
    shop.billing.invoices.mark_uncollectible(invoice.id, reason="lost hope")
    won(shop, reference)
    assert owed(shop, invoice) == ("paid", eur("50.00"), eur("0.00"))


# ---- messages in odd orders ----------------------------------------------------------------------


def test_a_dispute_that_overtakes_the_success_of_its_payment_waits_for_it(shop: Shop) -> None:
    ada = shop.customer()
    shop.gateway.time_out_next(executed=True)
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("50.00"))])
    (payment,) = shop.payments(invoice)
    assert payment.status == "unknown"
    (success,) = shop.gateway.webhooks()
    at_the_bank(shop).open_dispute(payment.id)
    (opened,) = shop.gateway.webhooks()
    _receive(shop, opened)
    assert only(shop).status == "opened"
    assert again(shop, payment).disputed == eur("0.00")
    assert DisputeAwaitsPayment.__name__ in [
        type(event.body).__name__ for event in shop.billing.events.list(limit=1000)
    ]
    _receive(shop, success)
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("50.00"))
    assert again(shop, payment).disputed == eur("50.00")
    agree(shop, payment)


def test_a_dispute_of_a_payment_that_is_not_known_yet_is_kept(open_a_shop: Opened) -> None:
    shop = open_a_shop()
    other = open_shop(MemoryStorage(), process="other")
    _, payment = charged(other)
    other.gateway.webhooks()
    other.gateway.open_dispute(payment.id)
    (message,) = other.gateway.webhooks()
    receipt = shop.billing.webhooks.receive("card", message.raw, message.headers)
    assert receipt.status == "waiting"
    assert list(shop.billing.payments.disputes()) == []
    shop.time.advance(days=4)
    kept = shop.billing.webhooks.get(receipt.id)
    assert kept.status == "unmatched"


def test_what_cannot_be_true_parks_the_payment_with_an_event(shop: Shop) -> None:
    _, payment = charged(shop)
    dispute_in = at_the_bank(shop).open_dispute(payment.id, Money.of("50.00", "USD"))
    shop.deliver_webhooks()
    there = again(shop, payment)
    assert there.parked is not None
    assert dispute_in in there.parked
    assert list(shop.billing.payments.disputes()) == []
    assert shop.events(payment.id)[-1] == "record.parked"
    (item,) = shop.billing.payments.review()
    assert (item.matter.value, item.subject) == ("parked", payment.id)
    shop.billing.unpark("payment", payment.id)
    assert list(shop.billing.payments.review()) == []


def test_more_than_was_paid_is_never_taken_here_and_a_person_is_asked(shop: Shop) -> None:
    invoice, payment = charged(shop)
    dispute(shop, payment, "60.00")
    there = again(shop, payment)
    assert (there.disputed, there.refundable) == (eur("50.00"), eur("0.00"))
    assert there.parked is not None
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("50.00"))


def test_a_sweep_finds_a_dispute_whose_messages_were_lost(shop: Shop) -> None:
    invoice, payment = charged(shop)
    reference = at_the_bank(shop).open_dispute(payment.id)
    shop.gateway.webhooks()
    report = shop.billing.sweep()
    assert report.disputes == 1
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("50.00"))
    assert shop.billing.sweep().disputes == 0
    shop.time.advance(hours=1)
    at_the_bank(shop).win_dispute(reference)
    shop.gateway.webhooks()
    assert shop.billing.sweep().disputes == 1
    assert owed(shop, invoice) == ("paid", eur("50.00"), eur("0.00"))


def _receive(shop: Shop, message: WebhookMessage) -> None:
    shop.billing.webhooks.receive("card", message.raw, message.headers)


# ---- by hand -------------------------------------------------------------------------------------


def test_a_dispute_by_hand_does_the_same_and_its_reference_is_unique(shop: Shop) -> None:
    invoice, payment = charged(shop)
    made = shop.billing.payments.record_dispute(
        payment.id,
        eur("20.00"),
        reason="product not received",
        reference="CB-4711",
        evidence_due_at=datetime(2027, 1, 9, tzinfo=UTC),
        idempotency_key="dispute-1",
    )
    assert made == shop.billing.payments.record_dispute(
        payment.id,
        eur("20.00"),
        reason="product not received",
        reference="CB-4711",
        evidence_due_at=datetime(2027, 1, 9, tzinfo=UTC),
        idempotency_key="dispute-1",
    )
    assert (made.kind, made.reference) == ("chargeback", "CB-4711")
    assert owed(shop, invoice) == ("open", eur("30.00"), eur("20.00"))
    with pytest.raises(ValidationError) as refused:
        shop.billing.payments.record_dispute(payment.id, reason="again", reference="CB-4711")
    assert refused.value.field == "reference"
    closed = shop.billing.payments.close_dispute(made.id, "lost")
    assert (closed.status, shop.billing.payments.get_dispute(made.id)) == ("lost", closed)
    assert list(shop.billing.payments.disputes(payment=payment.id, status="lost")) == [closed]
    with pytest.raises(InvalidTransition):
        shop.billing.payments.close_dispute(made.id, "lost")
    inquiry = shop.billing.payments.record_dispute(payment.id, reason="who?", kind="inquiry")
    assert (inquiry.amount, inquiry.taken_minor) == (eur("30.00"), 0)


def test_what_is_recorded_by_hand_is_judged_first(shop: Shop) -> None:
    _, payment = charged(shop)
    record = shop.billing.payments.record_dispute
    with pytest.raises(UnknownReference):
        record("pay_nobody", reason="x")
    for wrong in (eur("0.00"), eur("-1.00"), eur("50.01"), Money.of("1.00", "USD")):
        with pytest.raises(ValidationError):
            record(payment.id, wrong, reason="x")
    with pytest.raises(ValidationError):
        record(payment.id, 1, reason="x")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        record(payment.id, reason="")
    with pytest.raises(ValidationError):
        record(payment.id, reason="x", kind="return")
    with pytest.raises(ValidationError):
        shop.billing.payments.disputes(status="gone")
    made = record(payment.id, reason="x")
    with pytest.raises(ValidationError):
        shop.billing.payments.close_dispute(made.id, "opened")
    ada = shop.customer("tok_lost_card")
    shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("5.00"))])
    declined = shop.payments()[-1]
    with pytest.raises(InvalidTransition):
        record(declined.id, reason="x")


def test_in_a_transaction_a_dispute_takes_effect_with_its_commit(shop: Shop) -> None:
    invoice, payment = charged(shop)
    with shop.billing.transaction():
        made = shop.billing.payments.record_dispute(payment.id, reason="fraudulent")
        assert made.due_at is not None
        shop.billing.payments.close_dispute(made.id, "won")
    assert owed(shop, invoice) == ("paid", eur("50.00"), eur("0.00"))
    with shop.billing.transaction():
        shop.billing.payments.record_dispute(payment.id, reason="fraudulent")
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("50.00"))


def test_a_gateways_later_word_counts_more_than_what_was_recorded(shop: Shop) -> None:
    invoice, payment = charged(shop)
    reference = dispute(shop, payment)
    shop.billing.payments.close_dispute(only(shop).id, "won")
    assert owed(shop, invoice) == ("paid", eur("50.00"), eur("0.00"))
    shop.time.advance(days=2)
    lost(shop, reference)
    assert only(shop).status is DisputeStatus.LOST
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("50.00"))


def test_the_async_billing_has_it_too(storage: Storage) -> None:
    shop = open_shop(storage)
    invoice, payment = charged(shop)

    async def record() -> tuple[Dispute, int]:
        billing = AsyncBilling(storage=storage, clock=lambda: shop.clock.now)
        made = await billing.payments.record_dispute(payment.id, reason="fraudulent")
        assert await billing.payments.get_dispute(made.id) == made
        page = await billing.payments.disputes(payment=payment.id)
        closed = await billing.payments.close_dispute(made.id, "won")
        await billing.payments.record_return(payment.id, "AM04")
        return closed, len(page.items)

    closed, count = asyncio.run(record())
    assert (closed.status, count) == ("won", 1)
    assert owed(shop, invoice) == ("open", eur("0.00"), eur("50.00"))


def test_a_host_sees_how_long_evidence_is_asked_for(shop: Shop) -> None:
    _, payment = charged(shop)
    dispute(shop, payment, evidence_days=9, fee=eur("15.00"))
    found = only(shop)
    assert found.evidence_due_at == shop.clock.now + timedelta(days=9)
    # The fee is between the seller and the gateway: nobody is asked for it here.
    assert found.fee == eur("15.00")
    assert again(shop, payment).disputed == eur("50.00")
