"""Changes in the middle of a period, by every rule a seller may choose, and on days to come.

April has 30 days: what costs 30.00 costs 1.00 a day. A change on the 16th leaves 15 of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from subscriptions import Interval, InvalidTransition, UnknownReference, ValidationError
from subscriptions.catalog import Price
from subscriptions.errors import NotAvailable
from subscriptions.invoices import InvoiceFinalized, InvoicePaid
from subscriptions.lifecycle import (
    ChangeScheduled,
    ScheduledChangesWithdrawn,
    Subscription,
    SubscriptionChanged,
)
from subscriptions.proration import Proration
from tests.scenarios.shop import GOOD, MONTHLY, YEARLY, Shop, audit, eur

Opened = Callable[..., Shop]
APRIL, MAY = date(2027, 4, 1), date(2027, 5, 1)
NOW = Proration(mode="invoice_now")


@pytest.fixture
def spring(open_a_shop: Opened) -> Shop:
    return open_a_shop(start=APRIL)


def plans(shop: Shop) -> tuple[Price, Price]:
    """Return a plan of 1.00 a day in April, and one of 2.00."""
    return shop.price(eur("30.00"), name="Basic"), shop.price(eur("60.00"), name="Pro")


def on_basic(shop: Shop, token: str | None = GOOD) -> tuple[Subscription, Price, Price]:
    """Subscribe a customer to the smaller plan today."""
    basic, pro = plans(shop)
    return shop.subscribe(shop.customer(token), basic), basic, pro


def last_invoice(shop: Shop, to: date = MAY) -> list[str]:
    """Move to a day and return the lines of the last invoice by then."""
    shop.time.advance(to=to)
    return shop.lines(shop.invoices()[-1])


# ---- when it is invoiced -----------------------------------------------------------------------


def test_an_upgrade_waits_for_the_next_invoice(spring: Shop) -> None:
    sub, basic, pro = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, swap={basic.id: pro.id})
    # 15 of 30 days of 30.00 are given back, 15 of 30 days of 60.00 are charged.
    assert spring.pending(sub) == ["credit Basic -15.00 EUR", "debit Pro 30.00 EUR"]
    spring.time.expect(SubscriptionChanged, InvoicePaid).advance(to=MAY)
    april, may = spring.invoices()
    assert spring.lines(may) == [
        "credit Basic -15.00 EUR",
        "debit Pro 30.00 EUR",
        "period Pro 60.00 EUR",
    ]
    assert may.total == eur("75.00")
    credit = may.lines[0].credits
    assert credit is not None
    assert (credit.invoice, credit.line) == (april.id, 0)


def test_an_upgrade_is_invoiced_at_once_where_the_seller_says_so(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, [pro.id], proration=NOW)
    assert spring.pending(sub) == []
    spring.time.expect(SubscriptionChanged, InvoiceFinalized, InvoicePaid).advance()
    assert spring.totals() == ["30.00 EUR", "15.00 EUR"]
    assert last_invoice(spring) == ["period Pro 60.00 EUR"]


def test_a_change_without_proration_costs_nothing_until_the_next_period(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, [pro.id], proration=Proration(mode="none"))
    assert spring.subscription(sub).items[0].price == pro.id
    assert last_invoice(spring) == ["period Pro 60.00 EUR"]


@pytest.mark.parametrize("every", [MONTHLY, YEARLY])
def test_without_proration_what_is_billed_later_begins_when_the_paid_time_is_over(
    open_a_shop: Opened, every: Interval
) -> None:
    """Seconds are counted from the end of what is paid, and not from the instant of the change."""
    spring = open_a_shop(start=APRIL, proration=Proration(mode="none", unit="second"))
    sub, *_ = on_basic(spring)
    later = spring.billing.catalog.add_price("Later", eur("62.00"), every=every, arrears=True)
    spring.time.advance(to=datetime(2027, 4, 16, 15, tzinfo=UTC))
    spring.billing.subscriptions.change(sub.id, [later.id])
    spring.time.advance(to=MAY)
    assert spring.totals() == ["30.00 EUR"]
    end = date(2027, 6, 1) if every == MONTHLY else date(2028, 5, 1)
    assert last_invoice(spring, end) == ["period Later 62.00 EUR"]
    assert spring.periods()[-1] == f"2027-05-01/{end}"


def test_nothing_is_given_back_of_what_was_never_debited(spring: Shop) -> None:
    sub, basic, pro = on_basic(spring)
    none = Proration(mode="none")
    spring.time.advance(to=date(2027, 4, 11))
    spring.billing.subscriptions.change(sub.id, [pro.id], proration=none)
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, [basic.id])
    # Pro was free; what is left of Basic's debit is given back, and charged again.
    assert sum_of(spring, sub) == 0
    assert last_invoice(spring)[-1] == "period Basic 30.00 EUR"
    assert spring.totals() == ["30.00 EUR", "30.00 EUR"]


def sum_of(shop: Shop, sub: Subscription) -> int:
    """Return what waits for the next invoice, in minor units."""
    return sum(charge.amount_minor for charge in shop.subscription(sub).pending)


def test_the_seller_says_once_how_all_changes_are_billed(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=APRIL, proration=NOW)
    sub, _, pro = on_basic(shop)
    shop.time.advance(to=date(2027, 4, 16))
    shop.billing.subscriptions.change(sub.id, [pro.id])
    assert shop.totals() == ["30.00 EUR", "15.00 EUR"]


# ---- how it is counted --------------------------------------------------------------------------


def test_seconds_are_counted_to_the_hour_of_the_change(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.time.advance(to=datetime(2027, 4, 16, 12, tzinfo=UTC))
    by_second = Proration(unit="second")
    spring.billing.subscriptions.change(sub.id, [pro.id], proration=by_second)
    # 14 days and a half of 30 are left: 30.00 · 14.5/30 and 60.00 · 14.5/30.
    assert spring.pending(sub) == ["credit Basic -14.50 EUR", "debit Pro 29.00 EUR"]


def test_thirtieths_make_every_month_as_long(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=MAY)
    sub, _, pro = on_basic(shop)
    shop.time.advance(to=date(2027, 5, 16))
    thirtieths = Proration(unit="thirtieths")
    plan = shop.billing.preview.subscriptions.change(sub.id, [pro.id])
    # By days, 16 of 31: 30.00 less round(30.00 · 15/31) = 14.52 is 15.48; 60.00 − 29.03 = 30.97.
    assert [charge.amount_minor for charge in plan.about.pending] == [-1548, 3097]
    shop.billing.subscriptions.change(sub.id, [pro.id], proration=thirtieths)
    # By thirtieths, 15 of 30.
    assert shop.pending(sub) == ["credit Basic -15.00 EUR", "debit Pro 30.00 EUR"]


def test_the_day_of_the_change_may_be_the_old_plans(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 16))
    old = Proration(change_day="old")
    spring.billing.subscriptions.change(sub.id, [pro.id], proration=old)
    # The 16th is still Basic's: 14 days are left.
    assert spring.pending(sub) == ["credit Basic -14.00 EUR", "debit Pro 28.00 EUR"]


def test_a_seller_may_give_nothing_back(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 16))
    keep = Proration(credit="none")
    spring.billing.subscriptions.change(sub.id, [pro.id], proration=keep)
    assert spring.pending(sub) == ["debit Pro 30.00 EUR"]


@pytest.mark.parametrize(
    ("paid", "credited"),
    [
        (None, []),  # nothing was paid, so nothing is given back
        ("10.00", ["credit Basic -10.00 EUR"]),  # of 15.00 unused, 10.00 were paid
        ("30.00", ["credit Basic -15.00 EUR"]),
    ],
)
def test_no_more_is_given_back_than_was_paid(
    spring: Shop, paid: str | None, credited: list[str]
) -> None:
    sub, _, pro = on_basic(spring, token=None)
    if paid is not None:
        spring.billing.payments.record(sub.customer, eur(paid))
    spring.time.advance(to=date(2027, 4, 16))
    capped = Proration(cap="paid")
    spring.billing.subscriptions.change(sub.id, [pro.id], proration=capped)
    assert spring.pending(sub) == [*credited, "debit Pro 30.00 EUR"]


# ---- there and back ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["next_invoice", "invoice_now"])
def test_an_upgrade_and_a_downgrade_on_one_day_cost_nothing(spring: Shop, mode: str) -> None:
    sub, basic, pro = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 16))
    policy = Proration(mode=mode)
    spring.billing.subscriptions.change(sub.id, [pro.id], proration=policy)
    spring.time.advance(hours=5)
    spring.billing.subscriptions.change(sub.id, [basic.id], proration=policy)
    spring.time.advance(to=MAY)
    paid = sum(payment.amount_minor for payment in spring.payments())
    # April and May, and not a cent more: what was invoiced at once pays for May.
    assert paid == 6000
    assert spring.billing.customers.get(sub.customer).balance == ()


def test_seats_of_consecutive_days_cost_what_each_day_had(spring: Shop) -> None:
    seat = spring.price(eur("30.00"), name="Seat")
    sub = spring.subscribe(spring.customer(), seat)
    spring.time.advance(to=date(2027, 4, 11))
    spring.billing.subscriptions.change(sub.id, quantities={seat.id: 3})
    # 20 days are left: 20.00 back, 60.00 more.
    assert spring.pending(sub) == ["credit Seat -20.00 EUR", "debit Seat 60.00 EUR"]
    spring.time.advance(days=1)
    spring.billing.subscriptions.change(sub.id, quantities={seat.id: 2})
    # Of the 60.00, 19 of 20 days come back, 57.00; two seats for 19 days are 38.00.
    assert spring.pending(sub)[2:] == ["credit Seat -57.00 EUR", "debit Seat 38.00 EUR"]
    spring.time.advance(days=1)
    spring.billing.subscriptions.change(sub.id, quantities={seat.id: 5})
    # 18 days: 36.00 back, 90.00 more.
    assert spring.pending(sub)[4:] == ["credit Seat -36.00 EUR", "debit Seat 90.00 EUR"]
    # 10 days of 1, a day of 3, a day of 2 and 18 days of 5 are 105.00, of which 30.00 are billed.
    assert sum_of(spring, sub) == 7500
    spring.time.advance(to=MAY)
    assert spring.totals() == ["30.00 EUR", "225.00 EUR"]


def test_a_change_to_the_same_is_no_change(spring: Shop) -> None:
    sub, basic, _ = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, [basic.id])
    assert spring.pending(sub) == []
    spring.time.expect(InvoicePaid).advance(to=MAY)
    assert spring.totals() == ["30.00 EUR", "30.00 EUR"]


# ---- add-ons -------------------------------------------------------------------------------------


def test_an_add_on_comes_and_goes_within_a_month(spring: Shop) -> None:
    sub, basic, _ = on_basic(spring)
    spring.billing.catalog.add_product("Backup", requires=["Basic", "Pro"])
    backup = spring.price(eur("6.00"), name="Backup")
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, add=[backup.id])
    # It shares the days of the plan: 15 of 30 days of 6.00.
    assert spring.pending(sub) == ["debit Backup 3.00 EUR"]
    spring.time.advance(to=date(2027, 4, 21))
    spring.billing.subscriptions.change(sub.id, remove=[backup.id])
    # 10 days come back: 2.00.
    assert spring.pending(sub) == ["debit Backup 3.00 EUR", "credit Backup -2.00 EUR"]
    assert last_invoice(spring)[2:] == ["period Basic 30.00 EUR"]
    assert [item.price for item in spring.subscription(sub).items] == [basic.id]


def test_an_add_on_needs_its_plan_and_bears_no_rival(spring: Shop) -> None:
    sub, basic, pro = on_basic(spring)
    spring.billing.catalog.add_product("Backup", requires=["Pro"])
    spring.billing.catalog.add_product("Lite backup", excludes=["Backup"])
    backup = spring.price(eur("6.00"), name="Backup")
    lite = spring.price(eur("3.00"), name="Lite backup")
    change, before = spring.billing.subscriptions.change, spring.events()
    with pytest.raises(NotAvailable, match="'Backup' requires"):
        change(sub.id, add=[backup.id])
    with pytest.raises(NotAvailable, match="'Lite backup' excludes"):
        change(sub.id, [pro.id, backup.id, lite.id])
    assert spring.events() == before
    change(sub.id, [pro.id, backup.id])
    with pytest.raises(NotAvailable, match="'Backup' requires"):
        change(sub.id, swap={pro.id: basic.id})
    with pytest.raises(NotAvailable, match="'Backup' requires"):
        change(sub.id, remove=[pro.id])
    change(sub.id, swap={backup.id: lite.id}, add=())
    assert [item.price for item in spring.subscription(sub).items] == [pro.id, lite.id]


def test_a_swap_keeps_the_number_of_seats_and_leaves_the_rest_alone(spring: Shop) -> None:
    basic, pro = plans(spring)
    support = spring.price(eur("9.00"), name="Support")
    sub = spring.billing.subscriptions.create(spring.customer().id, [(basic.id, 4), support.id])
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, swap={basic.id: pro.id})
    assert spring.pending(sub) == ["credit Basic -60.00 EUR", "debit Pro 120.00 EUR"]
    assert last_invoice(spring)[2:] == ["period Pro 240.00 EUR", "period Support 9.00 EUR"]


def test_the_last_price_is_not_removed_but_cancelled(spring: Shop) -> None:
    sub, basic, _ = on_basic(spring)
    with pytest.raises(ValidationError, match="to end it, cancel"):
        spring.billing.subscriptions.change(sub.id, remove=[basic.id])


def test_a_slip_in_a_change_is_named_and_changes_nothing(spring: Shop) -> None:
    sub, basic, pro = on_basic(spring)
    change, before = spring.billing.subscriptions.change, spring.events()
    with pytest.raises(ValidationError, match="remove: a list of price ids, not one text"):
        change(sub.id, remove=basic.id)
    with pytest.raises(
        ValidationError, match=f"swap: one of {basic.id} .number 1.; got '{pro.id}'"
    ):
        change(sub.id, swap={pro.id: basic.id})
    with pytest.raises(ValidationError, match="remove: an item that is not changed besides"):
        change(sub.id, remove=[basic.id], quantities={basic.id: 2}, add=[pro.id])
    with pytest.raises(ValidationError, match="all items, or what is added"):
        change(sub.id, [pro.id], add=[basic.id])
    with pytest.raises(ValidationError, match="'now', 'period_end', 'auto' or a date"):
        change(sub.id, [pro.id], when="tomorrow")
    with pytest.raises(ValidationError, match="proration: a Proration"):
        change(sub.id, [pro.id], proration="none")  # type: ignore[arg-type]  # the slip
    with pytest.raises(UnknownReference, match="'nothing'"):
        change(sub.id, ["nothing"])
    assert spring.events() == before


# ---- now or at the end of the period -------------------------------------------------------------


def test_by_rule_an_upgrade_is_now_and_a_downgrade_at_the_end_of_the_period(spring: Shop) -> None:
    sub, basic, pro = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 11))
    spring.billing.subscriptions.change(sub.id, [pro.id], when="auto")
    assert spring.pending(sub) == ["credit Basic -20.00 EUR", "debit Pro 40.00 EUR"]
    spring.time.advance(to=date(2027, 4, 21))
    spring.billing.subscriptions.change(sub.id, [basic.id], when="auto")
    assert [planned.on for planned in spring.subscription(sub).schedule] == [MAY]
    assert spring.subscription(sub).items[0].price == pro.id
    # Pro until the end of April, Basic from May on, and nothing is given back.
    assert last_invoice(spring) == [
        "credit Basic -20.00 EUR",
        "debit Pro 40.00 EUR",
        "period Basic 30.00 EUR",
    ]


def test_an_annual_plan_that_costs_less_a_year_is_a_downgrade(spring: Shop) -> None:
    sub, _, _ = on_basic(spring)
    annual = spring.price(eur("300.00"), every=YEARLY, name="Annual")
    spring.billing.subscriptions.change(sub.id, [annual.id], when="auto")
    # 12 · 30.00 is 360.00 a year: 300.00 is less, so it begins when April is over.
    assert last_invoice(spring) == ["period Annual 300.00 EUR"]
    assert spring.periods()[-1] == "2027-05-01/2028-05-01"


def test_a_change_at_the_end_of_the_period_costs_nothing_now(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.time.advance(to=date(2027, 4, 30))
    spring.billing.subscriptions.change(sub.id, [pro.id], when="period_end")
    spring.time.expect(ChangeScheduled, SubscriptionChanged, InvoicePaid).advance(to=MAY)
    assert spring.lines(spring.invoices()[-1]) == ["period Pro 60.00 EUR"]


# ---- planned -------------------------------------------------------------------------------------


def test_two_planned_changes_are_carried_out_each_on_its_day(spring: Shop) -> None:
    sub, basic, pro = on_basic(spring)
    schedule = spring.billing.subscriptions.schedule
    schedule(sub.id, quantities={basic.id: 2}, on=date(2027, 4, 21))
    schedule(sub.id, swap={basic.id: pro.id}, on=date(2027, 4, 11))
    assert [planned.on.day for planned in spring.subscription(sub).schedule] == [11, 21]
    spring.time.expect(ChangeScheduled, ChangeScheduled, SubscriptionChanged).advance(
        to=date(2027, 4, 20)
    )
    assert spring.pending(sub) == ["credit Basic -20.00 EUR", "debit Pro 40.00 EUR"]
    # The second one was about how many: of Pro by then. 10 days: 20.00 back, 40.00 for two.
    spring.time.expect(SubscriptionChanged).advance(to=date(2027, 4, 21))
    assert spring.pending(sub)[2:] == ["credit Pro -20.00 EUR", "debit Pro 40.00 EUR"]
    assert last_invoice(spring)[-1] == "period Pro 120.00 EUR"


def test_what_is_changed_before_a_planned_change_stays_changed(spring: Shop) -> None:
    sub, basic, pro = on_basic(spring)
    schedule, change = spring.billing.subscriptions.schedule, spring.billing.subscriptions.change
    schedule(sub.id, swap={basic.id: pro.id}, on=date(2027, 4, 21))
    spring.time.advance(to=date(2027, 4, 11))
    change(sub.id, quantities={basic.id: 3})
    # The plan was about the price; the three seats stay.
    spring.time.advance(to=date(2027, 4, 21))
    assert [(item.price, item.quantity) for item in spring.subscription(sub).items] == [(pro.id, 3)]
    # 20 days of 2 more are 40.00; then 10 days of 3 · 30.00 back, of 3 · 60.00 more.
    assert spring.pending(sub) == [
        "credit Basic -20.00 EUR",
        "debit Basic 60.00 EUR",
        "credit Basic -30.00 EUR",
        "debit Pro 60.00 EUR",
    ]


@pytest.mark.parametrize("cap", ["debited", "paid"])
def test_a_second_planned_change_of_a_day_gives_back_what_the_first_has_charged(
    spring: Shop, cap: str
) -> None:
    sub, basic, pro = on_basic(spring)
    policy = Proration(mode="invoice_now", cap=cap)
    for price in (pro, basic):
        spring.billing.subscriptions.schedule(
            sub.id, [price.id], on=date(2027, 4, 16), proration=policy
        )
    spring.time.advance(to=date(2027, 4, 16))
    _, up, down = spring.invoices()
    assert spring.lines(up) == ["credit Basic -15.00 EUR", "debit Pro 30.00 EUR"]
    if cap == "debited":
        assert spring.lines(down) == ["credit Pro -30.00 EUR", "debit Basic 15.00 EUR"]
    else:
        # At that instant nobody has paid for Pro.
        assert spring.lines(down) == ["debit Basic 15.00 EUR"]
    assert audit(spring) == []


def test_a_planned_change_is_withdrawn(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    spring.billing.subscriptions.schedule(sub.id, [pro.id], on=MAY)
    spring.billing.subscriptions.unschedule(sub.id)
    with pytest.raises(InvalidTransition, match="WithdrawChanges"):
        spring.billing.subscriptions.unschedule(sub.id)
    spring.time.expect(ChangeScheduled, ScheduledChangesWithdrawn).advance()
    spring.time.expect(InvoicePaid).advance(to=MAY)
    assert spring.totals() == ["30.00 EUR", "30.00 EUR"]


@pytest.mark.parametrize("when", ["now", "period_end", "auto", date(2027, 4, 20)])
@pytest.mark.parametrize("quantity", [0, -1, "3", None, True, Decimal("NaN"), 10**18 + 1])
def test_no_change_is_planned_that_cannot_be_carried_out(
    spring: Shop, when: str | date, quantity: object
) -> None:
    sub, basic, pro = on_basic(spring)
    change = spring.billing.subscriptions.change
    asked: list[dict[str, Any]] = [
        {"quantities": {basic.id: quantity}},
        {"add": [(pro.id, quantity)]},
        {"items": [(basic.id, quantity)]},
    ]
    for each in asked:
        with pytest.raises(ValidationError):
            change(sub.id, when=when, **each)
    assert spring.subscription(sub).schedule == ()


@pytest.mark.parametrize("when", ["now", "period_end", "auto", date(2027, 4, 20)])
def test_no_change_leaves_nothing(spring: Shop, when: str | date) -> None:
    sub, basic, _ = on_basic(spring)
    with pytest.raises(ValidationError, match="at least one price; to end it, cancel"):
        spring.billing.subscriptions.change(sub.id, remove=[basic.id], when=when)
    nothing: Any = None
    with pytest.raises(ValidationError, match="swap"):
        spring.billing.subscriptions.change(sub.id, swap={basic.id: nothing}, when=when)


def test_a_change_is_not_planned_for_yesterday(spring: Shop) -> None:
    sub, _, pro = on_basic(spring)
    with pytest.raises(ValidationError, match="today or later"):
        spring.billing.subscriptions.schedule(sub.id, [pro.id], on=date(2027, 3, 31))


def test_an_item_of_a_price_that_is_there_twice_is_named_by_its_number(spring: Shop) -> None:
    pro = spring.price(eur("30.00"))
    sub = spring.billing.subscriptions.create(spring.customer().id, [pro.id, (pro.id, 2)])
    change = spring.billing.subscriptions.change
    with pytest.raises(ValidationError, match="an item's number, for it has this price twice"):
        change(sub.id, remove=[pro.id])
    assert [(x.number, x.quantity) for x in change(sub.id, quantities={"2": 5}).items] == [
        (1, 1),
        (2, 5),
    ]
    assert [x.number for x in change(sub.id, remove=["1"]).items] == [2]


def test_who_changes_on_a_renewal_to_what_is_billed_later_is_billed_for_both(shop: Shop) -> None:
    ahead = shop.price(eur("31.00"))
    later = shop.billing.catalog.add_price("Later", eur("9.00"), every=MONTHLY, arrears=True)
    sub = shop.subscribe(shop.customer(), ahead)
    shop.time.advance(to=date(2027, 2, 1))
    shop.billing.subscriptions.change(sub.id, swap={ahead.id: later.id})
    shop.time.advance(to=date(2027, 4, 1))
    assert shop.subscription(sub).parked is None
    # What was billed ahead for February is given back with the bill of February.
    assert sum(invoice.total_minor for invoice in shop.invoices()) == 3100 + 900 + 900
