"""What customers have to their credit: where it comes from, and what it pays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from subscriptions import (
    Billing,
    InvalidTransition,
    Money,
    OneOff,
    UnknownReference,
    ValidationError,
)
from subscriptions.balance import Cause, unused
from subscriptions.customers import Customer, Grouping
from subscriptions.dunning import DunningPolicy, MarkUnpaid, Retries
from subscriptions.errors import IdempotencyMismatch
from subscriptions.invoices import InvoiceFinalized, InvoicePaid
from subscriptions.payments import PaymentSucceeded
from tests.scenarios.shop import MONTHLY, Shop, eur


def entries(shop: Shop, customer: Customer) -> list[str]:
    """Return the movements of a balance as `cause amount → balance`."""
    found = shop.billing.balance.entries(customer.id)
    return [f"{each.cause} {each.amount} → {each.balance}" for each in found]


def give(shop: Shop, customer: Customer, amount: str) -> None:
    shop.billing.balance.adjust(customer.id, eur(amount), reason="goodwill")


def charged(shop: Shop) -> list[str]:
    """Return what the gateway took, in order."""
    return [str(charge.amount) for charge in shop.gateway.charges]


def test_a_credit_of_an_invoice_pays_the_next_one_before_the_card(shop: Shop) -> None:
    ada = shop.customer()
    pro = shop.price(eur("31.00"))
    shop.subscribe(ada, pro)
    shop.time.advance(days=20)
    (sub,) = shop.billing.subscriptions.list()
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    # 11 of 31 days were paid and not used.
    assert entries(shop, ada) == ["negative_invoice 11.00 EUR → 11.00 EUR"]
    shop.subscribe(ada, pro)
    assert entries(shop, ada)[1:] == ["applied -11.00 EUR → 0.00 EUR"]
    _, last, new = shop.invoices(ada)
    assert (last.total, last.balance_applied, last.status) == (eur("-11.00"), -eur("11.00"), "paid")
    assert (new.total, new.balance_applied, new.paid) == (eur("31.00"), eur("11.00"), eur("20.00"))
    assert charged(shop) == ["31.00 EUR", "20.00 EUR"]
    assert [each.invoice for each in shop.billing.balance.entries(ada.id)] == [last.id, new.id]


def test_a_balance_that_covers_an_invoice_to_the_cent_pays_it_and_nothing_is_charged(
    shop: Shop,
) -> None:
    ada = shop.customer()
    give(shop, ada, "29.00")
    shop.subscribe(ada)
    invoice = shop.only_invoice(ada)
    assert (invoice.status, invoice.paid, invoice.balance_applied) == (
        "paid",
        eur("0.00"),
        eur("29.00"),
    )
    assert entries(shop, ada)[1:] == ["applied -29.00 EUR → 0.00 EUR"]
    assert shop.billing.customers.get(ada.id).balance == ()
    assert charged(shop) == []


def test_what_an_invoice_does_not_need_stays_for_the_next_ones(shop: Shop) -> None:
    ada = shop.customer()
    give(shop, ada, "70.00")
    shop.subscribe(ada)
    paid = [InvoiceFinalized, InvoicePaid]
    expected = [*paid, *paid, InvoiceFinalized, PaymentSucceeded, InvoicePaid]
    shop.time.expect(*expected).advance(months=2)
    assert entries(shop, ada) == [
        "adjustment 70.00 EUR → 70.00 EUR",
        "applied -29.00 EUR → 41.00 EUR",
        "applied -29.00 EUR → 12.00 EUR",
        "applied -12.00 EUR → 0.00 EUR",
    ]
    assert charged(shop) == ["17.00 EUR"]


def test_a_balance_pays_in_its_own_currency_only(shop: Shop) -> None:
    ada = shop.customer()
    shop.billing.balance.adjust(ada.id, Money.of("50.00", "USD"), reason="goodwill")
    shop.subscribe(ada)
    assert charged(shop) == ["29.00 EUR"]
    assert shop.billing.customers.get(ada.id).balance == (Money.of("50.00", "USD"),)


def test_what_is_adjusted_says_why_and_never_goes_below_zero(shop: Shop) -> None:
    ada = shop.customer()
    billing = shop.billing
    entry = billing.balance.adjust(ada.id, eur("5.00"), reason="an outage")
    assert (entry.cause, entry.reason, entry.at) == (
        Cause.ADJUSTMENT,
        "an outage",
        shop.time.now,
    )
    billing.balance.adjust(ada.id, eur("-2.00"), reason="too much")
    for wrong in (eur("-3.01"), eur("0.00"), Money.of("-1.00", "USD")):
        with pytest.raises(ValidationError) as refused:
            billing.balance.adjust(ada.id, wrong, reason="too much")
        assert refused.value.field == "amount"
    with pytest.raises(ValidationError) as refused:
        billing.balance.adjust(ada.id, eur("1.00"), reason="")
    assert refused.value.field == "reason"
    with pytest.raises(ValidationError):
        billing.balance.adjust(ada.id, 5, reason="a number")  # type: ignore[arg-type]
    with pytest.raises(UnknownReference):
        billing.balance.adjust("cus_nobody", eur("1.00"), reason="goodwill")
    assert entries(shop, ada) == [
        "adjustment 5.00 EUR → 5.00 EUR",
        "adjustment -2.00 EUR → 3.00 EUR",
    ]


def test_an_adjustment_that_is_repeated_with_its_key_moves_once(shop: Shop) -> None:
    ada = shop.customer()
    adjust = shop.billing.balance.adjust
    first = adjust(ada.id, eur("5.00"), reason="an outage", idempotency_key="k1")
    assert adjust(ada.id, eur("5.00"), reason="an outage", idempotency_key="k1") == first
    with pytest.raises(IdempotencyMismatch):
        adjust(ada.id, eur("6.00"), reason="an outage", idempotency_key="k1")
    assert entries(shop, ada) == ["adjustment 5.00 EUR → 5.00 EUR"]


def test_what_is_left_of_which_credit_is_told_oldest_first(shop: Shop) -> None:
    ada = shop.customer()
    give(shop, ada, "20.00")
    give(shop, ada, "15.00")
    shop.subscribe(ada)
    found = list(shop.billing.balance.entries(ada.id))
    assert [(each.ordinal, left) for each, left in unused(found)] == [
        (found[1].ordinal, eur("6.00"))
    ]


def test_voiding_an_invoice_returns_what_the_balance_paid_of_it(shop: Shop) -> None:
    ada = shop.customer(None)
    give(shop, ada, "10.00")
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("50.00"))])
    assert invoice.amount_due == eur("40.00")
    void = shop.billing.invoices.void(invoice.id, reason="a mistake")
    assert (void.status, void.amount_due) == ("void", eur("0.00"))
    assert entries(shop, ada) == [
        "adjustment 10.00 EUR → 10.00 EUR",
        "applied -10.00 EUR → 0.00 EUR",
        "void_returned 10.00 EUR → 10.00 EUR",
    ]
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.void(invoice.id, reason="a mistake")
    assert shop.billing.customers.get(ada.id).balance == (eur("10.00"),)


def test_voiding_what_the_balance_did_not_pay_moves_no_balance(shop: Shop) -> None:
    ada = shop.customer(None)
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("50.00"))])
    give(shop, ada, "10.00")
    shop.billing.invoices.void(invoice.id, reason="a mistake")
    assert entries(shop, ada) == ["adjustment 10.00 EUR → 10.00 EUR"]


def test_a_void_debt_returns_its_balance_though_drafts_are_invoiced_by_it(
    shop: Shop,
) -> None:
    policy = DunningPolicy(retries=Retries.after_days(1), final=MarkUnpaid())
    shop.billing.dunning.set_policy(policy)
    ada = shop.customer("tok_insufficient_funds")
    give(shop, ada, "10.00")
    shop.subscribe(ada)
    shop.time.advance(months=1, days=3)
    debt, draft = shop.invoices(ada)
    assert (debt.amount_due, draft.status) == (eur("19.00"), "draft")
    give(shop, ada, "4.00")
    shop.billing.invoices.void(debt.id, reason="a mistake")
    # Without the debt the draft is invoiced, by what there was; then the old credit returns.
    assert shop.billing.invoices.get(draft.id).balance_applied == eur("4.00")
    assert entries(shop, ada)[3:] == [
        "applied -4.00 EUR → 0.00 EUR",
        "void_returned 10.00 EUR → 10.00 EUR",
    ]


def test_what_is_void_for_want_of_the_first_payment_returns_its_balance(shop: Shop) -> None:
    ada = shop.customer("tok_insufficient_funds")
    give(shop, ada, "10.00")
    shop.billing.subscriptions.create(ada.id, [shop.price().id], require_payment=True)
    assert entries(shop, ada)[1:] == ["applied -10.00 EUR → 0.00 EUR"]
    shop.time.advance(days=2)
    assert entries(shop, ada)[2:] == ["void_returned 10.00 EUR → 10.00 EUR"]


def test_drafts_of_two_subscriptions_that_one_payment_frees_use_one_balance_in_turn(
    shop: Shop,
) -> None:
    policy = DunningPolicy(retries=Retries.after_days(1), final=MarkUnpaid())
    shop.billing.dunning.set_policy(policy)
    ada = shop.customer("tok_insufficient_funds")
    shop.billing.customers.update(ada.id, grouping=Grouping.DAY)
    for amount in ("31.00", "10.00"):
        shop.subscribe(ada, shop.price(eur(amount), name=amount), start=date(2027, 1, 5))
    shop.time.advance(to=date(2027, 2, 10))
    debt, *drafts = shop.invoices(ada)
    assert (debt.amount_due, [draft.status for draft in drafts]) == (eur("41.00"), ["draft"] * 2)
    give(shop, ada, "35.00")
    shop.billing.payments.record(ada.id, eur("41.00"), invoice=debt.id)
    assert shop.statuses(ada) == ["paid", "paid", "open"]
    assert entries(shop, ada)[1:] == [
        "applied -31.00 EUR → 4.00 EUR",
        "applied -4.00 EUR → 0.00 EUR",
    ]


def test_two_invoices_of_one_moment_use_a_balance_one_after_the_other(shop: Shop) -> None:
    ada = shop.customer()
    give(shop, ada, "40.00")
    for _ in range(2):
        shop.subscribe(ada, shop.price(every=MONTHLY), start=date(2027, 1, 5))
    shop.time.advance(to=date(2027, 1, 6))
    assert entries(shop, ada)[1:] == [
        "applied -29.00 EUR → 11.00 EUR",
        "applied -11.00 EUR → 0.00 EUR",
    ]
    assert charged(shop) == ["18.00 EUR"]


def test_a_preview_moves_no_balance(shop: Shop) -> None:
    ada = shop.customer()
    give(shop, ada, "10.00")
    plan = shop.billing.preview.invoices.create_one_off(ada.id, [OneOff("Work", eur("50.00"))])
    assert plan.invoices[0].balance_applied == eur("10.00")
    assert entries(shop, ada) == ["adjustment 10.00 EUR → 10.00 EUR"]
    shop.billing.commit(plan)
    assert entries(shop, ada)[1:] == ["applied -10.00 EUR → 0.00 EUR"]


def test_entries_are_listed_page_by_page_oldest_first(shop: Shop) -> None:
    ada, other = shop.customer(), shop.customer(name="Grace Hopper")
    for minor in range(1, 8):
        shop.billing.balance.adjust(ada.id, Money(minor, eur("1").currency), reason="bit by bit")
    give(shop, other, "9.00")
    page = shop.billing.balance.entries(ada.id, limit=3)
    assert page.total == 7
    assert [each.amount_minor for each in page] == [1, 2, 3, 4, 5, 6, 7]


def test_a_balance_needs_no_gateway_and_no_time(open_a_shop: Callable[..., Shop]) -> None:
    shop = open_a_shop(tenant="other")
    ada = shop.customer(None)
    at = shop.time.now + timedelta(hours=1)
    assert shop.billing.balance.adjust(ada.id, eur("1.00"), reason="x", at=at).at == at
    assert isinstance(shop.billing, Billing)
