"""What happens when a customer does not pay, and when he does after all."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from subscriptions import (
    CancelSubscription,
    DunningPolicy,
    InvalidTransition,
    MarkUncollectible,
    MarkUnpaid,
    OneOff,
    Reminder,
    Retries,
)
from subscriptions.dunning import (
    DunningExhausted,
    DunningHeld,
    DunningReleased,
    DunningReminderDue,
    DunningStarted,
    DunningStepTaken,
    DunningStopped,
    Retry,
)
from subscriptions.invoices import (
    InvoiceDrafted,
    InvoiceFinalized,
    InvoiceMarkedUncollectible,
    InvoiceOverdue,
    InvoicePaid,
    InvoiceVoided,
)
from subscriptions.lifecycle import (
    Ended,
    EndReason,
    PastDue,
    SubscriptionDebtWrittenOff,
    SubscriptionEnded,
    SubscriptionPastDue,
    SubscriptionRecovered,
    SubscriptionUnpaid,
)
from subscriptions.payments import PaymentFailed, PaymentSucceeded
from tests.scenarios.shop import Shop, eur


def test_a_soft_decline_is_recovered_by_a_retry(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer("tok_insufficient_funds_twice"), start=date(2027, 1, 5))
    shop.time.expect(
        PaymentFailed, SubscriptionPastDue, PaymentFailed, PaymentSucceeded, SubscriptionRecovered
    ).advance(to=date(2027, 1, 31))
    invoice = shop.only_invoice()
    assert invoice.status == "paid"
    assert [payment.intended_at.date() for payment in shop.payments(invoice)] == [
        date(2027, 1, 5),
        date(2027, 1, 6),
        date(2027, 1, 8),
    ], "on the day, and one and three days after"
    assert shop.subscription(sub).status == "active"
    assert shop.billing.dunning.status(invoice.id).status == "stopped"


def test_while_it_is_past_due_the_service_goes_on_and_periods_are_billed(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer("tok_insufficient_funds"))
    shop.time.expect(PaymentFailed, InvoiceOverdue, DunningStarted).advance()
    late = shop.subscription(sub)
    assert late.status == "past_due"
    assert late.collection == PastDue((shop.only_invoice().id,))


def test_a_hard_decline_is_not_retried_but_waits_for_a_new_card(shop: Shop) -> None:
    ada = shop.customer("tok_lost_card")
    shop.subscribe(ada)
    shop.time.expect(PaymentFailed).advance(days=6)
    assert len(shop.gateway.charges) == 1
    assert [m.status for m in shop.billing.payment_methods.list(customer=ada.id)] == ["refused"]
    skipped = [
        event.body.skipped
        for event in shop.billing.events.list()
        if isinstance(event.body, DunningStepTaken) and event.body.action == Retry()
    ]
    assert skipped == ["no usable method"] * 3
    shop.billing.payment_methods.attach(ada.id, "tok_mastercard", default=True)
    shop.time.expect(PaymentSucceeded, InvoicePaid, SubscriptionRecovered).advance()
    assert shop.only_invoice().status == "paid"


def test_a_new_method_that_is_not_the_default_changes_nothing_until_it_is(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    shop.subscribe(ada)
    better = shop.billing.payment_methods.attach(ada.id, "tok_mastercard")
    assert shop.statuses() == ["open"]
    shop.billing.payment_methods.set_default(better.id)
    assert shop.statuses() == ["paid"]


def test_an_exhausted_ladder_cancels_and_writes_off(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer("tok_insufficient_funds"))
    shop.time.expect(
        *[PaymentFailed] * 5, SubscriptionEnded, DunningExhausted, InvoiceMarkedUncollectible
    ).advance(to=date(2027, 1, 20))
    invoice = shop.only_invoice()
    assert invoice.status == "uncollectible"
    assert len(shop.payments(invoice)) == 5, "once, and after 1, 3, 5 and 7 days"
    assert shop.subscription(sub).contract == Ended(
        datetime(2027, 1, 15, tzinfo=UTC), EndReason.PAYMENT_FAILED
    )
    assert shop.billing.dunning.status(invoice.id).status == "exhausted"
    shop.time.expect().advance(months=6)
    assert len(shop.invoices()) == 1


def test_what_was_written_off_can_still_be_paid(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    shop.subscribe(ada)
    shop.time.advance(to=date(2027, 1, 20))
    invoice = shop.only_invoice()
    shop.billing.payments.record(ada.id, eur("29.00"), invoice=invoice.id)
    shop.time.expect(PaymentSucceeded, InvoicePaid).advance()
    assert shop.statuses() == ["paid"]


def test_marked_unpaid_it_goes_on_with_drafts_until_the_debt_is_paid(shop: Shop) -> None:
    shop.billing.dunning.set_policy(
        DunningPolicy(retries=Retries.after_days(1, 3), final=MarkUnpaid())
    )
    ada = shop.customer("tok_insufficient_funds")
    sub = shop.subscribe(ada)
    shop.time.expect(PaymentFailed, PaymentFailed, PaymentFailed, SubscriptionUnpaid).advance(
        days=3
    )
    assert shop.subscription(sub).status == "unpaid"
    shop.time.expect(InvoiceDrafted, InvoiceDrafted).advance(to=date(2027, 3, 1))
    assert shop.statuses() == ["open", "draft", "draft"]
    # A new card pays the debt at once; then what was only drafted is invoiced and charged.
    shop.billing.payment_methods.attach(ada.id, "tok_visa", default=True)
    assert shop.subscription(sub).status == "active"
    assert shop.statuses() == ["paid", "paid", "paid"]
    shop.time.expect(
        InvoicePaid, SubscriptionRecovered, InvoiceFinalized, InvoiceFinalized, *[InvoicePaid] * 2
    ).advance()
    shop.time.expect(InvoiceFinalized, InvoicePaid).advance(months=1)


def test_a_transfer_of_the_debt_of_one_who_was_unpaid_recovers_him_too(shop: Shop) -> None:
    shop.billing.dunning.set_policy(DunningPolicy(retries=Retries(), final=MarkUnpaid()))
    ada = shop.customer("tok_lost_card")
    sub = shop.subscribe(ada)
    shop.time.advance(to=date(2027, 2, 2))
    assert shop.statuses() == ["open", "draft"]
    shop.billing.payments.record(ada.id, eur("29.00"))
    assert shop.subscription(sub).status == "active"
    assert shop.statuses() == ["paid", "open"]
    assert shop.invoices()[1].due_on == date(2027, 2, 16), "with the seller's terms, for no card"


def test_a_hold_stops_the_ladder_and_a_release_lets_it_go_on(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_insufficient_funds"))
    case = shop.billing.dunning.status(shop.only_invoice().id)
    shop.billing.dunning.hold(case.id, reason="promised to pay")
    shop.time.expect(PaymentFailed, DunningHeld).advance(days=20)
    shop.billing.dunning.release(case.id)
    # What is left of the ladder comes later by the time it was held: the retry of the first day.
    shop.time.expect(DunningReleased).advance(hours=23)
    shop.time.expect(PaymentFailed).advance(hours=1)
    shop.time.expect(PaymentFailed).advance(days=2)


def test_a_reminder_of_the_day_of_a_retry_goes_out_that_day_once_it_failed(shop: Shop) -> None:
    shop.billing.dunning.set_policy(
        DunningPolicy(retries=Retries.after_days(3), steps=[Reminder(3)], final=MarkUnpaid())
    )
    shop.subscribe(shop.customer("tok_insufficient_funds"))
    shop.time.expect(PaymentFailed, PaymentFailed, DunningReminderDue, DunningExhausted).advance(
        days=3
    )


def test_a_retry_that_succeeds_leaves_no_reason_to_write_that_day(shop: Shop) -> None:
    shop.billing.dunning.set_policy(
        DunningPolicy(retries=Retries.after_days(1, 3), steps=[Reminder(3)])
    )
    shop.subscribe(shop.customer("tok_insufficient_funds_twice"))
    happened = shop.time.expect(PaymentFailed, PaymentFailed, InvoicePaid).advance(days=30)
    assert not [event for event in happened if isinstance(event, DunningReminderDue)]


def test_what_a_policy_would_do_is_what_it_does(shop: Shop) -> None:
    policy = DunningPolicy(
        retries=Retries.after_days(1, 3, 5),
        steps=[Reminder(0), Reminder(3, level=2), Reminder(5, level=3)],
        final=[CancelSubscription(), MarkUncollectible()],
    )
    shop.billing.dunning.set_policy(policy)
    steps = shop.billing.dunning.simulate(policy, failed_at=shop.time.now)
    shop.subscribe(shop.customer("tok_insufficient_funds"))
    shop.time.advance(days=10)
    assert [
        (event.at, event.body.action)
        for event in shop.billing.events.list()
        if isinstance(event.body, DunningStepTaken)
    ] == [(step.at, step.action) for step in steps]


def test_a_hold_until_an_instant_ends_by_itself(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_insufficient_funds"))
    case = shop.billing.dunning.status(shop.only_invoice().id)
    until = shop.time.now + timedelta(days=2)
    shop.billing.dunning.hold(case.id, reason="payday", until=until)
    shop.time.expect(PaymentFailed, DunningHeld).advance(days=1, hours=23)
    shop.time.expect(DunningReleased).advance(hours=1)
    shop.time.expect(PaymentFailed).advance(days=1)


def test_a_payment_ends_a_held_case_too(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    shop.subscribe(ada)
    case = shop.billing.dunning.status(shop.only_invoice().id)
    shop.billing.dunning.hold(case.id, reason="promised to pay")
    shop.billing.payments.record(ada.id, eur("29.00"))
    shop.time.expect(PaymentFailed, DunningHeld, InvoicePaid, DunningStopped).advance(days=20)
    assert shop.billing.dunning.status(shop.only_invoice().id).status == "stopped"


def test_a_payment_ends_dunning_at_once_and_nobody_is_contacted_after_it(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    sub = shop.subscribe(ada)
    shop.time.advance(days=4)
    shop.billing.payments.record(ada.id, eur("29.00"))
    assert shop.subscription(sub).status == "active"
    after = shop.time.expect(
        PaymentSucceeded, InvoicePaid, DunningStopped, SubscriptionRecovered
    ).advance(days=20)
    contacts = (DunningReminderDue, DunningStepTaken, DunningStarted)
    assert not [event for event in after if isinstance(event, contacts)]
    assert len(shop.gateway.charges) == 3, "no retry either"


def test_two_unpaid_periods_are_recovered_one_by_one(shop: Shop) -> None:
    shop.billing.dunning.set_policy(
        DunningPolicy(retries=Retries(), final=MarkUncollectible(), final_after_days=90)
    )
    ada = shop.customer("tok_insufficient_funds")
    sub = shop.subscribe(ada)
    shop.time.advance(to=date(2027, 2, 2))
    first, second = shop.invoices()
    assert shop.subscription(sub).collection == PastDue((first.id, second.id))
    shop.billing.payments.record(ada.id, eur("29.00"))
    assert shop.subscription(sub).status == "past_due"
    shop.billing.payments.record(ada.id, eur("29.00"))
    recovered = [
        event.body.still_past_due
        for event in shop.billing.events.list()
        if isinstance(event.body, SubscriptionRecovered)
    ]
    assert recovered == [1, 0]
    assert shop.subscription(sub).status == "active"


def test_an_invoice_voided_in_dunning_is_left_alone(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer("tok_insufficient_funds"))
    shop.time.advance(hours=1)
    shop.billing.invoices.void(shop.only_invoice().id, reason="a mistake")
    shop.time.expect(InvoiceVoided, SubscriptionDebtWrittenOff).advance(days=20)
    assert shop.subscription(sub).status == "active"
    assert len(shop.gateway.charges) == 1


def test_an_invoice_given_up_by_hand_is_left_alone(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer("tok_insufficient_funds"))
    shop.time.advance(hours=1)
    shop.billing.invoices.mark_uncollectible(shop.only_invoice().id, reason="moved away")
    shop.time.expect(InvoiceMarkedUncollectible, DunningStopped).advance(days=20)
    assert shop.subscription(sub).status == "active"


def test_a_policy_is_that_of_the_day_the_case_began(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_insufficient_funds"))
    shop.time.advance(hours=1)
    shop.billing.dunning.set_policy(DunningPolicy(retries=Retries.after_days(2)))
    shop.time.expect(PaymentFailed).advance(days=1)
    case = shop.billing.dunning.status(shop.only_invoice().id)
    assert case.policy.retries == Retries.after_days(1, 3, 5, 7)


def test_reminders_come_on_their_days_and_levels(shop: Shop) -> None:
    shop.billing.dunning.set_policy(
        DunningPolicy(
            retries=Retries(),
            steps=[Reminder(0), Reminder(7, level=2), Reminder(14, level=3)],
            final=CancelSubscription(),
            final_after_days=21,
        )
    )
    shop.subscribe(shop.customer("tok_lost_card"))
    shop.time.advance(days=30)
    reminders = [
        (event.at.date(), event.body.level)
        for event in shop.billing.events.list()
        if isinstance(event.body, DunningReminderDue)
    ]
    assert reminders == [
        (date(2027, 1, 1), 1),
        (date(2027, 1, 8), 2),
        (date(2027, 1, 15), 3),
    ]
    assert shop.statuses() == ["open"], "cancelled, and still owed"


def test_a_method_that_comes_back_hard_in_a_retry_is_not_charged_again(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_insufficient_funds"))
    shop.gateway.decline_next("stolen_card")
    shop.time.advance(days=10)
    assert [charge.outcome.value for charge in shop.gateway.charges] == [
        "declined_soft",
        "declined_hard",
    ]


def test_the_customer_may_be_charged_by_hand_while_dunning_waits(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_insufficient_funds_twice"))
    invoice = shop.only_invoice()
    shop.billing.invoices.pay(invoice.id)
    shop.time.expect(PaymentFailed, PaymentFailed).advance(hours=1)
    shop.billing.invoices.pay(invoice.id)
    shop.time.expect(PaymentSucceeded, InvoicePaid).advance(days=10)


def test_a_case_that_is_over_can_be_neither_held_nor_released(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_insufficient_funds"))
    shop.time.advance(days=20)
    case = shop.billing.dunning.status(shop.only_invoice().id)
    with pytest.raises(InvalidTransition):
        shop.billing.dunning.hold(case.id, reason="too late")
    with pytest.raises(InvalidTransition):
        shop.billing.dunning.release(case.id)


def test_a_one_off_invoice_is_dunned_without_a_subscription(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    shop.billing.invoices.create_one_off(ada.id, [OneOff("Set-up", eur("100.00"))])
    shop.time.advance(days=20)
    assert shop.statuses() == ["uncollectible"]


def test_a_subscription_may_be_cancelled_while_it_is_past_due(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    sub = shop.subscribe(ada)
    shop.billing.subscriptions.cancel(sub.id, when="now")
    shop.time.advance(days=2)
    shop.billing.payments.record(ada.id, eur("29.00"))
    assert shop.statuses() == ["paid"], "the debt stays, and may be paid"
    assert shop.subscription(sub).status == "canceled"
