"""Ending a subscription that was not paid, or whose money was given back: what is owed in the end.

Time that is not used is given back: what was paid for it as money or credit, what is still owed for
it by owing less. Nobody gets more than he paid, and nobody is asked for what he did not use.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from fractions import Fraction
from math import floor

import pytest

from subscriptions import (
    EUR,
    DunningPolicy,
    Interval,
    MarkUnpaid,
    Money,
    PerUnit,
    Retries,
    TaxRate,
    TaxRates,
)
from subscriptions.contract_terms import Terms
from subscriptions.credit_notes import CreditNote
from subscriptions.customers import Customer
from subscriptions.dunning import DunningStopped
from subscriptions.invoices import InvoicePaid
from subscriptions.lifecycle import Subscription, SubscriptionEnded
from subscriptions.proration import Proration
from subscriptions.taxes import TaxBehavior
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]
APRIL, HALF = date(2027, 4, 1), date(2027, 4, 16)
GIVEN_BACK = pytest.mark.parametrize("settlement", ["credit", "refund"])


@pytest.fixture
def spring(open_a_shop: Opened) -> Shop:
    return open_a_shop(start=APRIL)


def who_transfers(shop: Shop, amount: str = "30.00") -> tuple[Customer, Subscription]:
    """Subscribe somebody who pays by transfer, or does not; half of April passes."""
    ada = shop.customer(None)
    sub = shop.subscribe(ada, shop.price(eur(amount)))
    shop.time.advance(to=HALF)
    return ada, sub


def owed(shop: Shop) -> list[str]:
    return [str(each.amount_due) for each in shop.invoices()]


def notes(shop: Shop) -> list[CreditNote]:
    return list(shop.billing.credit_notes.list())


def balance(shop: Shop, customer: Customer) -> int:
    return shop.billing.customers.get(customer.id).credit_minor(eur("1").currency)


def given_back(shop: Shop) -> list[str]:
    return [str(each.amount) for each in shop.billing.payments.refunds()]


def end(shop: Shop, sub: Subscription, settlement: str) -> Subscription:
    return shop.billing.subscriptions.cancel(sub.id, when="now", settlement=settlement)


# ---- what is not paid is owed no more ------------------------------------------------------------


@GIVEN_BACK
def test_who_has_not_paid_owes_what_he_used(spring: Shop, settlement: str) -> None:
    ada, sub = who_transfers(spring)
    assert end(spring, sub, settlement).status == "canceled"
    (note,) = notes(spring)
    assert (note.total, note.taken_off) == (eur("15.00"), eur("15.00"))
    assert [line.line for line in note.lines] == [0]
    assert (owed(spring), balance(spring, ada), given_back(spring)) == (["15.00 EUR"], 0, [])
    spring.billing.payments.record(ada.id, eur("15.00"))
    assert (spring.statuses(), balance(spring, ada)) == (["paid"], 0)
    spring.time.advance(months=3)
    assert (spring.totals(), owed(spring)) == (["30.00 EUR"], ["0.00 EUR"])


@pytest.mark.parametrize("paid_minor", [0, 1, 1000, 2916, 2917])
@pytest.mark.parametrize("day", range(1, 30, 4))
def test_on_whatever_day_and_whatever_was_paid_he_pays_what_he_used(
    open_a_shop: Opened, day: int, paid_minor: int
) -> None:
    shop = open_a_shop(start=date(2028, 2, 1))
    ada = shop.customer(None)
    sub = shop.subscribe(ada, shop.price(eur("29.17")))
    shop.time.advance(to=date(2028, 2, day))
    if paid_minor:
        shop.billing.payments.record(ada.id, Money(paid_minor, EUR))
    end(shop, sub, "credit")
    # 29 days in that February; half a cent is a cent.
    used_minor = floor(Fraction(2917 * (day - 1), 29) + Fraction(1, 2))
    due_minor = sum(invoice.due_minor for invoice in shop.invoices())
    assert paid_minor + due_minor - balance(shop, ada) == used_minor
    assert due_minor == max(0, used_minor - paid_minor)


def test_an_invoice_that_credits_something_itself_is_credited_as_far_as_it_goes(
    spring: Shop,
) -> None:
    ada = spring.customer(None)
    monthly, yearly = spring.price(eur("30.00")), spring.price(eur("365.00"), every=YEARLY)
    sub = spring.subscribe(ada, monthly)
    spring.time.advance(to=HALF)
    spring.billing.subscriptions.change(sub.id, [yearly.id])
    assert owed(spring) == ["30.00 EUR", "350.00 EUR"]
    end(spring, sub, "credit")
    # Half of April was used, and the rest of it was given back against the year.
    assert (owed(spring)[:2], balance(spring, ada)) == (["30.00 EUR", "0.00 EUR"], 1500)


def test_without_settlement_all_of_it_stays_owed(spring: Shop) -> None:
    _, sub = who_transfers(spring)
    end(spring, sub, "none")
    assert (owed(spring), notes(spring)) == (["30.00 EUR"], [])


@GIVEN_BACK
def test_who_leaves_on_the_first_day_owes_nothing_and_is_not_dunned(
    spring: Shop, settlement: str
) -> None:
    ada = spring.customer("tok_insufficient_funds")
    sub = spring.subscribe(ada, spring.price(eur("30.00")))
    spring.time.advance(hours=3)
    assert spring.subscription(sub).status == "past_due"
    end(spring, sub, settlement)
    spring.time.expect(SubscriptionEnded, InvoicePaid, DunningStopped).advance(months=2)
    assert (spring.statuses(), owed(spring)) == (["paid"], ["0.00 EUR"])
    assert (balance(spring, ada), given_back(spring)) == (0, [])
    again = spring.billing.subscriptions.reactivate(sub.id)
    assert spring.invoices()[-1].total == eur("30.00"), "what was given back is sold again"
    assert again.status == "past_due" or spring.subscription(sub).status == "past_due"


@pytest.mark.parametrize("settlement", ["credit", "refund"])
def test_no_earlier_payment_is_given_back_for_a_month_that_was_not_paid(
    spring: Shop, settlement: str
) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, spring.price(eur("31.00")))
    spring.billing.payment_methods.attach(ada.id, "tok_insufficient_funds", default=True)
    spring.time.advance(to=date(2027, 5, 2))
    assert spring.statuses() == ["paid", "open"]
    end(spring, sub, settlement)
    # One of the 31 days of May was used.
    assert (owed(spring), balance(spring, ada)) == (["0.00 EUR", "1.00 EUR"], 0)
    assert given_back(spring) == []


def test_of_what_is_paid_in_part_the_open_part_goes_first(spring: Shop) -> None:
    ada, sub = who_transfers(spring)
    spring.billing.payments.record(ada.id, eur("25.00"))
    end(spring, sub, "credit")
    assert spring.statuses() == ["paid"]
    # He paid 25.00, and used 15.00.
    assert balance(spring, ada) == 1000


def test_of_what_is_paid_in_part_by_card_the_rest_is_refunded(spring: Shop) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, spring.price(eur("30.00")))
    spring.time.advance(to=HALF)
    (payment,) = spring.payments()
    spring.billing.payments.record_dispute(payment.id, eur("5.00"), reason="fraudulent")
    assert owed(spring) == ["5.00 EUR"]
    end(spring, sub, "refund")
    assert (spring.statuses(), balance(spring, ada)) == (["paid"], 0)
    assert given_back(spring) == ["10.00 EUR"]


def test_what_was_used_comes_on_a_last_invoice_beside_it(spring: Shop) -> None:
    ada = spring.customer(None)
    spring.billing.usage.add_meter("calls")
    calls = spring.billing.catalog.add_price(
        "Calls", PerUnit("1.00"), currency="EUR", every=MONTHLY, meter="calls"
    )
    items = [spring.price(eur("30.00")).id, calls.id]
    sub = spring.billing.subscriptions.create(ada.id, items)
    spring.time.advance(to=HALF)
    spring.billing.usage.record(sub.id, "calls", event_id="1", quantity=4)
    end(spring, sub, "credit")
    assert (spring.totals(), owed(spring)) == (["30.00 EUR", "4.00 EUR"], ["15.00 EUR", "4.00 EUR"])


@pytest.mark.parametrize(
    ("behavior", "total", "left"),
    # 14 of 30 days of 10.99 are 5.13 (5.1287); of that 19 %, or with it in the price.
    [(TaxBehavior.EXCLUSIVE, "13.08", "6.98"), (TaxBehavior.INCLUSIVE, "10.99", "5.86")],
)
def test_tax_is_owed_no_more_either(
    open_a_shop: Opened, behavior: TaxBehavior, total: str, left: str
) -> None:
    shop = open_a_shop(start=APRIL, taxes=TaxRates({"DE": TaxRate("19")}))
    ada = shop.customer(None)
    sub = shop.subscribe(ada, shop.price(eur("10.99"), tax_behavior=behavior))
    shop.time.advance(to=date(2027, 4, 17))
    assert owed(shop) == [str(eur(total))]
    end(shop, sub, "credit")
    assert owed(shop) == [str(eur(left))]


def test_a_cancellation_of_a_day_to_come_lowers_what_is_owed_when_it_comes(spring: Shop) -> None:
    ada, sub = who_transfers(spring)
    spring.billing.subscriptions.cancel(sub.id, when=date(2027, 4, 21), settlement="credit")
    assert owed(spring) == ["30.00 EUR"]
    spring.time.expect(SubscriptionEnded).advance(to=date(2027, 4, 22))
    assert (owed(spring), balance(spring, ada)) == (["20.00 EUR"], 0)


def test_a_term_that_ends_before_what_is_billed_lowers_what_is_owed(spring: Shop) -> None:
    ada, sub = who_transfers(spring)
    spring.billing.subscriptions.set_end(sub.id, on=date(2027, 4, 21))
    spring.time.advance(to=date(2027, 4, 22))
    assert (owed(spring), balance(spring, ada)) == (["20.00 EUR"], 0)


def test_a_debit_under_way_brings_more_than_is_owed_then_and_that_is_kept_for_him(
    spring: Shop,
) -> None:
    ada = spring.customer("tok_sepa_debit")
    sub = spring.subscribe(ada, spring.price(eur("30.00")))
    spring.time.advance(hours=1)
    assert spring.payments()[0].status == "processing"
    end(spring, sub, "credit")
    spring.time.advance(days=20)
    assert (spring.statuses(), spring.payments()[0].status) == (["paid"], "succeeded")
    (payment,) = spring.payments()
    assert (payment.unallocated, payment.refundable) == (eur("30.00"), eur("30.00"))


def test_of_what_was_given_up_nothing_is_given_back(spring: Shop) -> None:
    ada, sub = who_transfers(spring)
    spring.billing.invoices.mark_uncollectible(spring.only_invoice().id, reason="insolvent")
    end(spring, sub, "refund")
    assert (owed(spring), balance(spring, ada)) == (["15.00 EUR"], 0)
    assert spring.statuses() == ["uncollectible"]


def test_while_it_is_unpaid_the_debt_itself_becomes_less(spring: Shop) -> None:
    spring.billing.dunning.set_policy(DunningPolicy(retries=Retries(), final=MarkUnpaid()))
    ada = spring.customer("tok_lost_card")
    sub = spring.subscribe(ada, spring.price(eur("30.00")))
    spring.time.advance(to=HALF)
    assert spring.subscription(sub).status == "unpaid"
    end(spring, sub, "credit")
    assert (spring.statuses(), owed(spring)) == (["open"], ["15.00 EUR"])
    spring.billing.payments.record(ada.id, eur("15.00"))
    assert (spring.statuses(), balance(spring, ada)) == (["paid"], 0)


def test_what_somebody_else_owes_for_it_is_owed_no_more(spring: Shop) -> None:
    ada, sub = who_transfers(spring)
    bob = spring.customer(None, name="Bob")
    spring.billing.payments.record(ada.id, eur("20.00"))
    spring.billing.subscriptions.transfer(sub.id, to=bob.id)
    end(spring, sub, "credit")
    # Ada owed 10.00 more for time that Bob did not use, and paid 5.00 for such time.
    assert (spring.statuses(), spring.invoices()[0].customer) == (["paid"], ada.id)
    assert (balance(spring, ada), balance(spring, bob)) == (500, 0)


def test_a_preview_shows_the_credit_note(spring: Shop) -> None:
    _, sub = who_transfers(spring)
    plan = spring.billing.preview.subscriptions.cancel(sub.id, when="now", settlement="credit")
    (shown,) = plan.credit_notes
    assert (notes(spring), shown.total) == ([], eur("15.00"))
    spring.billing.commit(plan)
    (made,) = notes(spring)
    assert (made.lines, made.total) == (shown.lines, shown.total)
    assert made.lines[0].amount == eur("15.00")


# ---- what was given back already -----------------------------------------------------------------


@GIVEN_BACK
def test_what_was_refunded_in_full_is_not_given_back_again(spring: Shop, settlement: str) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, spring.price(eur("30.00")))
    spring.time.advance(to=date(2027, 5, 16))
    april, may = spring.payments()
    spring.billing.payments.refund(may.id, reason="a bad month")
    end(spring, sub, settlement)
    assert (given_back(spring), balance(spring, ada)) == (["30.00 EUR"], 0)
    assert spring.billing.payments.get(april.id).refundable == eur("30.00")


@GIVEN_BACK
@pytest.mark.parametrize(
    ("refunded", "more"),
    # Unused are 15.00 of 30.00; what is kept is the limit.
    [("10.00", 1500), ("15.00", 1500), ("20.00", 1000), ("29.99", 1)],
)
def test_of_what_was_refunded_in_part_no_more_is_given_back_than_was_kept(
    spring: Shop, settlement: str, refunded: str, more: int
) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, spring.price(eur("30.00")))
    spring.time.advance(to=HALF)
    (payment,) = spring.payments()
    spring.billing.payments.refund(payment.id, eur(refunded), reason="sorry")
    end(spring, sub, settlement)
    back = [int(each.amount_minor) for each in list(spring.billing.payments.refunds())[1:]]
    assert sum(back) + balance(spring, ada) == more
    assert (balance(spring, ada) == 0) is (settlement == "refund")


def test_a_credit_note_that_was_refunded_is_counted_once(spring: Shop) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, spring.price(eur("30.00")))
    spring.time.advance(to=HALF)
    invoice = spring.only_invoice()
    spring.billing.credit_notes.create(
        invoice.id, amount=eur("10.00"), refund=eur("10.00"), reason="sorry"
    )
    end(spring, sub, "credit")
    # 20.00 are left of the line, of which 15.00 are unused.
    assert balance(spring, ada) == 1500


def test_a_refund_that_failed_was_none(spring: Shop) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, spring.price(eur("30.00")))
    spring.time.advance(to=HALF)
    (payment,) = spring.payments()
    spring.gateway.fail_refund_next()
    spring.billing.payments.refund(payment.id, reason="sorry")
    end(spring, sub, "credit")
    assert balance(spring, ada) == 1500


@pytest.mark.parametrize(("cap", "credit"), [("debited", "-15.00"), ("paid", "-10.00")])
def test_a_change_that_is_capped_by_what_was_paid_counts_what_was_refunded(
    spring: Shop, cap: str, credit: str
) -> None:
    ada = spring.customer()
    small, big = spring.price(eur("30.00")), spring.price(eur("60.00"), name="Max")
    sub = spring.subscribe(ada, small)
    spring.time.advance(to=HALF)
    (payment,) = spring.payments()
    spring.billing.payments.refund(payment.id, eur("20.00"), reason="sorry")
    spring.billing.subscriptions.change(sub.id, [big.id], proration=Proration(cap=cap))
    assert spring.pending(sub) == [f"credit Pro {credit} EUR", "debit Max 30.00 EUR"]


# ---- what never began ----------------------------------------------------------------------------


@pytest.mark.parametrize("settlement", ["none", "credit", "refund"])
def test_who_cancels_before_his_first_payment_owes_nothing(spring: Shop, settlement: str) -> None:
    ada = spring.customer(None)
    sub = spring.billing.subscriptions.create(
        ada.id, [spring.price(eur("30.00")).id], require_payment=True
    )
    assert (sub.status, spring.statuses()) == ("incomplete", ["open"])
    assert end(spring, sub, settlement).status == "canceled"
    assert spring.statuses() == ["void"]
    spring.time.advance(months=2)
    assert (spring.statuses(), owed(spring)) == (["void"], ["0.00 EUR"])


@pytest.mark.parametrize("token", ["tok_sepa_debit", "tok_sepa_debit_returned"])
def test_who_cancels_while_his_first_debit_is_under_way_is_over_once_it_is_known(
    spring: Shop, token: str
) -> None:
    ada = spring.customer(token)
    sub = spring.billing.subscriptions.create(
        ada.id, [spring.price(eur("30.00")).id], require_payment=True
    )
    assert spring.payments()[0].status == "processing"
    pending = end(spring, sub, "refund")
    assert (pending.status, pending.cancellation is not None) == ("incomplete", True)
    spring.time.advance(days=20)
    if token == "tok_sepa_debit":  # noqa: S105 - no password
        paid = sum(each.amount_minor for each in spring.billing.payments.refunds())
        # He had it for the days that the debit took.
        used = (spring.subscription(sub).contract.at.date() - APRIL).days  # type: ignore[union-attr]
        assert paid == 3000 - used * 100
    else:
        assert (spring.statuses(), given_back(spring)) == (["void"], [])


def test_who_cancels_while_he_is_to_confirm_his_first_payment_owes_nothing(spring: Shop) -> None:
    ada = spring.customer("tok_requires_action")
    sub = spring.billing.subscriptions.create(
        ada.id, [spring.price(eur("30.00")).id], require_payment=True
    )
    end(spring, sub, "none")
    spring.time.expect(SubscriptionEnded).advance(days=3)
    assert (spring.statuses(), spring.subscription(sub).status) == (["void"], "expired")


def test_terms_do_not_bind_before_the_first_payment(spring: Shop) -> None:
    ada, terms = spring.customer(None), Terms(minimum=Interval.years(1))
    sub = spring.billing.subscriptions.create(
        ada.id, [spring.price(eur("30.00")).id], require_payment=True, terms=terms
    )
    assert end(spring, sub, "none").status == "canceled"


# ---- debts that are paid when it is over ---------------------------------------------------------


def test_who_paid_his_debt_after_the_end_comes_back_without_it(spring: Shop) -> None:
    ada = spring.customer(None)
    sub = spring.subscribe(ada, spring.price(eur("30.00")))
    spring.time.advance(to=date(2027, 4, 20))
    assert spring.subscription(sub).status == "past_due"
    end(spring, sub, "none")
    spring.billing.payments.record(ada.id, eur("30.00"))
    assert spring.billing.subscriptions.reactivate(sub.id).status == "active"


def test_what_was_drafted_while_it_was_unpaid_is_invoiced_when_the_debt_is_paid(
    spring: Shop,
) -> None:
    spring.billing.dunning.set_policy(DunningPolicy(retries=Retries(), final=MarkUnpaid()))
    ada = spring.customer("tok_lost_card")
    spring.billing.usage.add_meter("calls")
    calls = spring.billing.catalog.add_price(
        "Calls", PerUnit("1.00"), currency="EUR", every=MONTHLY, meter="calls"
    )
    items = [spring.price(eur("30.00")).id, calls.id]
    sub = spring.billing.subscriptions.create(ada.id, items)
    spring.time.advance(days=3)
    spring.billing.usage.record(sub.id, "calls", event_id="1", quantity=4)
    end(spring, sub, "none")
    assert (spring.totals(), spring.statuses()) == (["30.00 EUR", "4.00 EUR"], ["open", "draft"])
    spring.billing.payments.record(ada.id, eur("30.00"))
    assert spring.statuses() == ["paid", "open"]
