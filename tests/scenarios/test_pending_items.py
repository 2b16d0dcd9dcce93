"""What waits for a customer's next invoice comes on it, once, whatever that invoice is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from subscriptions import (
    InvalidTransition,
    Money,
    OneOff,
    Seller,
    TaxRate,
    TaxRates,
    UnknownReference,
    ValidationError,
)
from subscriptions.invoices import Invoice
from subscriptions.pending_items import Invoiced, Withdrawn
from subscriptions.taxes import TaxBehavior
from tests.scenarios.shop import Shop, eur

Opened = Callable[..., Shop]

WORK = OneOff("Work", eur("10.00"), 2)
HELP = OneOff("Help", eur("5.00"))


class RolledBack(Exception):
    """The host changes its mind."""


def descriptions(invoice: Invoice) -> list[str]:
    return [line.description for line in invoice.lines]


def test_an_item_comes_on_the_next_invoice_after_its_own_lines_and_once(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(taxes=TaxRates({"DE": TaxRate("19")}))
    ada = shop.customer()
    shop.subscribe(ada)
    shop.time.advance()
    item = shop.billing.invoices.add_pending_item(ada.id, WORK)
    assert (item.amount, shop.billing.customers.get(ada.id).pending_items) == (eur("20.00"), 1)
    shop.time.advance(months=2)
    invoices = shop.invoices(ada)
    assert list(map(descriptions, invoices)) == [["Pro"], ["Pro", "Work"], ["Pro"]]
    assert invoices[1].total == eur("58.31")
    (after,) = shop.billing.invoices.pending_items(customer=ada.id)
    assert after.state == Invoiced(invoices[1].id, invoices[1].finalized_at or shop.time.now)
    assert shop.billing.customers.get(ada.id).pending_items == 0
    assert shop.events(item.id) == ["pending_item.added", "pending_item.invoiced"]


def test_an_item_of_a_subscription_waits_for_that_one(shop: Shop) -> None:
    ada = shop.customer()
    price = shop.price()
    first = shop.subscribe(ada, price, start=date(2027, 1, 10))
    second = shop.subscribe(ada, price, start=date(2027, 1, 20))
    add = shop.billing.invoices.add_pending_item
    add(ada.id, WORK, subscription=second.id)
    add(ada.id, HELP)
    shop.time.advance(to=date(2027, 1, 31))
    by_subscription = {each.subscription: each for each in shop.invoices(ada)}
    assert descriptions(by_subscription[first.id]) == ["Pro", "Help"]
    assert descriptions(by_subscription[second.id]) == ["Pro", "Work"]


def test_an_item_waits_for_an_invoice_in_its_currency(shop: Shop) -> None:
    ada = shop.customer()
    shop.subscribe(ada)
    shop.billing.invoices.add_pending_item(ada.id, OneOff("Work", Money.of("7.00", "USD")))
    shop.time.advance(months=1)
    assert [descriptions(each) for each in shop.invoices(ada)] == [["Pro"], ["Pro"]]
    final = shop.billing.invoices.invoice_pending_items(ada.id)
    assert (final.total, final.status) == (Money.of("7.00", "USD"), "paid")
    assert shop.billing.customers.get(ada.id).pending_items == 0


def test_grouped_invoices_take_them_once(shop: Shop) -> None:
    ada = shop.billing.customers.update(shop.customer().id, grouping="day")
    price = shop.price()
    subscriptions = [shop.subscribe(ada, price, start=date(2027, 1, 10)) for _ in range(3)]
    shop.billing.invoices.add_pending_item(ada.id, WORK)
    shop.billing.invoices.add_pending_item(ada.id, HELP, subscription=subscriptions[1].id)
    shop.time.advance(to=date(2027, 2, 10))
    assert [descriptions(each) for each in shop.invoices(ada)] == [
        ["Pro", "Pro", "Pro", "Work", "Help"],
        ["Pro", "Pro", "Pro"],
    ]


def test_a_reduction_that_waits_takes_something_off(shop: Shop) -> None:
    ada = shop.customer()
    shop.subscribe(ada)
    shop.time.advance()
    shop.billing.invoices.add_pending_item(ada.id, OneOff("Sorry", eur("-30.00")))
    shop.time.advance(months=1)
    assert shop.totals(ada) == ["29.00 EUR", "-1.00 EUR"]
    assert shop.billing.customers.get(ada.id).balance == (eur("1.00"),)


def test_the_balance_of_a_customer_pays_what_waited_too(shop: Shop) -> None:
    ada = shop.customer()
    shop.subscribe(ada)
    shop.time.advance()
    shop.billing.balance.adjust(ada.id, eur("40.00"), reason="goodwill")
    shop.billing.invoices.add_pending_item(ada.id, WORK)
    shop.time.advance(months=1)
    assert [str(each.balance_applied) for each in shop.invoices(ada)] == ["0.00 EUR", "40.00 EUR"]


def test_what_is_taken_back_is_not_invoiced(shop: Shop) -> None:
    ada = shop.customer()
    shop.subscribe(ada)
    item = shop.billing.invoices.add_pending_item(ada.id, WORK)
    gone = shop.billing.invoices.remove_pending_item(item.id)
    assert gone.state == Withdrawn(shop.time.now)
    shop.time.advance(months=1)
    assert [descriptions(each) for each in shop.invoices(ada)] == [["Pro"], ["Pro"]]
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.remove_pending_item(item.id)
    assert list(shop.billing.invoices.pending_items(waiting_for=ada.id)) == []


def test_what_is_invoiced_is_not_taken_back(shop: Shop) -> None:
    ada = shop.customer()
    item = shop.billing.invoices.add_pending_item(ada.id, WORK)
    shop.billing.invoices.invoice_pending_items(ada.id)
    with pytest.raises(InvalidTransition) as refused:
        shop.billing.invoices.remove_pending_item(item.id)
    assert refused.value.state == "invoiced"


def test_the_last_invoice_takes_what_waits(shop: Shop) -> None:
    ada = shop.customer()
    subscription = shop.subscribe(ada)
    shop.time.advance()
    shop.billing.invoices.add_pending_item(ada.id, WORK, subscription=subscription.id)
    shop.time.advance(days=10)
    shop.billing.subscriptions.cancel(subscription.id, when="now", settlement="credit")
    assert descriptions(shop.invoices(ada)[-1])[-1] == "Work"


def test_what_is_to_be_paid_back_is_not_used_up_by_what_waits(shop: Shop) -> None:
    ada = shop.customer()
    subscription = shop.subscribe(ada)
    shop.time.advance()
    shop.billing.invoices.add_pending_item(ada.id, WORK)
    shop.time.advance(days=10)
    shop.billing.subscriptions.cancel(subscription.id, when="now", settlement="refund")
    assert "Work" not in descriptions(shop.invoices(ada)[-1])
    assert shop.billing.invoices.invoice_pending_items(ada.id).total == eur("20.00")


def test_drafts_of_a_pause_take_what_waits_when_they_are_invoiced(shop: Shop) -> None:
    ada = shop.customer()
    subscription = shop.subscribe(ada)
    shop.time.advance()
    shop.billing.subscriptions.pause(subscription.id)
    shop.billing.invoices.add_pending_item(ada.id, WORK)
    shop.time.advance(months=2)
    assert [descriptions(each) for each in shop.invoices(ada)] == [["Pro"], ["Pro"], ["Pro"]]
    shop.billing.subscriptions.resume(subscription.id)
    assert [descriptions(each) for each in shop.invoices(ada)] == [
        ["Pro"],
        ["Pro", "Work"],
        ["Pro"],
    ]


def test_who_has_no_further_invoice_is_invoiced_by_hand(shop: Shop) -> None:
    ada = shop.customer(token=None)
    shop.billing.invoices.add_pending_item(ada.id, WORK)
    shop.billing.invoices.add_pending_item(ada.id, OneOff("Sorry", eur("-3.00")))
    shop.time.advance(months=3)
    assert shop.invoices(ada) == []
    final = shop.billing.invoices.invoice_pending_items(ada.id)
    assert (descriptions(final), final.total) == (["Work", "Sorry"], eur("17.00"))
    with pytest.raises(ValidationError) as refused:
        shop.billing.invoices.invoice_pending_items(ada.id)
    assert refused.value.field == "customer"


def test_several_currencies_are_invoiced_one_by_one(shop: Shop) -> None:
    ada = shop.customer()
    shop.billing.invoices.add_pending_item(ada.id, WORK)
    shop.billing.invoices.add_pending_item(ada.id, OneOff("Work", Money.of("7.00", "USD")))
    for currency in (None, "CHF"):
        with pytest.raises(ValidationError) as refused:
            shop.billing.invoices.invoice_pending_items(ada.id, currency=currency)
        assert refused.value.expected == "one of EUR, USD"
    for currency in ("USD", "EUR"):
        final = shop.billing.invoices.invoice_pending_items(ada.id, currency=currency)
        assert final.currency.code == currency


def test_reductions_alone_go_on_waiting(shop: Shop) -> None:
    ada = shop.customer()
    shop.billing.invoices.add_pending_item(ada.id, OneOff("Sorry", eur("-3.00")))
    with pytest.raises(ValidationError):
        shop.billing.invoices.invoice_pending_items(ada.id)
    assert shop.billing.customers.get(ada.id).pending_items == 1


def test_a_one_off_invoice_takes_nothing_that_waits(shop: Shop) -> None:
    ada = shop.customer()
    shop.billing.invoices.add_pending_item(ada.id, WORK)
    one = shop.billing.invoices.create_one_off(ada.id, [HELP])
    draft = shop.billing.invoices.create_one_off(ada.id, [HELP], finalize=False)
    assert descriptions(shop.billing.invoices.finalize(draft.id)) == descriptions(one) == ["Help"]


def test_what_cannot_wait_is_refused_and_nothing_waits(shop: Shop) -> None:
    ada, bob = shop.customer(), shop.customer(name="Bob")
    his = shop.subscribe(bob)
    add = shop.billing.invoices.add_pending_item
    with pytest.raises(UnknownReference):
        add("cus_nobody", WORK)
    for subscription in ("sub_none", his.id):
        with pytest.raises(UnknownReference):
            add(ada.id, WORK, subscription=subscription)
    with pytest.raises(ValidationError):
        add(bob.id, OneOff("Work", Money.of("7.00", "USD")), subscription=his.id)
    with pytest.raises(ValidationError):
        add(ada.id, "Work")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(UnknownReference):
        shop.billing.invoices.invoice_pending_items("cus_nobody")
    assert list(shop.billing.invoices.pending_items()) == []


def test_a_gross_amount_stays_gross(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=TaxRates({"DE": TaxRate("19")}))
    ada = shop.customer()
    gross = OneOff("Work", eur("11.90"), tax_behavior=TaxBehavior.INCLUSIVE)
    shop.billing.invoices.add_pending_item(ada.id, gross)
    final = shop.billing.invoices.invoice_pending_items(ada.id)
    assert (final.net, final.total) == (eur("10.00"), eur("11.90"))


def test_a_key_adds_an_item_once(shop: Shop) -> None:
    ada = shop.customer()
    add = shop.billing.invoices.add_pending_item
    assert add(ada.id, WORK, idempotency_key="a") == add(ada.id, WORK, idempotency_key="a")
    assert shop.billing.customers.get(ada.id).pending_items == 1


def test_a_rollback_gives_the_items_back(shop: Shop) -> None:
    ada = shop.customer()
    shop.billing.invoices.add_pending_item(ada.id, WORK)

    def change_his_mind() -> None:
        with shop.billing.transaction():
            assert shop.billing.invoices.invoice_pending_items(ada.id).number
            raise RolledBack

    with pytest.raises(RolledBack):
        change_his_mind()
    assert [each.status for each in shop.billing.invoices.pending_items()] == ["waiting"]
    assert shop.billing.customers.get(ada.id).pending_items == 1


def test_one_run_takes_them_as_daily_runs_do(open_a_shop: Opened) -> None:
    told: list[list[list[str]]] = []
    for tenant, step in (("daily", 1), ("once", 60)):
        shop = open_a_shop(
            tenant=tenant, seller=Seller("Acme GmbH", draft_window_hours=36), process=tenant
        )
        ada = shop.billing.customers.update(shop.customer().id, grouping="day")
        price = shop.price()
        for start in (date(2027, 1, 10), date(2027, 1, 12)):
            shop.subscribe(ada, price, start=start)
        shop.billing.invoices.add_pending_item(ada.id, WORK)
        for _ in range(60 // step):
            shop.time.advance(days=step)
        told.append([descriptions(each) for each in shop.invoices(ada)])
    assert told[0] == told[1]
    assert sum(lines.count("Work") for lines in told[0]) == 1
