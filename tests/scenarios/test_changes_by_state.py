"""Changes before, beside and after what else happens; previewed first, and sent twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from subscriptions import DunningPolicy, InvalidTransition, MarkUnpaid, Retries, StalePlan
from subscriptions.billing_cycles import Interval
from subscriptions.catalog import Price
from subscriptions.errors import IdempotencyMismatch
from subscriptions.invoices import InvoicePaid
from subscriptions.lifecycle import (
    Subscription,
    SubscriptionEnded,
    SubscriptionStarted,
    SubscriptionUnpaid,
    TrialEnded,
)
from subscriptions.payments import PaymentFailed
from subscriptions.proration import Proration
from tests.scenarios.shop import GOOD, YEARLY, Shop, eur

Opened = Callable[..., Shop]
APRIL, MAY = date(2027, 4, 1), date(2027, 5, 1)
NOW = Proration(mode="invoice_now")


@pytest.fixture
def spring(open_a_shop: Opened) -> Shop:
    return open_a_shop(start=APRIL)


def on_basic(
    shop: Shop,
    token: str | None = GOOD,
    *,
    start: date | None = None,
    trial_until: date | None = None,
) -> tuple[Subscription, Price, Price]:
    """Subscribe a customer to 30.00 a month, beside which there are 60.00."""
    basic, pro = shop.price(eur("30.00"), name="Basic"), shop.price(eur("60.00"), name="Pro")
    customer = shop.customer(token)
    return shop.subscribe(customer, basic, start=start, trial_until=trial_until), basic, pro


# ---- before anything is billed -------------------------------------------------------------------


def test_a_change_during_the_trial_costs_nothing_and_moves_nothing(spring: Shop) -> None:
    sub, basic, pro = on_basic(spring, trial_until=date(2027, 4, 15))
    spring.time.advance(to=date(2027, 4, 10))
    spring.billing.subscriptions.change(sub.id, swap={basic.id: pro.id}, proration=NOW)
    assert spring.subscription(sub).status == "trialing"
    spring.time.expect(TrialEnded, InvoicePaid).advance(to=date(2027, 4, 15))
    assert spring.lines(spring.only_invoice()) == ["period Pro 60.00 EUR"]
    assert spring.periods() == ["2027-04-15/2027-05-15"]


def test_a_change_before_the_start_is_what_then_starts(spring: Shop) -> None:
    sub, basic, _ = on_basic(spring, start=MAY)
    annual = spring.price(eur("300.00"), every=YEARLY, name="Annual")
    spring.billing.subscriptions.change(sub.id, swap={basic.id: annual.id})
    spring.billing.subscriptions.change(sub.id, add=[basic.id])
    assert spring.invoices() == []
    spring.time.expect(SubscriptionStarted, InvoicePaid).advance(to=MAY)
    assert spring.lines(spring.only_invoice()) == [
        "period Annual 300.00 EUR",
        "period Basic 30.00 EUR",
    ]
    assert spring.periods() == ["2027-05-01/2028-05-01", "2027-05-01/2027-06-01"]


def test_a_price_with_another_interval_begins_where_the_trial_ends(spring: Shop) -> None:
    sub, basic, _ = on_basic(spring, trial_until=date(2027, 4, 15))
    weekly = spring.price(eur("7.00"), every=Interval.weeks(1), name="Weekly")
    spring.billing.subscriptions.change(sub.id, swap={basic.id: weekly.id})
    spring.time.advance(to=date(2027, 4, 22))
    assert spring.periods() == ["2027-04-15/2027-04-22", "2027-04-22/2027-04-29"]


# ---- on the day of a renewal ---------------------------------------------------------------------


@pytest.mark.parametrize("run_first", [True, False])
def test_on_the_day_of_a_renewal_a_change_counts_from_the_new_period(
    spring: Shop, *, run_first: bool
) -> None:
    sub, _, pro = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 30))
    noon = datetime(2027, 5, 1, 12, tzinfo=UTC)
    if run_first:
        spring.time.advance(to=noon)
    # If nothing ran yet, what is due is billed first, so it makes no difference.
    spring.billing.subscriptions.change(sub.id, [pro.id], at=noon)
    assert spring.totals() == ["30.00 EUR", "30.00 EUR"]
    assert spring.pending(sub) == ["credit Basic -30.00 EUR", "debit Pro 60.00 EUR"]
    spring.time.advance(to=date(2027, 6, 1))
    assert spring.totals() == ["30.00 EUR", "30.00 EUR", "90.00 EUR"]


def test_a_change_planned_for_a_renewal_comes_before_it(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.billing.subscriptions.schedule(sub.id, [pro.id], on=MAY)
    spring.time.advance(to=date(2027, 6, 1))
    assert spring.totals() == ["30.00 EUR", "60.00 EUR", "60.00 EUR"]


# ---- while money is missing ----------------------------------------------------------------------


def test_while_past_due_a_change_is_billed_as_ever(spring: Shop) -> None:
    sub, _, pro = on_basic(spring, "tok_insufficient_funds")
    spring.time.expect(PaymentFailed).advance()
    assert spring.subscription(sub).status == "past_due"
    spring.billing.subscriptions.change(sub.id, [pro.id], at=datetime(2027, 4, 16, tzinfo=UTC))
    assert spring.pending(sub) == ["credit Basic -15.00 EUR", "debit Pro 30.00 EUR"]
    assert spring.subscription(sub).status == "past_due"


def test_while_unpaid_what_a_change_costs_is_a_draft_until_the_debt_is_paid(spring: Shop) -> None:
    spring.billing.dunning.set_policy(DunningPolicy(retries=Retries(), final=MarkUnpaid()))
    sub, _, pro = on_basic(spring, "tok_lost_card")
    spring.time.expect(PaymentFailed, SubscriptionUnpaid).advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, [pro.id], proration=NOW)
    assert spring.statuses() == ["open", "draft"]
    assert spring.totals() == ["30.00 EUR", "15.00 EUR"]
    spring.billing.payments.record(sub.customer, eur("30.00"))
    assert spring.statuses() == ["paid", "open"]
    assert spring.subscription(sub).status == "active"


# ---- on the way out ------------------------------------------------------------------------------


def test_a_change_with_a_cancellation_pending_leaves_it_pending(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.billing.subscriptions.cancel(sub.id)
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, [pro.id])
    spring.time.expect(SubscriptionEnded, InvoicePaid).advance(to=date(2027, 6, 1))
    # What the change cost comes on a last invoice: 30.00 less 15.00.
    assert spring.totals() == ["30.00 EUR", "15.00 EUR"]


def test_planned_changes_end_with_the_subscription(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.billing.subscriptions.schedule(sub.id, [pro.id], on=date(2027, 6, 1))
    spring.billing.subscriptions.cancel(sub.id)
    spring.time.advance(to=date(2027, 7, 1))
    assert spring.totals() == ["30.00 EUR"]
    assert spring.subscription(sub).schedule == ()


def test_an_ended_subscription_is_not_changed(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.billing.subscriptions.cancel(sub.id, when="now")
    before = spring.events()
    with pytest.raises(InvalidTransition, match="ChangeItems is not allowed in state canceled"):
        spring.billing.subscriptions.change(sub.id, [pro.id])
    with pytest.raises(InvalidTransition, match="ChangeItems is not allowed in state canceled"):
        spring.billing.subscriptions.schedule(sub.id, [pro.id], on=MAY)
    assert spring.events() == before


def test_cancelled_at_once_after_a_change_all_unused_time_is_given_back(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 11))
    spring.billing.subscriptions.change(sub.id, [pro.id])
    spring.time.advance(to=date(2027, 4, 21))
    spring.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    # Used: 10 days of 1.00 and 10 of 2.00, which is what was paid on 1 April.
    assert spring.totals() == ["30.00 EUR", "0.00 EUR"]
    assert spring.billing.customers.get(sub.customer).balance == ()


def test_what_ended_and_came_back_on_one_day_is_billed_again(spring: Shop) -> None:
    sub, _, _ = on_basic(spring)
    spring.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    assert spring.billing.customers.get(sub.customer).balance == (eur("30.00"),)
    spring.billing.subscriptions.reactivate(sub.id)
    # All of April was given back, and is billed again: his balance pays.
    assert spring.totals() == ["30.00 EUR", "-30.00 EUR", "30.00 EUR"]
    assert spring.statuses() == ["paid", "paid", "paid"]
    assert spring.billing.customers.get(sub.customer).balance == ()


# ---- preview, replay -----------------------------------------------------------------------------


def test_a_preview_says_line_by_line_what_is_then_invoiced(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 16))
    plan = spring.billing.preview.subscriptions.change(sub.id, [pro.id], proration=NOW)
    (previewed,) = plan.invoices
    assert spring.lines(previewed) == ["credit Basic -15.00 EUR", "debit Pro 30.00 EUR"]
    assert spring.totals() == ["30.00 EUR"]
    spring.time.advance(hours=3)
    spring.billing.commit(plan)
    made = spring.billing.invoices.get(previewed.id)
    assert (made.lines, made.taxes, made.total) == (
        previewed.lines,
        previewed.taxes,
        previewed.total,
    )
    assert made.status == "paid"


def test_a_preview_is_stale_when_another_change_came_first(spring: Shop) -> None:
    sub, basic, pro = on_basic(spring)
    plan = spring.billing.preview.subscriptions.change(sub.id, [pro.id])
    spring.billing.subscriptions.change(sub.id, quantities={basic.id: 2})
    before = spring.events()
    with pytest.raises(StalePlan, match="preview again"):
        spring.billing.commit(plan)
    assert spring.events() == before


def test_a_change_that_is_sent_twice_is_made_once(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 16))
    change = spring.billing.subscriptions.change
    first = change(sub.id, [pro.id], proration=NOW, idempotency_key="upgrade-1")
    again = change(sub.id, [pro.id], proration=NOW, idempotency_key="upgrade-1")
    assert again == first
    assert spring.totals() == ["30.00 EUR", "15.00 EUR"]
    with pytest.raises(IdempotencyMismatch):
        change(sub.id, quantities={pro.id: 2}, proration=NOW, idempotency_key="upgrade-1")
