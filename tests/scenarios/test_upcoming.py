"""The next invoice is told before it is there, line for line as the run will make it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from subscriptions import (
    Interval,
    NotFound,
    OneOff,
    Seller,
    TaxRate,
    TaxRates,
    ValidationError,
)
from subscriptions.catalog import Price
from subscriptions.coupons import Periods
from subscriptions.customers import Customer
from subscriptions.grants import Rollover
from subscriptions.invoices import Draft, Invoice
from subscriptions.lifecycle import Subscription
from subscriptions.usecases.upcoming import Upcoming
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]

VAT = TaxRates({"DE": TaxRate("19")})


def foretold(shop: Shop, subscription: Subscription) -> Upcoming:
    """Return the next invoice, having seen that asking for it changes nothing."""
    before = [*shop.billing.events.list(limit=1000)]
    told = shop.billing.invoices.upcoming(subscription.id)
    assert [*shop.billing.events.list(limit=1000)] == before
    assert told is not None
    return told


def assert_it_comes(shop: Shop, owner: Customer, told: Upcoming, *, months: int = 14) -> Invoice:
    """Let time pass until there is another final invoice, and compare it with what was told."""
    before = {each.id for each in shop.invoices(owner) if not isinstance(each.state, Draft)}
    made: list[Invoice] = []
    for _ in range(months * 31 + 1):
        made = [
            each
            for each in shop.invoices(owner)
            if each.id not in before and not isinstance(each.state, Draft)
        ]
        if made:
            break
        shop.time.advance(days=1)
    real = next(each for each in made if each.id == told.invoice.id)
    assert real.lines == told.lines
    assert (real.net, real.tax, real.total) == (told.invoice.net, told.invoice.tax, told.total)
    assert real.taxes == told.invoice.taxes
    assert (real.issued_on, real.due_on) == (told.issued_on, told.due_on)
    assert real.finalized_at == told.at
    assert (real.balance_applied, real.period) == (
        told.invoice.balance_applied,
        told.invoice.period,
    )
    return real


def metered(shop: Shop) -> Price:
    """Offer calls at 0.10 EUR, billed when the month is over."""
    shop.billing.usage.add_meter("calls")
    return shop.billing.catalog.add_price(
        "Calls", eur("0.10"), every=MONTHLY, meter="calls", arrears=True
    )


@pytest.fixture
def shop(open_a_shop: Opened) -> Shop:
    return open_a_shop(taxes=VAT, start=datetime(2027, 1, 10, 12, tzinfo=UTC))


@pytest.mark.parametrize("every", [MONTHLY, YEARLY, Interval.weeks(1), Interval.days(10)], ids=str)
@pytest.mark.parametrize(
    "start", [date(2027, 1, 31), date(2027, 1, 1), date(2026, 12, 31)], ids=str
)
def test_the_next_invoice_of_any_plan(shop: Shop, every: Interval, start: date) -> None:
    ada = shop.customer()
    subscription = shop.subscribe(ada, shop.price(eur("31.41"), every=every), start=start)
    told = foretold(shop, subscription)
    assert_it_comes(shop, ada, told)
    assert_it_comes(shop, ada, foretold(shop, subscription))


def test_the_first_invoice_after_a_trial(shop: Shop) -> None:
    ada = shop.customer(token=None)
    subscription = shop.subscribe(ada, start=date(2027, 1, 20), trial_until=date(2027, 2, 14))
    told = foretold(shop, subscription)
    assert (told.issued_on, told.due_on) == (date(2027, 2, 14), date(2027, 2, 28))
    assert_it_comes(shop, ada, told)


def test_coupons_with_an_end(shop: Shop) -> None:
    ada = shop.customer()
    coupon = shop.billing.coupons.create("Welcome", percent_off=25, duration=Periods(2))
    subscription = shop.billing.subscriptions.create(ada.id, [shop.price().id], coupons=[coupon.id])
    for _ in range(4):
        assert_it_comes(shop, ada, foretold(shop, subscription))
    assert shop.totals(ada)[0] != shop.totals(ada)[-1]


def test_usage_so_far_in_arrears(shop: Shop) -> None:
    ada = shop.customer()
    calls = metered(shop)
    subscription = shop.billing.subscriptions.create(ada.id, [shop.price().id, calls.id])
    shop.time.advance()
    for quantity in (7, 13):
        shop.time.advance(days=2)
        shop.billing.usage.record(
            subscription.id, "calls", event_id=f"e{quantity}", quantity=quantity
        )
    told = foretold(shop, subscription)
    assert [str(line.amount) for line in told.lines if line.usage] == ["2.00 EUR"]
    assert_it_comes(shop, ada, told)


def test_changes_that_are_scheduled_and_credits_that_wait(shop: Shop) -> None:
    ada = shop.customer()
    subscription = shop.subscribe(ada)
    team = shop.price(eur("99.00"), name="Team")
    shop.time.advance(days=7)
    price = subscription.items[0].price
    shop.billing.subscriptions.change(subscription.id, quantities={price: 3})
    shop.billing.subscriptions.schedule(subscription.id, add=[team.id], on=date(2027, 2, 10))
    told = foretold(shop, subscription)
    assert {line.description for line in told.lines} == {"Pro", "Team"}
    assert_it_comes(shop, ada, told)
    assert_it_comes(shop, ada, foretold(shop, subscription))


def test_what_waits_for_it_and_what_others_take_first(shop: Shop) -> None:
    ada = shop.customer()
    price = shop.price()
    first = shop.subscribe(ada, price, start=date(2027, 1, 15))
    second = shop.subscribe(ada, price, start=date(2027, 1, 20))
    add = shop.billing.invoices.add_pending_item
    add(ada.id, OneOff("Work", eur("10.00")))
    add(ada.id, OneOff("Help", eur("5.00")), subscription=second.id)
    told = [foretold(shop, each) for each in (first, second)]
    assert [[line.description for line in each.lines] for each in told] == [
        ["Pro", "Work"],
        ["Pro", "Help"],
    ]
    assert_it_comes(shop, ada, told[0])
    assert_it_comes(shop, ada, told[1])


def test_grouped_invoices_are_told_whole(shop: Shop) -> None:
    ada = shop.billing.customers.update(shop.customer().id, grouping="day")
    for amount, day in (("10.00", 15), ("20.00", 15), ("30.00", 16)):
        shop.subscribe(ada, shop.price(eur(amount)), start=date(2027, 1, day))
    last = shop.billing.subscriptions.list(customer=ada.id)[2]
    shop.billing.invoices.add_pending_item(ada.id, OneOff("Work", eur("1.00")))
    told = shop.billing.invoices.upcoming(customer=ada.id)
    assert told is not None
    assert [str(line.amount) for line in told.lines] == ["10.00 EUR", "20.00 EUR", "1.00 EUR"]
    later = foretold(shop, last)
    assert [str(line.amount) for line in later.lines] == ["30.00 EUR"]
    assert_it_comes(shop, ada, told)
    assert_it_comes(shop, ada, later)


@pytest.mark.parametrize("grouping", ["each", "day"])
def test_through_the_draft_window(open_a_shop: Opened, grouping: str) -> None:
    shop = open_a_shop(taxes=VAT, seller=Seller("Acme GmbH", draft_window_hours=50))
    ada = shop.billing.customers.update(shop.customer().id, grouping=grouping)
    subscription = shop.subscribe(ada)
    shop.time.advance()
    told = foretold(shop, subscription)
    assert told.at == datetime(2027, 2, 3, 2, tzinfo=UTC)
    shop.time.advance(to=date(2027, 2, 1))
    assert isinstance(shop.invoices(ada)[-1].state, Draft)
    drafted = foretold(shop, subscription)
    assert (drafted.at, drafted.lines) == (told.at, told.lines), "the draft is the next one now"
    shop.billing.invoices.add_pending_item(ada.id, OneOff("Work", eur("1.00")))
    assert_it_comes(shop, ada, foretold(shop, subscription))


def test_the_balance_is_used_as_it_is_now(shop: Shop) -> None:
    ada = shop.customer()
    subscription = shop.subscribe(ada)
    shop.time.advance()
    shop.billing.balance.adjust(ada.id, eur("10.00"), reason="goodwill")
    told = foretold(shop, subscription)
    assert told.invoice.balance_applied == eur("10.00")
    assert_it_comes(shop, ada, told)


@pytest.mark.parametrize("credit", ["balance", "grant"])
def test_others_use_up_his_credit_before_it(shop: Shop, credit: str) -> None:
    ada = shop.customer()
    price = shop.price()
    late = shop.subscribe(ada, price, start=date(2027, 1, 20))
    first = shop.subscribe(ada, price, start=date(2027, 1, 15))
    if credit == "grant":
        shop.billing.balance.grant(ada.id, eur("40.00"))
    else:
        shop.billing.balance.adjust(ada.id, eur("40.00"), reason="goodwill")
    told = foretold(shop, late)
    # 34.51 of the 40.00 go to the other one, which comes before.
    assert told.invoice.granted + told.invoice.balance_applied == eur("5.49")
    assert_it_comes(shop, ada, foretold(shop, first))
    real = assert_it_comes(shop, ada, told)
    assert real.granted == told.invoice.granted


def test_what_a_grant_leaves_over_for_the_next_month_pays_then(shop: Shop) -> None:
    ada = shop.customer()
    subscription = shop.subscribe(ada, start=date(2027, 1, 10))
    shop.time.advance()
    shop.billing.balance.grant(
        ada.id,
        eur("10.00"),
        expires=datetime(2027, 2, 1, tzinfo=UTC),
        rollover=Rollover(percent=100),
    )
    told = foretold(shop, subscription)
    assert told.invoice.granted == eur("10.00")
    real = assert_it_comes(shop, ada, told)
    assert real.granted == eur("10.00")


def test_what_ended_has_no_next_invoice_though_others_go_on(shop: Shop) -> None:
    ada = shop.customer()
    price = shop.price(every=Interval.weeks(1))
    ended, goes_on = shop.subscribe(ada, price), shop.subscribe(ada, price)
    shop.time.advance()
    shop.billing.subscriptions.cancel(ended.id, when="now")
    shop.billing.invoices.add_pending_item(ada.id, OneOff("Work", eur("10.00")))
    assert shop.billing.invoices.upcoming(ended.id) is None
    assert_it_comes(shop, ada, foretold(shop, goes_on))


def test_of_a_customer_it_is_the_first_of_all(shop: Shop) -> None:
    ada = shop.customer()
    assert shop.billing.invoices.upcoming(customer=ada.id) is None
    price = shop.price()
    for day in (25, 20, 30):
        shop.subscribe(ada, price, start=date(2027, 1, day))
    told = shop.billing.invoices.upcoming(customer=ada.id)
    assert told is not None
    assert told.issued_on == date(2027, 1, 20)
    assert_it_comes(shop, ada, told)


def test_the_last_invoice_of_what_ends(shop: Shop) -> None:
    ada = shop.customer()
    calls = metered(shop)
    subscription = shop.billing.subscriptions.create(ada.id, [calls.id])
    shop.billing.usage.record(subscription.id, "calls", event_id="e1", quantity=9)
    shop.billing.subscriptions.cancel(subscription.id, when="period_end")
    assert_it_comes(shop, ada, foretold(shop, subscription))
    assert shop.billing.invoices.upcoming(subscription.id) is None


def test_what_is_over_or_paused_has_no_next_invoice(shop: Shop) -> None:
    ada = shop.customer()
    price = shop.price()
    ended, ending, paused = [shop.subscribe(ada, price) for _ in range(3)]
    shop.time.advance()
    shop.billing.subscriptions.cancel(ended.id, when="now")
    shop.billing.subscriptions.cancel(ending.id, when="period_end")
    shop.billing.subscriptions.pause(paused.id, invoice=False)
    for subscription in (ended, ending, paused):
        assert shop.billing.invoices.upcoming(subscription.id) is None
    assert shop.billing.invoices.upcoming(customer=ada.id) is None


def test_a_pause_with_an_end_has_one_after_it(shop: Shop) -> None:
    ada = shop.customer()
    subscription = shop.subscribe(ada)
    shop.time.advance()
    shop.billing.subscriptions.pause(subscription.id, invoice=False, resume_on=date(2027, 4, 20))
    told = foretold(shop, subscription)
    assert told.issued_on is not None
    assert told.issued_on >= date(2027, 4, 20)
    assert_it_comes(shop, ada, told)


def test_what_is_not_collected_is_told_as_a_draft(shop: Shop) -> None:
    ada = shop.customer()
    subscription = shop.subscribe(ada)
    shop.time.advance()
    shop.billing.subscriptions.pause(subscription.id)
    told = foretold(shop, subscription)
    assert (told.issued_on, told.due_on, told.total) == (None, None, eur("34.51"))
    shop.time.advance(months=1, days=1)
    assert shop.invoices(ada)[-1].lines == told.lines


def test_what_is_late_is_told_as_the_next_run_does_it(shop: Shop) -> None:
    ada = shop.customer()
    subscription = shop.billing.subscriptions.create(
        ada.id, [shop.price().id], start=date(2026, 10, 10), catch_up="together"
    )
    told = foretold(shop, subscription)
    assert len(told.lines) == 4
    assert_it_comes(shop, ada, told)


def test_one_of_both_is_asked_about(shop: Shop) -> None:
    ada = shop.customer()
    subscription = shop.subscribe(ada)
    with pytest.raises(ValidationError):
        shop.billing.invoices.upcoming()
    with pytest.raises(ValidationError):
        shop.billing.invoices.upcoming(subscription.id, customer=ada.id)
    with pytest.raises(NotFound):
        shop.billing.invoices.upcoming("sub_none")
    with pytest.raises(NotFound):
        shop.billing.invoices.upcoming(customer="cus_none")
