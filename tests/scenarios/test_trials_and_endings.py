"""How a subscription begins and how it ends."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal

import pytest

from subscriptions import InvalidTransition, ValidationError
from subscriptions.invoices import InvoiceFinalized, InvoicePaid
from subscriptions.lifecycle import (
    CancellationScheduled,
    CancellationWithdrawn,
    Ended,
    EndReason,
    SubscriptionEnded,
    SubscriptionStarted,
    TrialEnded,
    TrialStarted,
)
from tests.scenarios.shop import YEARLY, Shop, eur


def test_a_trial_is_free_and_then_paid(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer(), trial_until=date(2027, 1, 15))
    assert sub.status == "trialing"
    shop.time.expect(TrialStarted).advance(to=datetime(2027, 1, 14, 23, 59, tzinfo=UTC))
    assert shop.invoices() == []
    assert shop.gateway.charges == ()
    shop.time.expect(TrialEnded, InvoiceFinalized, InvoicePaid).advance(to=date(2027, 1, 15))
    assert shop.periods() == ["2027-01-15/2027-02-15"]
    assert shop.subscription(sub).status == "active"


def test_a_trial_without_a_method_ends_in_an_invoice_to_be_transferred(shop: Shop) -> None:
    shop.subscribe(shop.customer(token=None), trial_until=date(2027, 1, 15))
    shop.time.expect(TrialStarted, TrialEnded, InvoiceFinalized).advance(to=date(2027, 1, 16))
    invoice = shop.only_invoice()
    assert invoice.status == "open"
    assert invoice.due_on == date(2027, 1, 29), "the seller's terms are 14 days"
    assert shop.payments() == []


def test_a_card_attached_during_the_trial_pays_at_its_end(shop: Shop) -> None:
    ada = shop.customer(token=None)
    shop.subscribe(ada, trial_until=date(2027, 1, 15))
    shop.time.advance(days=7)
    shop.billing.payment_methods.attach(ada.id, "tok_visa")
    shop.time.expect(InvoicePaid).advance(days=7)


def test_a_start_in_the_future_waits(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer(), start=date(2027, 3, 1))
    assert sub.status == "scheduled"
    assert shop.time.advance(to=datetime(2027, 2, 28, 23, 59, tzinfo=UTC))[-1:] != ()
    assert shop.invoices() == []
    shop.time.expect(SubscriptionStarted, InvoicePaid).advance(minutes=1)


def test_cancelled_at_period_end_it_runs_until_what_is_billed_is_over(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer())
    canceled = shop.billing.subscriptions.cancel(sub.id, reason="too expensive")
    assert canceled.status == "active"
    assert canceled.cancellation is not None
    assert (canceled.cancellation.on, canceled.cancellation.reason) == (
        date(2027, 2, 1),
        "too expensive",
    )
    shop.time.expect(CancellationScheduled, SubscriptionEnded).advance(months=3)
    ended = shop.subscription(sub)
    assert ended.contract == Ended(datetime(2027, 2, 1, tzinfo=UTC), EndReason.CANCELED)
    assert shop.periods() == ["2027-01-01/2027-02-01"]


def test_a_cancellation_undone_leaves_everything_as_it_was(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer())
    shop.billing.subscriptions.cancel(sub.id)
    shop.time.advance(days=30)
    shop.billing.subscriptions.undo_cancel(sub.id)
    shop.time.expect(CancellationWithdrawn, InvoicePaid).advance(days=1)
    assert shop.subscription(sub).status == "active"
    assert shop.subscription(sub).cancellation is None


def test_a_second_cancellation_replaces_the_first(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer())
    shop.billing.subscriptions.cancel(sub.id, when=date(2027, 1, 10))
    shop.billing.subscriptions.cancel(sub.id, when="period_end")
    shop.time.expect().advance(to=date(2027, 1, 20))
    assert shop.subscription(sub).status == "active"
    shop.time.expect(SubscriptionEnded).advance(to=date(2027, 2, 1))


def test_cancelled_now_it_ends_at_this_instant_and_what_was_billed_stays_billed(
    shop: Shop,
) -> None:
    sub = shop.subscribe(shop.customer())
    shop.time.advance(days=10, hours=5)
    ended = shop.billing.subscriptions.cancel(sub.id, when="now")
    assert ended.status == "canceled"
    assert ended.contract == Ended(datetime(2027, 1, 11, 5, tzinfo=UTC), EndReason.CANCELED)
    shop.time.expect(SubscriptionEnded).advance(months=2)
    assert shop.statuses() == ["paid"]


def test_cancelled_during_the_trial_it_ends_with_the_trial_and_costs_nothing(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer(), trial_until=date(2027, 1, 15))
    shop.time.advance(days=3)
    canceled = shop.billing.subscriptions.cancel(sub.id)
    assert canceled.status == "trialing"
    shop.time.expect(CancellationScheduled, SubscriptionEnded).advance(months=1)
    assert shop.invoices() == []
    assert shop.subscription(sub).contract == Ended(
        datetime(2027, 1, 15, tzinfo=UTC), EndReason.CANCELED
    )


def test_a_trial_cancelled_and_undone_is_billed_at_its_end(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer(), trial_until=date(2027, 1, 15))
    shop.billing.subscriptions.cancel(sub.id)
    shop.billing.subscriptions.undo_cancel(sub.id)
    shop.time.expect(TrialEnded, InvoicePaid).advance(to=date(2027, 1, 15))


@pytest.mark.parametrize("when", ["now", "period_end", date(2027, 2, 10)])
def test_cancelled_before_it_starts_it_never_starts(shop: Shop, when: str | date) -> None:
    sub = shop.subscribe(shop.customer(), start=date(2027, 3, 1))
    shop.time.advance(days=10)
    shop.billing.subscriptions.cancel(sub.id, when=when)  # type: ignore[arg-type]
    shop.time.expect(SubscriptionEnded).advance(to=date(2027, 5, 1))
    assert shop.invoices() == []
    days = {"now": date(2027, 1, 11), "period_end": date(2027, 3, 1)}
    contract = shop.subscription(sub).contract
    assert isinstance(contract, Ended)
    assert contract.at.date() == (when if isinstance(when, date) else days[when])


def test_a_start_that_was_cancelled_may_be_undone(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer(), start=date(2027, 3, 1))
    shop.billing.subscriptions.cancel(sub.id)
    shop.billing.subscriptions.undo_cancel(sub.id)
    shop.time.expect(CancellationWithdrawn, SubscriptionStarted).advance(to=date(2027, 3, 1))


def test_cancelled_on_a_date_between_it_is_billed_until_then_and_not_after(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer())
    shop.billing.subscriptions.cancel(sub.id, when=date(2027, 2, 15))
    shop.time.expect(InvoicePaid, CancellationScheduled, InvoicePaid, SubscriptionEnded).advance(
        to=date(2027, 4, 1)
    )
    assert shop.periods() == ["2027-01-01/2027-02-01", "2027-02-01/2027-03-01"]
    assert shop.subscription(sub).contract == Ended(
        datetime(2027, 2, 15, tzinfo=UTC), EndReason.CANCELED
    )


def test_cancelled_on_the_day_of_a_renewal_it_is_not_renewed(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer())
    shop.billing.subscriptions.cancel(sub.id, when=date(2027, 2, 1))
    shop.time.expect(InvoicePaid, SubscriptionEnded).advance(to=date(2027, 3, 1))
    assert shop.periods() == ["2027-01-01/2027-02-01"]


def test_a_yearly_and_a_monthly_item_end_when_both_are_over(shop: Shop) -> None:
    monthly, yearly = shop.price(eur("29.00")), shop.price(eur("290.00"), every=YEARLY)
    ada = shop.customer()
    sub = shop.billing.subscriptions.create(ada.id, [monthly.id, yearly.id])
    canceled = shop.billing.subscriptions.cancel(sub.id)
    assert canceled.cancellation is not None
    assert canceled.cancellation.on == date(2028, 1, 1), "the year is billed, so it is given"
    shop.time.advance(to=date(2028, 2, 1))
    assert shop.subscription(sub).status == "canceled"
    assert len(shop.invoices()) == 12, "the monthly item is billed until then"


def test_an_ended_subscription_takes_no_command(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer())
    shop.billing.subscriptions.cancel(sub.id, when="now")
    before = shop.events()
    whens: tuple[Literal["now", "period_end"], ...] = ("now", "period_end")
    for when in whens:
        with pytest.raises(InvalidTransition) as refused:
            shop.billing.subscriptions.cancel(sub.id, when=when)
        assert refused.value.state == "canceled"
    with pytest.raises(InvalidTransition):
        shop.billing.subscriptions.undo_cancel(sub.id)
    assert shop.events() == before


def test_a_cancellation_in_the_past_is_refused(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer())
    with pytest.raises(ValidationError) as refused:
        shop.billing.subscriptions.cancel(sub.id, when=date(2026, 12, 31))
    assert refused.value.field == "when"
    assert shop.subscription(sub).cancellation is None


def test_a_cancellation_for_today_takes_effect_at_once(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer())
    shop.time.advance(days=10, hours=12)
    canceled = shop.billing.subscriptions.cancel(sub.id, when=date(2027, 1, 11))
    assert canceled.status == "canceled"
