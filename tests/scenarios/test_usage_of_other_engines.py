"""What other billing engines expect of usage in their own test suites, through `Billing`.

Each test names its source: the engine and its test. Only prices, quantities, dates and amounts are
taken from there. Where ours is another on purpose, the test says both figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime

import pytest

from subscriptions import Graduated, Package, PerUnit, Tier
from subscriptions.alignment import Calendar
from subscriptions.lifecycle import Subscription
from subscriptions.pricing import FreeUnits
from subscriptions.proration import Proration
from tests.scenarios.in_dollars import NOW, amounts, change, lines, metered, offer, sell, usd
from tests.scenarios.shop import Shop

Opened = Callable[..., Shop]


def use(shop: Shop, sub: Subscription, key: str, quantities: Mapping[date, int]) -> None:
    for day, quantity in quantities.items():
        shop.time.advance(to=day)
        shop.billing.usage.record(
            sub.id,
            key,
            event_id=f"{key} {day}",
            quantity=quantity,
            occurred_at=datetime(day.year, day.month, day.day, tzinfo=UTC),
        )


def test_a_level_goes_on_into_the_next_month(open_a_shop: Opened) -> None:
    """Lago, weighted_sum_spec: 2500 from 5 March, 500 from 4 April, 300 from 6 April."""
    shop = open_a_shop(start=date(2023, 3, 5))
    shop.billing.usage.add_meter("gb", aggregation="time_weighted")
    sub = sell(shop, metered(shop, "gb", PerUnit("1")), align=Calendar())
    use(shop, sub, "gb", {date(2023, 3, 5): 2500})
    shop.time.advance(to=date(2023, 4, 1))
    use(shop, sub, "gb", {date(2023, 4, 4): 500, date(2023, 4, 6): 300})
    shop.time.advance(to=date(2023, 5, 1))
    # 2500 · 27/31; (2500 · 3 + 500 · 2 + 300 · 25)/30
    assert amounts(shop) == ["2177.42", "533.33"]


def test_a_minimum_is_prorated_with_the_month(open_a_shop: Opened) -> None:
    """Lago, commitments/minimum/in_arrears/calendar/monthly_spec: 10,000.00, from 28 February 2024.

    There the commitment is one of the plan, and its fee of 6.90 counts towards it as the usage
    does: 652.76. Here it is one of the price.
    """
    shop = open_a_shop(start=date(2024, 2, 28))
    shop.billing.usage.add_meter("units")
    price = metered(shop, "units", PerUnit("1"), minimum=usd("10000.00"))
    sub = sell(shop, price, align=Calendar())
    use(shop, sub, "units", {date(2024, 2, 28): 30})
    shop.time.advance(to=date(2024, 4, 1))
    # 10,000 · 2/29 is 689.66
    assert [lines(invoice) for invoice in shop.invoices()] == [
        ["usage 30.00", "true_up 659.66"],
        ["true_up 10000.00"],
    ]


@pytest.mark.parametrize(
    ("change_day", "rest"),
    # 31.00 · 18/31 where the day of the end counts, as there; 17/31 where it does not
    [("old", "18.00"), ("new", "17.00")],
)
def test_usage_that_was_billed_at_a_threshold_is_not_billed_again(
    open_a_shop: Opened, change_day: str, rest: str
) -> None:
    """Lago, progressive_billing_spec: 200.00 on 16 December, ended on the 18th."""
    policy = Proration(change_day=change_day)
    shop = open_a_shop(start=date(2022, 12, 1), proration=policy)
    shop.billing.usage.add_meter("units")
    base = offer(shop, "Base", "31.00", arrears=True)
    sub = sell(shop, base, metered(shop, "units", PerUnit("0.0002")), threshold=usd("200.00"))
    use(shop, sub, "units", {date(2022, 12, 16): 1_000_000})
    shop.time.advance(to=date(2022, 12, 18))
    assert amounts(shop) == ["200.00"]
    shop.billing.subscriptions.cancel(sub.id, when="now")
    assert amounts(shop) == ["200.00", rest]


def test_a_threshold_is_reached_again_and_the_month_has_the_rest(open_a_shop: Opened) -> None:
    """Lago, progressive_billing_spec: 200.00 on 6 December, 200.00 more on the 16th.

    There the second 200.00 wait for the end of the month, 231.00, unless the threshold is a
    recurring one. Here it always is.
    """
    shop = open_a_shop(start=date(2022, 12, 1))
    shop.billing.usage.add_meter("units")
    base = offer(shop, "Base", "31.00", arrears=True)
    sub = sell(shop, base, metered(shop, "units", PerUnit("0.0002")), threshold=usd("200.00"))
    use(shop, sub, "units", {date(2022, 12, 6): 1_000_000, date(2022, 12, 16): 1_000_000})
    shop.time.advance(to=date(2023, 1, 1))
    assert amounts(shop) == ["200.00", "200.00", "31.00"]


def test_usage_of_each_plan_is_billed_when_it_is_left(open_a_shop: Opened) -> None:
    """3scale, instant_bill_plan_change: 31.00, and 310.00 with 0.10 for each hit from the 100th on.

    There nothing comes back for a downgrade; here 280.00 of 310.00 · 29/31 less 28.00 do.
    """
    shop = open_a_shop(start=date(2017, 1, 1))
    shop.billing.usage.add_meter("hits")
    cheap, dear = offer(shop, "NoVariable", "31.00"), offer(shop, "WithVariable", "310.00")
    hits = metered(shop, "hits", FreeUnits(99, PerUnit("0.1")))
    sub = sell(shop, cheap)
    shop.time.advance(to=date(2017, 1, 3))
    change(shop, sub, [dear.id, hits.id], proration=NOW)
    use(shop, sub, "hits", {date(2017, 1, 3): 1000})
    shop.time.advance(to=date(2017, 1, 4))
    change(shop, sub, [cheap.id], proration=NOW)
    shop.time.advance(to=date(2017, 1, 6))
    change(shop, sub, [dear.id, hits.id], proration=NOW)
    use(shop, sub, "hits", {date(2017, 1, 6): 2000})
    shop.time.advance(to=date(2017, 2, 3))
    assert [lines(invoice) for invoice in shop.invoices()] == [
        ["period 31.00"],
        ["credit -29.00", "debit 290.00"],
        ["credit -280.00", "usage 90.10", "debit 28.00"],
        ["credit -26.00", "debit 260.00"],
        ["period 310.00", "usage 190.10"],
    ]


def test_what_is_free_is_free_in_each_month(open_a_shop: Opened) -> None:
    """3scale, instant_bill_plan_change: 50 and 65 hits of 100 free ones, then 500, then 100."""
    shop = open_a_shop(start=date(2017, 3, 20))
    shop.billing.usage.add_meter("hits")
    after_100 = metered(shop, "hits", FreeUnits(100, PerUnit("0.1")))
    each = metered(shop, "hits", PerUnit("0.1"))
    sub = sell(shop, after_100, align=Calendar())
    use(
        shop,
        sub,
        "hits",
        {date(2017, 3, 20): 50, date(2017, 4, 3): 65, date(2017, 5, 3): 500},
    )
    shop.time.advance(to=date(2017, 5, 4))
    change(shop, sub, [each.id], proration=NOW)
    use(shop, sub, "hits", {date(2017, 5, 7): 100})
    shop.time.advance(to=date(2017, 6, 3))
    assert amounts(shop) == ["40.00", "10.00"]


def test_bullets_are_billed_by_started_hundreds_until_they_are_cancelled(
    open_a_shop: Opened,
) -> None:
    """Kill Bill, TestUsageInArrear, testWithUsageAtCancellationDay: 2.95 for each hundred."""
    shop = open_a_shop(start=date(2012, 4, 1))
    shop.billing.usage.add_meter("bullets")
    sub = sell(shop, metered(shop, "bullets", Package(size=100, price="2.95")))
    use(shop, sub, "bullets", {date(2012, 4, 1): 99, date(2012, 4, 15): 100})
    shop.time.advance(to=date(2012, 5, 1))
    use(shop, sub, "bullets", {date(2012, 5, 1): 50, date(2012, 5, 16): 300})
    shop.time.advance(hours=1)
    shop.billing.subscriptions.cancel(sub.id, when="now")
    # 199 and 350
    assert amounts(shop) == ["5.90", "11.80"]


def test_usage_of_the_day_it_began_and_ended_is_billed(open_a_shop: Opened) -> None:
    """Kill Bill, TestUsageInArrear, testWithUsageAtCancellationDay2."""
    shop = open_a_shop(start=date(2012, 4, 1))
    shop.billing.usage.add_meter("bullets")
    sub = sell(shop, metered(shop, "bullets", Package(size=100, price="2.95")))
    use(shop, sub, "bullets", {date(2012, 4, 1): 99})
    shop.time.advance(hours=1)
    shop.billing.subscriptions.cancel(sub.id, when="now")
    assert amounts(shop) == ["2.95"]


def test_usage_goes_on_when_a_cancellation_is_taken_back(open_a_shop: Opened) -> None:
    """Kill Bill, TestUsageInArrear, testWithUsageAtCancellationDayWithUncancel."""
    shop = open_a_shop(start=date(2012, 4, 1))
    shop.billing.usage.add_meter("bullets")
    sub = sell(shop, metered(shop, "bullets", Package(size=100, price="2.95")))
    use(shop, sub, "bullets", {date(2012, 4, 1): 99, date(2012, 4, 15): 100})
    shop.time.advance(to=date(2012, 5, 1))
    use(shop, sub, "bullets", {date(2012, 5, 1): 50})
    shop.time.advance(to=date(2012, 5, 16))
    shop.billing.subscriptions.cancel(sub.id, when=date(2012, 6, 1))
    shop.time.advance(to=date(2012, 5, 17))
    shop.billing.subscriptions.undo_cancel(sub.id)
    shop.time.advance(to=date(2012, 6, 1))
    use(shop, sub, "bullets", {date(2012, 6, 1): 300})
    shop.time.advance(to=date(2012, 7, 1))
    assert amounts(shop) == ["5.90", "2.95", "8.85"]


@pytest.mark.parametrize(
    ("events", "filters", "amount"),
    [
        ({"": 15}, None, "25.00"),
        ({"": 15, "yellow": 5}, {"colour": ["yellow"]}, "10.00"),
        ({"": 10, "blue": 10}, None, "25.00"),
    ],
)
def test_counted_events_enter_the_second_tier(
    open_a_shop: Opened,
    events: dict[str, int],
    filters: dict[str, list[str]] | None,
    amount: str,
) -> None:
    """BillaBear, count_tiered_graduated: flat amounts of 10.00 to 10 events, and of 15.00 above."""
    shop = open_a_shop(start=date(2025, 1, 1))
    shop.billing.usage.add_meter("events", aggregation="count", filters=filters)
    tiers = [Tier(up_to=10, unit="0", flat="10"), Tier(unit="0", flat="15")]
    sub = sell(shop, metered(shop, "events", Graduated(tiers)))
    for colour, count in events.items():
        for n in range(count):
            shop.billing.usage.record(
                sub.id, "events", event_id=f"{colour} {n}", properties={"colour": colour}
            )
    shop.time.advance(to=date(2025, 2, 1))
    assert amounts(shop) == [amount]
