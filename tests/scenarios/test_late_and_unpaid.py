"""Periods that nobody billed in time, bills that nobody would believe, first payments that wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from subscriptions import InvalidTransition, ValidationError
from subscriptions.decisions import RecordParked
from subscriptions.invoices import InvoicePaid, InvoiceVoided
from subscriptions.lifecycle import (
    FirstPaymentAwaited,
    Subscription,
    SubscriptionActivated,
    SubscriptionEnded,
    SubscriptionRenewed,
)
from subscriptions.payments import Outcome, PaymentFailed, PaymentWithdrawn
from subscriptions.proration import Proration
from subscriptions.usecases.flows import Safety
from tests.scenarios.shop import GOOD, Shop, eur

Opened = Callable[..., Shop]
APRIL, MAY = date(2027, 4, 1), date(2027, 5, 1)
NOW = Proration(mode="invoice_now")


@pytest.fixture
def spring(open_a_shop: Opened) -> Shop:
    return open_a_shop(start=APRIL)


def late(shop: Shop, months: int, **policy: object) -> Subscription:
    """Subscribe a customer on 1 April to 30.00 a month, and let nothing run for some months."""
    ada, price = shop.customer(), shop.price(eur("30.00"))
    sub = shop.billing.subscriptions.create(ada.id, [price.id], **policy)  # type: ignore[arg-type]  # passed on
    shop.clock.now = datetime(2027, 4 + months, 15, tzinfo=UTC)
    return sub


# ---- catching up ---------------------------------------------------------------------------------


def test_missed_periods_are_billed_each_on_its_own_invoice(spring: Shop) -> None:
    late(spring, 3)
    spring.time.expect(*[InvoicePaid] * 4).advance(to=date(2027, 7, 15))
    assert spring.totals() == ["30.00 EUR"] * 4
    assert [str(invoice.issued_on) for invoice in spring.invoices()] == [
        "2027-04-01",
        "2027-05-01",
        "2027-06-01",
        "2027-07-01",
    ]


def test_missed_periods_are_billed_together(spring: Shop) -> None:
    late(spring, 3, catch_up="together")
    spring.time.expect(InvoicePaid, InvoicePaid).advance(to=date(2027, 7, 15))
    assert spring.totals() == ["30.00 EUR", "90.00 EUR"]
    assert spring.periods()[1:] == [
        "2027-05-01/2027-06-01",
        "2027-06-01/2027-07-01",
        "2027-07-01/2027-08-01",
    ]


def test_missed_periods_are_skipped(spring: Shop) -> None:
    late(spring, 3, catch_up="skip")
    spring.time.expect(InvoicePaid, InvoicePaid).advance(to=date(2027, 7, 15))
    assert spring.periods() == ["2027-04-01/2027-05-01", "2027-07-01/2027-08-01"]


@pytest.mark.parametrize(
    ("catch_up", "periods_max", "totals"),
    [
        ("each", 36, ["30.00 EUR"] * 7),
        ("together", 6, ["30.00 EUR", "180.00 EUR"]),
        ("skip", 3, ["30.00 EUR", "30.00 EUR"]),
    ],
)
def test_more_than_the_bound_waits_for_a_person_who_says_how(
    spring: Shop, catch_up: str, periods_max: int, totals: list[str]
) -> None:
    sub = late(spring, 6, catch_up_max=3)
    spring.time.expect(InvoicePaid, RecordParked).advance(to=date(2027, 10, 15))
    assert spring.totals() == ["30.00 EUR"]
    assert "at most 3" in (spring.subscription(sub).parked or "")
    spring.billing.subscriptions.set_catch_up(sub.id, catch_up=catch_up, catch_up_max=periods_max)
    spring.billing.unpark("subscription", sub.id)
    spring.time.advance()
    assert spring.totals() == totals
    assert spring.subscription(sub).paid_through == date(2027, 11, 1)


def test_a_bound_is_at_least_one_period(spring: Shop) -> None:
    sub = late(spring, 0)
    with pytest.raises(ValidationError, match="catch_up_max"):
        spring.billing.subscriptions.set_catch_up(sub.id, catch_up="each", catch_up_max=0)
    with pytest.raises(ValidationError, match="catch_up: one of 'each', 'together', 'skip'"):
        spring.billing.subscriptions.set_catch_up(sub.id, catch_up="all")


def test_a_change_after_a_long_time_is_made_after_what_was_missed(spring: Shop) -> None:
    sub = late(spring, 3)
    pro = spring.price(eur("60.00"), name="Plus")
    spring.billing.subscriptions.change(sub.id, [pro.id])
    # Three missed months are billed first; of July's 31 days 17 are left: 30.00 · 17/31 = 16.45.
    assert spring.totals() == ["30.00 EUR"] * 4
    assert spring.pending(sub) == ["credit Pro -16.45 EUR", "debit Plus 32.90 EUR"]


# ---- backdated -----------------------------------------------------------------------------------


def test_a_backdated_start_has_the_price_of_its_time(spring: Shop) -> None:
    old = spring.billing.catalog.add_price(
        "Pro", eur("30.00"), every=spring.price().every, valid_from=date(2027, 1, 1)
    )
    new = spring.billing.catalog.new_version(old.id, eur("40.00"), valid_from=date(2027, 3, 1))
    ada, bob = spring.customer(), spring.customer(name="Bob")
    create = spring.billing.subscriptions.create
    create(ada.id, [new.id], start=date(2027, 2, 1))
    create(bob.id, [new.id], start=date(2027, 3, 1))
    with pytest.raises(InvalidTransition, match="superseded"):
        create(bob.id, [old.id], start=date(2027, 3, 1))
    spring.time.advance()
    # Who began in February keeps February's price.
    assert spring.totals(ada) == ["30.00 EUR"] * 3
    assert spring.totals(bob) == ["40.00 EUR"] * 2


def test_a_backdated_start_of_many_periods_may_come_on_one_invoice(spring: Shop) -> None:
    ada, price = spring.customer(), spring.price(eur("30.00"))
    spring.billing.subscriptions.create(
        ada.id, [price.id], start=date(2026, 11, 1), catch_up="together"
    )
    spring.time.expect(SubscriptionRenewed, InvoicePaid).advance()
    assert spring.totals() == ["180.00 EUR"]


def test_a_start_by_mistake_in_the_last_century_is_refused(spring: Shop) -> None:
    ada, price = spring.customer(), spring.price(eur("30.00"))
    with pytest.raises(ValidationError, match="at most 36 periods ago"):
        spring.billing.subscriptions.create(ada.id, [price.id], start=date(1927, 4, 1))
    assert spring.events()[-1] != "subscription.created"


# ---- a bill far off the usual --------------------------------------------------------------------


def test_a_change_of_a_multiple_of_the_usual_is_made_and_the_next_bill_is_looked_at(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(start=APRIL, safety=Safety(times_usual=10, least_amount=1))
    pro = shop.price(eur("30.00"))
    sub = shop.subscribe(shop.customer(), pro)
    # 21 instead of 1: 630.00 less 30.00. Who asks for it could look at it first.
    shop.billing.subscriptions.change(sub.id, quantities={pro.id: 21}, proration=NOW)
    assert shop.totals() == ["30.00 EUR", "600.00 EUR"]
    shop.time.expect(RecordParked).advance(to=MAY)
    assert "63000 minor units, where 3000 were usual" in (shop.subscription(sub).parked or "")


def test_more_lines_than_the_bound_are_parked_until_a_person_has_looked(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(start=APRIL, safety=Safety(lines_max=4))
    pro = shop.price(eur("30.00"))
    sub = shop.subscribe(shop.customer(), pro)
    for seats in (2, 3, 4):
        shop.time.advance(days=1)
        shop.billing.subscriptions.change(sub.id, quantities={pro.id: seats})
    # Six lines are pending, and May is the seventh.
    shop.time.expect(RecordParked).advance(to=MAY)
    parked = shop.subscription(sub)
    assert "7 lines, at most 4" in (parked.parked or "")
    assert (parked.due_at, len(shop.invoices())) == (None, 1)
    shop.time.expect().advance(days=10)
    released = shop.billing.unpark("subscription", sub.id)
    assert released.parked is None
    # April: 1.00, 2.00, 3.00 and 27 days of 4.00 are 114.00, of which 30.00 are billed.
    assert shop.totals() == ["30.00 EUR", "204.00 EUR"]
    assert shop.invoices()[-1].issued_on == MAY


def test_a_released_bill_may_be_part_of_a_transaction(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=APRIL, safety=Safety(lines_max=2))
    pro = shop.price(eur("30.00"))
    sub = shop.subscribe(shop.customer(), pro)
    shop.billing.subscriptions.change(sub.id, quantities={pro.id: 2})
    shop.time.expect(InvoicePaid, RecordParked).advance(to=MAY)
    with shop.billing.transaction():
        shop.billing.unpark("subscription", sub.id)
    # 30.00 back, 60.00 more, and May.
    assert shop.totals() == ["30.00 EUR", "90.00 EUR"]
    assert shop.statuses() == ["paid", "paid"]


# ---- the first payment ---------------------------------------------------------------------------


def required(shop: Shop, token: str | None = GOOD) -> Subscription:
    """Subscribe a customer whose first invoice has to be paid within 23 hours."""
    ada, price = shop.customer(token), shop.price(eur("30.00"))
    return shop.billing.subscriptions.create(ada.id, [price.id], require_payment=True)


def test_a_first_payment_that_succeeds_makes_it_active_at_once(spring: Shop) -> None:
    sub = required(spring)
    assert spring.subscription(sub).status == "active"
    spring.time.expect(FirstPaymentAwaited, SubscriptionActivated).advance(days=2)
    assert spring.totals() == ["30.00 EUR"]


def test_a_first_payment_that_waits_for_the_customer_is_in_time(spring: Shop) -> None:
    sub = required(spring, "tok_requires_action")
    assert (sub.status, sub.served) == ("incomplete", False)
    with pytest.raises(InvalidTransition, match="incomplete"):
        spring.billing.subscriptions.change(sub.id, [spring.price(eur("60.00"), name="Plus").id])
    spring.time.expect(FirstPaymentAwaited).advance(hours=22)
    (payment,) = spring.payments()
    spring.gateway.complete_action(payment.id)
    assert spring.deliver_webhooks() != []
    spring.time.expect(InvoicePaid, SubscriptionActivated).advance()
    assert spring.subscription(sub).status == "active"
    # Periods are counted from the start and not from the payment.
    assert spring.subscription(sub).due_day == MAY


def test_a_first_payment_that_never_comes_voids_the_invoice(spring: Shop) -> None:
    sub = required(spring, token=None)
    assert sub.status == "incomplete"
    spring.time.expect(SubscriptionEnded, InvoiceVoided).advance(days=2)
    assert spring.subscription(sub).status == "expired"
    assert spring.statuses() == ["void"]
    spring.time.advance(months=2)
    assert len(spring.invoices()) == 1


@pytest.mark.parametrize("token", [None, "tok_insufficient_funds_twice"])
def test_who_paid_a_part_of_what_never_began_is_neither_dunned_nor_charged(
    spring: Shop, token: str | None
) -> None:
    sub = required(spring, token)
    transfer = spring.billing.payments.record(sub.customer, eur("10.00"))
    spring.time.advance(months=2)
    assert spring.subscription(sub).status == "expired"
    assert spring.statuses() == ["void"]
    # His money waits for a person, who pays it back.
    (waiting,) = spring.billing.payments.unmatched()
    assert waiting.payment is not None
    assert (waiting.payment.id, waiting.amount) == (transfer.id, eur("10.00"))
    assert not any(x.outcome is Outcome.SUCCEEDED for x in spring.gateway.charges)


def test_what_never_began_and_was_credited_in_part_is_given_up(spring: Shop) -> None:
    sub = required(spring, None)
    billing = spring.billing
    billing.credit_notes.create(spring.only_invoice().id, amount=eur("5.00"), reason="A mistake")
    spring.time.advance(months=2)
    assert spring.subscription(sub).status == "expired"
    assert spring.statuses() == ["uncollectible"]
    assert "dunning.reminder_due" not in spring.events()


def test_a_declined_first_payment_expires_too(spring: Shop) -> None:
    sub = required(spring, "tok_insufficient_funds")
    spring.time.expect(PaymentFailed, SubscriptionEnded, InvoiceVoided).advance(days=1)
    assert spring.subscription(sub).status == "expired"
    assert spring.statuses() == ["void"]


def test_a_debit_that_takes_days_is_waited_for(spring: Shop) -> None:
    sub = required(spring, "tok_sepa_debit")
    # The window of 23 hours is over, but the bank has the debit and nobody can stop it.
    spring.time.expect(FirstPaymentAwaited, FirstPaymentAwaited).advance(days=1)
    assert spring.subscription(sub).status == "incomplete"
    spring.time.expect(*[FirstPaymentAwaited] * 4, SubscriptionActivated).advance(days=5)
    assert spring.subscription(sub).status == "active"
    assert spring.subscription(sub).due_day == MAY


def test_a_debit_that_comes_back_ends_it(spring: Shop) -> None:
    sub = required(spring, "tok_sepa_debit_returned")
    spring.time.expect(PaymentFailed, SubscriptionEnded, InvoiceVoided).advance(days=10)
    assert spring.subscription(sub).status == "expired"


def test_a_customer_who_never_answers_is_not_charged_later(spring: Shop) -> None:
    sub = required(spring, "tok_requires_action")
    spring.time.expect(PaymentWithdrawn, SubscriptionEnded, InvoiceVoided).advance(hours=24)
    assert spring.subscription(sub).status == "expired"
    (payment,) = spring.payments()
    assert payment.status == "void"
    with pytest.raises(InvalidTransition):
        spring.gateway.complete_action(payment.id)


def test_a_first_payment_is_waited_for_though_invoices_are_grouped(spring: Shop) -> None:
    ada, price = spring.customer("tok_insufficient_funds"), spring.price(eur("30.00"))
    spring.billing.customers.update(ada.id, grouping="day")
    sub = spring.billing.subscriptions.create(ada.id, [price.id], require_payment=True)
    assert sub.status == "incomplete"
    spring.time.expect(PaymentFailed, SubscriptionEnded, InvoiceVoided).advance(days=1)
    assert (spring.subscription(sub).status, spring.statuses()) == ("expired", ["void"])
