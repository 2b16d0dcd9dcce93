"""Fixed terms keep their word when a subscription changes: they begin, stay, go and end with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from subscriptions import Interval
from subscriptions.catalog import Price
from subscriptions.lifecycle import Phase, Subscription
from tests.scenarios.shop import MONTHLY, Shop, eur

Opened = Callable[..., Shop]
APRIL = date(2027, 4, 1)


def offer(shop: Shop, name: str, amount: str, **more: object) -> Price:
    given: dict[str, object] = {"every": MONTHLY, **more}
    return shop.billing.catalog.add_price(name, eur(amount), **given)  # type: ignore[arg-type]


def ends(shop: Shop, sub: Subscription) -> tuple[str, dict[int, str]]:
    """Return the day on which a subscription ends, and those of items that end before."""
    now = shop.subscription(sub)
    planned = {each.remove[0]: str(each.on) for each in now.schedule if each.cause == "term"}
    return str(now.ends_on), planned


def status_after(shop: Shop, sub: Subscription, day: date) -> str:
    shop.time.advance(to=day)
    return shop.subscription(sub).status


def test_what_is_left_alone_with_its_term_ends_the_subscription(shop: Shop) -> None:
    course, pro = offer(shop, "Course", "10.00", term_periods=3), offer(shop, "Pro", "31.00")
    sub = shop.billing.subscriptions.create(shop.customer().id, [course.id, pro.id])
    assert ends(shop, sub) == ("None", {1: "2027-04-01"})
    shop.time.advance(to=date(2027, 1, 31))
    shop.billing.subscriptions.change(sub.id, remove=[pro.id])
    assert ends(shop, sub) == ("2027-04-01", {})
    assert status_after(shop, sub, date(2027, 8, 1)) == "expired"
    # The last day of January is given back.
    assert shop.totals() == ["41.00 EUR", "9.00 EUR", "10.00 EUR"]


def test_what_is_added_ends_after_its_whole_periods(shop: Shop) -> None:
    pro, promo = offer(shop, "Pro", "28.00"), offer(shop, "Promo", "28.00", term_periods=2)
    sub = shop.subscribe(shop.customer(), pro, start=date(2027, 1, 1))
    shop.time.advance(to=date(2027, 2, 15))
    shop.billing.subscriptions.change(sub.id, add=[promo.id])
    # Half of February is a stub; then come March and April.
    assert ends(shop, sub) == ("None", {2: "2027-05-01"})
    shop.time.advance(to=date(2027, 6, 1))
    expected = ["28.00 EUR", "28.00 EUR", "70.00 EUR", "56.00 EUR", "28.00 EUR", "28.00 EUR"]
    assert shop.totals() == expected


def test_who_changes_to_a_price_begins_its_term(shop: Shop) -> None:
    pro, year = offer(shop, "Pro", "31.00"), offer(shop, "Year", "31.00", term_periods=12)
    sub = shop.subscribe(shop.customer(), pro)
    shop.time.advance(to=date(2027, 1, 20))
    shop.billing.subscriptions.change(sub.id, swap={pro.id: year.id})
    assert ends(shop, sub) == ("2028-02-01", {})
    assert status_after(shop, sub, date(2028, 2, 1)) == "expired"


def test_who_changes_on_the_first_day_of_a_period_has_that_in_his_term(shop: Shop) -> None:
    pro, twice = offer(shop, "Pro", "31.00"), offer(shop, "Twice", "31.00", term_periods=2)
    sub = shop.subscribe(shop.customer(), pro)
    shop.billing.subscriptions.change(sub.id, swap={pro.id: twice.id})
    assert ends(shop, sub) == ("2027-03-01", {})


def test_who_changes_to_a_price_without_term_goes_on(shop: Shop) -> None:
    course, pro = offer(shop, "Course", "10.00", term_periods=3), offer(shop, "Pro", "10.00")
    sub = shop.subscribe(shop.customer(), course)
    assert ends(shop, sub) == ("2027-04-01", {})
    shop.billing.subscriptions.change(sub.id, swap={course.id: pro.id})
    assert ends(shop, sub) == ("None", {})
    assert status_after(shop, sub, date(2027, 6, 1)) == "active"


def test_what_is_added_without_term_goes_on_when_the_rest_is_over(shop: Shop) -> None:
    course, pro = offer(shop, "Course", "10.00", term_periods=2), offer(shop, "Pro", "31.00")
    sub = shop.subscribe(shop.customer(), course)
    shop.billing.subscriptions.change(sub.id, add=[pro.id])
    assert ends(shop, sub) == ("None", {1: "2027-03-01"})
    assert status_after(shop, sub, date(2027, 3, 1)) == "active"
    assert shop.totals()[-1] == "31.00 EUR"


def test_another_quantity_leaves_the_term_as_it_was(shop: Shop) -> None:
    course = offer(shop, "Course", "10.00", term_periods=2)
    sub = shop.subscribe(shop.customer(), course)
    shop.time.advance(to=date(2027, 1, 20))
    shop.billing.subscriptions.change(sub.id, quantities={course.id: 5})
    assert ends(shop, sub) == ("2027-03-01", {})


def test_a_planned_change_begins_the_term_on_its_day(shop: Shop) -> None:
    pro, year = offer(shop, "Pro", "10.00"), offer(shop, "Twice", "10.00", term_periods=2)
    sub = shop.subscribe(shop.customer(), pro)
    shop.billing.subscriptions.change(sub.id, swap={pro.id: year.id}, when="period_end")
    assert ends(shop, sub) == ("None", {})
    assert status_after(shop, sub, date(2027, 2, 1)) == "active"
    assert ends(shop, sub) == ("2027-04-01", {})
    assert status_after(shop, sub, APRIL) == "expired"
    assert shop.totals() == ["10.00 EUR"] * 3


def test_in_a_trial_the_term_is_counted_from_the_first_billed_day(shop: Shop) -> None:
    pro, twice = offer(shop, "Pro", "10.00"), offer(shop, "Twice", "10.00", term_periods=2)
    sub = shop.subscribe(shop.customer(), pro, trial_until=date(2027, 1, 15))
    shop.billing.subscriptions.change(sub.id, swap={pro.id: twice.id})
    assert ends(shop, sub) == ("2027-03-15", {})
    shop.billing.subscriptions.extend_trial(sub.id, until=date(2027, 1, 20))
    assert ends(shop, sub) == ("2027-03-20", {})


def test_an_end_that_was_set_by_hand_stays_when_something_is_added(shop: Shop) -> None:
    pro, more = offer(shop, "Pro", "10.00"), offer(shop, "More", "1.00")
    promo = offer(shop, "Promo", "1.00", term_periods=1)
    sub = shop.subscribe(shop.customer(), pro)
    shop.billing.subscriptions.set_end(sub.id, on=date(2027, 5, 1))
    shop.billing.subscriptions.change(sub.id, add=[more.id, promo.id])
    assert ends(shop, sub) == ("2027-05-01", {3: "2027-02-01"})
    assert status_after(shop, sub, date(2027, 5, 1)) == "expired"


def test_phases_keep_their_end_when_something_is_added(shop: Shop) -> None:
    pro, promo = offer(shop, "Pro", "10.00"), offer(shop, "Promo", "1.00", term_periods=1)
    phases = [Phase((pro.id,), Interval.months(3)), Phase((pro.id,), Interval.months(1))]
    sub = shop.billing.subscriptions.create(shop.customer().id, phases=phases)
    shop.billing.subscriptions.change(sub.id, swap={pro.id: promo.id})
    assert ends(shop, sub)[0] == "2027-05-01"
    assert status_after(shop, sub, date(2027, 5, 1)) == "expired"


@pytest.mark.parametrize("arrears", [False, True])
def test_a_term_of_three_is_billed_three_times(open_a_shop: Opened, arrears: bool) -> None:  # noqa: FBT001
    shop = open_a_shop(start=date(2028, 1, 31))
    course = offer(shop, "Course", "10.00", term_periods=3, arrears=arrears)
    sub = shop.subscribe(shop.customer(), course)
    assert ends(shop, sub) == ("2028-04-30", {})
    assert status_after(shop, sub, date(2028, 12, 1)) == "expired"
    assert [str(line.period) for each in shop.invoices() for line in each.lines] == [
        "2028-01-31/2028-02-29",
        "2028-02-29/2028-03-31",
        "2028-03-31/2028-04-30",
    ]
