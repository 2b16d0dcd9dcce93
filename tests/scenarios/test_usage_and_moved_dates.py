"""Usage and commands that count from an instant before it: billing dates, prices and trials moved.

Law: nothing that was recorded is lost or billed twice, though periods that it was recorded in are
none any more. The oracle knows when what occurred, and where periods end by now.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions import Interval, MemoryStorage, PerUnit
from subscriptions.lifecycle import Subscription
from tests.scenarios.shop import Shop, audit, open_shop
from tests.scenarios.test_usage_across_segments import START, Story, at, truth

Opened = Callable[..., Shop]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def story(shop: Shop) -> Story:
    return Story(shop)


@pytest.mark.parametrize("on", [date(2027, 1, 25), date(2027, 2, 10), date(2027, 2, 20)])
def test_usage_of_after_a_period_that_nobody_billed_is_billed_once_its_date_is_moved(
    story: Story, on: date
) -> None:
    shop, sub = story.shop, story.sell(story.price())
    shop.clock.now = at("2027-02-16")  # nothing has run since the start
    story.use(sub, 1, at("2027-01-10"))
    story.use(sub, 2, at("2027-01-28"))
    story.use(sub, 4, at("2027-02-15"))
    shop.billing.subscriptions.set_next_billing(sub.id, on=on, at=at("2027-01-20"))
    story.use(sub, 8, at("2027-02-12"))
    shop.time.advance(to=date(2027, 4, 1))
    day = on.isoformat()
    expected = {
        25: ["2027-01-01/2027-01-25 1.00", "2027-01-25/2027-02-25 14.00"],
        10: ["2027-01-01/2027-02-10 3.00", "2027-02-10/2027-03-10 12.00"],
        20: ["2027-01-01/2027-02-20 15.00"],
    }
    assert day in expected[on.day][0]
    assert [f"{period} {amount}" for _, period, amount in story.billed()] == expected[on.day]


def test_what_comes_late_for_a_period_whose_date_was_moved_costs_what_it_adds(shop: Shop) -> None:
    story = Story(shop, "max")
    sub = story.sell(story.price())
    shop.clock.now = at("2027-02-16")
    story.use(sub, 10, at("2027-01-10"))
    story.use(sub, 30, at("2027-01-28"))
    shop.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 1, 25), at=at("2027-01-20"))
    shop.time.advance(to=at("2027-02-26"))
    story.use(sub, 15, at("2027-01-12"))
    story.use(sub, 31, at("2027-02-24"))
    shop.time.advance(to=date(2027, 3, 25))
    assert [amount for _, _, amount in story.billed()] == ["10.00", "30.00", "5.00", "1.00"]


def test_usage_at_the_very_instant_at_which_a_period_ends_by_now_is_billed_once(
    story: Story,
) -> None:
    shop, sub = story.shop, story.sell(story.price())
    shop.clock.now = at("2027-02-16")
    story.use(sub, 7, at("2027-01-25"))
    shop.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 1, 25), at=at("2027-01-20"))
    shop.time.advance(to=at("2027-03-26"))
    story.use(sub, 1, at("2027-01-24"))
    story.use(sub, 2, at("2027-01-26"))
    shop.time.advance(to=at("2027-04-26"))
    assert sum(invoice.total_minor for invoice in shop.invoices()) == 1000


def test_usage_that_was_recorded_before_its_period_was_cut_is_billed_when_the_rest_is_moved(
    story: Story,
) -> None:
    shop, monthly = story.shop, story.price()
    quarterly = shop.billing.catalog.add_price(
        "Quarterly", PerUnit("1.00"), currency="EUR", every=Interval.months(3), meter="used"
    )
    sub, earlier = story.sell(monthly), at("2027-01-05T14:00")
    shop.clock.now = at("2027-01-20")
    story.use(sub, 7, at("2027-01-19"))
    shop.billing.subscriptions.change(sub.id, swap={monthly: quarterly.id}, at=earlier)
    shop.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 1, 10), at=earlier)
    shop.time.advance(to=at("2027-05-01"))
    assert story.billed() == [("usage", "2027-01-10/2027-04-10", "7.00")]


moments = st.tuples(st.floats(0, 1), st.integers(0, 9), st.sampled_from("ab"))


@pytest.mark.parametrize("aggregation", ["sum", "max", "unique", "count", "last"])
@given(
    now_hours=st.integers(11 * 24, 80 * 24),
    back_hours=st.integers(0, 40 * 24),
    later_days=st.integers(1, 60),
    before=st.lists(moments, max_size=4),
    after=st.lists(moments, max_size=2),
    at_last=st.lists(moments, max_size=2),
)
@settings(deadline=None, max_examples=25)
def test_each_period_counts_what_occurred_in_it_whenever_its_date_was_moved(  # noqa: PLR0917
    aggregation: str,
    now_hours: int,
    back_hours: int,
    later_days: int,
    before: list[tuple[float, int, str]],
    after: list[tuple[float, int, str]],
    at_last: list[tuple[float, int, str]],
) -> None:
    story = Story(open_shop(MemoryStorage(), start=START.date()), aggregation)
    shop, sub = story.shop, story.sell(story.price())
    now = START + now_hours * HOUR
    back = max(START, min(at("2027-01-31T23:00"), now - back_hours * HOUR))
    on = back.date() + later_days * DAY
    shop.clock.now = now
    _use(story, sub, before)
    shop.billing.subscriptions.set_next_billing(sub.id, on=on, at=back)
    _use(story, sub, after)
    shop.time.advance(to=max(now, datetime(on.year, on.month, on.day, tzinfo=UTC)) + 3 * DAY)
    _use(story, sub, at_last)
    shop.time.advance(to=date(2027, 9, 1))
    # From that day on each month has that day, or its last.
    starts = [START, *_monthly(on, 8)]
    segments = [(begin, end, False) for begin, end in pairwise(starts)]
    assert sum(invoice.total_minor for invoice in shop.invoices()) == 100 * truth(
        story, segments, starts
    )
    assert audit(shop) == []


def _use(story: Story, sub: Subscription, moments: list[tuple[float, int, str]]) -> None:
    seconds = (story.shop.clock() - START) // timedelta(seconds=1) - 1
    for where, quantity, user in moments:
        number = 1 if story.aggregation in {"count", "unique"} else quantity
        # On half seconds, so never at the instant of a cut; and no two at the same instant.
        second = START + timedelta(seconds=int(where * seconds), milliseconds=500)
        when = second + timedelta(microseconds=len(story.events))
        story.use(sub, number, when, user)


def _monthly(first: date, count: int) -> list[datetime]:
    days: list[datetime] = []
    for later in range(count):
        month = first.month - 1 + later
        next_month = date(first.year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
        last = (next_month - DAY).day
        day = date(first.year + month // 12, month % 12 + 1, min(first.day, last))
        days.append(datetime(day.year, day.month, day.day, tzinfo=UTC))
    return days


@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 50 * 24),  # so many hours later
            st.booleans(),  # whether everything ran until then
            st.integers(0, 40),  # from so many days before on it counts
            st.one_of(st.integers(1, 60), st.sampled_from("mqw")),
            st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9)), max_size=4),
        ),
        min_size=1,
        max_size=6,
    )
)
@settings(deadline=None, max_examples=60)
def test_all_that_was_used_is_billed_once_whatever_counts_from_before_it(
    steps: list[tuple[int, bool, int, int | str, list[tuple[float, int]]]],
) -> None:
    story = Story(open_shop(MemoryStorage(), start=START.date()))
    shop, prices = story.shop, {"m": story.price()}
    for word, every in (("q", Interval.months(3)), ("w", Interval.weeks(2))):
        price = shop.billing.catalog.add_price(
            word, PerUnit("1.00"), currency="EUR", every=every, meter="used"
        )
        prices[word] = price.id
    sub = story.sell(prices["m"], catch_up_max=100)
    now = last = START
    for hours, runs, back_days, what, used in steps:
        now += hours * HOUR
        if runs:
            shop.time.advance(to=now)
        shop.clock.now = now
        for where, quantity in used:
            seconds = int(where * max(0, (now - START) // timedelta(seconds=1) - 1))
            story.use(sub, quantity, START + timedelta(seconds=seconds))
        # A change counts from the one before it at the earliest.
        last = max(last, START, now - back_days * DAY)
        if isinstance(what, int):
            on = last.date() + what * DAY
            shop.billing.subscriptions.set_next_billing(sub.id, on=on, at=last)
        else:
            present = shop.subscription(sub).items[0].price
            if prices[what] != present:
                swap: dict[str, str] = {present: prices[what]}
                shop.billing.subscriptions.change(sub.id, swap=swap, at=last)
    shop.time.advance(to=date(2029, 1, 1))
    used_in_all = sum(quantity for _, quantity, _ in story.events)
    assert sum(invoice.total_minor for invoice in shop.invoices()) == 100 * used_in_all
    assert audit(shop) == []
