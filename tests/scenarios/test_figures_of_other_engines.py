"""Figures that other billing engines publish, reproduced by the pure functions.

Each test names its source: the engine and the title of the page. Where the engines differ in a
convention, the option is chosen that says theirs. What an engine publishes for whole invoices is in
`test_invoices_of_other_engines`.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest

from subscriptions import (
    BillingCycle,
    Flat,
    Graduated,
    Interval,
    Money,
    Package,
    Percentage,
    Period,
    PerUnit,
    Tier,
    Volume,
    prorate,
)
from subscriptions.discounts import AmountOff, Discount, Discountable, PercentOff, spread
from subscriptions.ids import CouponId
from subscriptions.pricing import (
    FreeUnits,
    GraduatedPercentage,
    PriceModel,
    RateTier,
    Stairstep,
    Step,
)
from subscriptions.proration import ProrationUnit
from tests.scenarios.in_dollars import USD, costs, usd
from tests.scenarios.shop import MONTHLY


def tiers(*steps: tuple[int | None, str], flat: str = "0") -> list[Tier]:
    return [Tier(up_to=up_to, unit=unit, flat=flat) for up_to, unit in steps]


# ---- tiers -------------------------------------------------------------------------------------

FONTS = tiers((5, "7.00"), (10, "6.50"), (None, "6.00"))


@pytest.mark.parametrize(
    ("fonts", "volume", "graduated"),
    [
        (1, "7.00", "7.00"),
        (5, "35.00", "35.00"),
        (6, "39.00", "41.50"),  # 6 · 6.50; 5 · 7 + 1 · 6.50
        (20, "120.00", "127.50"),  # 20 · 6; 5 · 7 + 5 · 6.50 + 10 · 6
        (25, "150.00", "157.50"),
    ],
)
def test_a_tier_prices_all_units_by_volume_and_its_own_when_graduated(
    fonts: int, volume: str, graduated: str
) -> None:
    """Stripe, "Set up tiered pricing": 7.00 to 5 fonts, 6.50 to 10, then 6.00."""
    assert (costs(Volume(FONTS), fonts), costs(Graduated(FONTS), fonts)) == (volume, graduated)


@pytest.mark.parametrize(
    ("quantity", "volume", "graduated"),
    [
        (1, "5.00", "5.00"),
        (5, "25.00", "25.00"),
        (6, "24.00", "29.00"),  # a volume price may fall: 6 · 4 is less than 5 · 5
        (20, "40.00", "70.00"),  # 20 · 2; 25 + 20 + 15 + 10
        (25, "25.00", "75.00"),  # 25 · 1; 70 + 5
    ],
)
def test_a_volume_price_may_fall_where_a_graduated_one_never_does(
    quantity: int, volume: str, graduated: str
) -> None:
    """Stripe, "Tiered pricing" (2020): 5, 4, 3, 2 and 1 by steps of five."""
    steps = tiers((5, "5"), (10, "4"), (15, "3"), (20, "2"), (None, "1"))
    assert (costs(Volume(steps), quantity), costs(Graduated(steps), quantity)) == (
        volume,
        graduated,
    )


def test_a_flat_amount_is_added_to_the_tier_that_the_volume_reaches() -> None:
    """Lago, "Volume": 65,000 calls in the tier of 0.0006, and 10.00 beside it."""
    steps = tiers(
        (10_000, "0.0010"), (50_000, "0.0008"), (100_000, "0.0006"), (None, "0.0004"), flat="10"
    )
    # 65,000 · 0.0006 + 10
    assert costs(Volume(steps), 65_000) == "49.00"


def test_the_third_tier_of_a_volume_prices_every_call() -> None:
    """Flexprice, "Tiered": 65,000 calls at 0.0006; the tiers before it do not matter."""
    steps = tiers((10_000, "0.0010"), (50_000, "0.0008"), (None, "0.0006"))
    assert costs(Volume(steps), 65_000) == "39.00"


@pytest.mark.parametrize(
    ("quantity", "all_tiers", "top_tier"),
    [
        (400, "600.00", "600.00"),  # 400 · 1.50
        (1200, "1900.00", "2400.00"),  # 1000 · 1.50 + 200 · 2; 1200 · 2
    ],
)
def test_all_tiers_is_graduated_and_top_tier_is_volume(
    quantity: int, all_tiers: str, top_tier: str
) -> None:
    """Kill Bill, "Catalog Examples": 1.50 to 1000 litres, then 2.00."""
    steps = tiers((1000, "1.50"), (None, "2.00"))
    assert (costs(Graduated(steps), quantity), costs(Volume(steps), quantity)) == (
        all_tiers,
        top_tier,
    )


def test_thirteen_videos_are_five_at_the_first_price_and_eight_at_the_second() -> None:
    """Kill Bill, "Usage: consumable in arrear": 2.00 to 5 videos, then 1.00."""
    # 5 · 2 + 8 · 1
    assert costs(Graduated(tiers((5, "2"), (None, "1"))), 13) == "18.00"


@pytest.mark.parametrize(
    ("minutes", "amount"),
    [(400, "250.00"), (100, "100.00")],  # 100 · 1 + 300 · 0.50
)
def test_minutes_above_the_first_hundred_cost_half(minutes: int, amount: str) -> None:
    """Kill Bill, "Catalog Examples", several usage sections: 1.00 to 100 minutes, then 0.50."""
    assert costs(Graduated(tiers((100, "1.00"), (None, "0.50"))), minutes) == amount


@pytest.mark.parametrize(("minutes", "amount"), [(400, "40.00"), (1200, "110.00")])
def test_blocks_of_ten_in_tiers_are_a_tenth_for_each_unit(minutes: int, amount: str) -> None:
    """Kill Bill, "Catalog Examples", blocks: 1.00 for 10 minutes to 100 blocks, then 0.50."""
    # 40 blocks · 1.00; 100 blocks · 1.00 + 20 blocks · 0.50
    assert costs(Graduated(tiers((1000, "0.10"), (None, "0.05"))), minutes) == amount


@pytest.mark.parametrize(("litres", "amount"), [(400, "750.00"), (1200, "500.00")])
def test_a_capacity_costs_what_its_tier_says_and_may_fall(litres: int, amount: str) -> None:
    """Kill Bill, "Catalog Examples", capacity: 750.00 to 1000 litres, 500.00 above."""
    steps = [Step(up_to=1000, price="750"), Step(price="500")]
    assert costs(Stairstep(steps), litres) == amount


@pytest.mark.parametrize(
    ("model", "quantity", "amount"),
    [
        # 100 · 1 + 50 · 0.50
        (Graduated(tiers((100, "1.00"), (None, "0.50"))), 150, "125.00"),
        # 21 shirts at 9
        (Volume(tiers((20, "10"), (None, "9"))), 21, "189.00"),
        (Volume(tiers((20, "10"), (None, "9"))), 20, "200.00"),
    ],
)
def test_documents_are_tiered_and_shirts_are_priced_by_volume(
    model: PriceModel, quantity: int, amount: str
) -> None:
    """Recurly, "Quantity-based pricing" and "Tiered, volume and stairstep pricing"."""
    assert costs(model, quantity) == amount


@pytest.mark.parametrize(
    ("seats", "amount"), [(10, "50.00"), (11, "100.00"), (25, "150.00"), (100, "150.00")]
)
def test_a_stairstep_costs_the_same_within_a_step(seats: int, amount: str) -> None:
    """Recurly, "Tiered, volume and stairstep pricing": 50 to 10 seats, 100 to 20, then 150."""
    steps = [Step(up_to=10, price="50"), Step(up_to=20, price="100"), Step(price="150")]
    assert costs(Stairstep(steps), seats) == amount


@pytest.mark.parametrize(
    ("model", "amount"),
    [
        (Graduated(tiers((1000, "0.10"), (10_000, "0.05"), (None, "0.01"))), "600.00"),
        (Volume(tiers((1000, "0.10"), (10_000, "0.05"), (None, "0.01"))), "150.00"),
        (Graduated(tiers((1000, "0.01"), (10_000, "0.008"), (None, "0.005"))), "107.00"),
    ],
)
def test_fifteen_thousand_requests(model: PriceModel, amount: str) -> None:
    """OpenMeter as in Zuplo, "Pricing Models" (first two), and Autumn, "Graduated Pricing"."""
    # 100 + 450 + 50; 15,000 · 0.01; 10 + 72 + 25
    assert costs(model, 15_000) == amount


@pytest.mark.parametrize(("model", "amount"), [(Graduated, "220.00"), (Volume, "200.00")])
def test_twenty_five_hundred_units_in_two_tiers(
    model: type[Graduated | Volume], amount: str
) -> None:
    """Metrifox, "Pricing models": 0.10 to 1000, then 0.08."""
    # 100 + 1500 · 0.08; 2500 · 0.08
    assert costs(model(tiers((1000, "0.10"), (None, "0.08"))), 2500) == amount


def test_included_units_are_a_first_tier_that_costs_nothing() -> None:
    """Zuora, "Example: Tiered pricing mode": 130 used, 100 included, 2.00 above."""
    # 30 · 2.00, said as a tier and as free units
    assert costs(Graduated(tiers((100, "0.00"), (None, "2.00"))), 130) == "60.00"
    assert costs(FreeUnits(100, PerUnit("2.00")), 130) == "60.00"


@pytest.mark.parametrize(
    ("model", "amount"),
    [
        (Graduated(tiers((250, "1"), (500, "2"), (None, "3"))), "2250.00"),
        (Volume(tiers((250, "1"), (500, "2"), (None, "3"))), "3000.00"),
        (
            Graduated(
                [
                    Tier(up_to=250, unit="0", flat="10"),
                    Tier(up_to=500, unit="0", flat="20"),
                    Tier(unit="0", flat="30"),
                ]
            ),
            "60.00",
        ),
        (
            Stairstep([Step(up_to=250, price="10"), Step(up_to=500, price="20"), Step(price="30")]),
            "30.00",
        ),
    ],
    ids=["slabs", "variable", "slab amounts", "variable amount"],
)
def test_a_thousand_in_slabs_of_250(model: PriceModel, amount: str) -> None:
    """Oracle Banking Virtual Account, "Examples for Tier Based Amount"."""
    # 250 · 1 + 250 · 2 + 500 · 3; 1000 · 3; 10 + 20 + 30 for the tiers entered; 30
    assert costs(model, 1000) == amount


# ---- packages, percentages, minimums -----------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "quantity", "amount"),
    [
        # 100 free, then two started packages
        (Package(size=100, price="5.00", free=100), 201, "10.00"),
        # 150 minutes are 3 started hours
        (Package(size=60, price="10.00"), 150, "30.00"),
        (Package(size=5, price="10.00"), 1, "10.00"),
        (Package(size=5, price="10.00"), 5, "10.00"),
        (Package(size=5, price="10.00"), 6, "20.00"),
        (Package(size=5, price="10.00"), 7, "20.00"),
        # 4.5 packages count as 5
        (Package(size=1000, price="1.00"), 4500, "5.00"),
    ],
)
def test_a_started_package_counts_whole(model: PriceModel, quantity: int, amount: str) -> None:
    """Lago, "Package"; Stripe, "Transform quantities" and "Quantity transformation"; Flexprice."""
    assert costs(model, quantity) == amount


def test_a_thousand_calls_at_five_cents() -> None:
    """Lago, "Charges", standard model; OpenMeter as in Zuplo: 100,000 calls at 0.001."""
    assert costs(PerUnit("0.05"), 1000) == "50.00"
    assert costs(PerUnit("0.001"), 100_000) == "100.00"


def test_a_graduated_percentage_adds_the_flat_amount_of_each_tier_once() -> None:
    """Lago, "Graduated percentage": transactions of 500, 550 and 4000 in one period."""
    fee = GraduatedPercentage(
        [
            RateTier(up_to=1000, rate="1", flat="200"),
            RateTier(up_to=10_000, rate="2", flat="300"),
            RateTier(rate="3", flat="400"),
        ]
    )
    # 500 · 1 % + 200; then 500 · 1 % + 50 · 2 % + 300; then 4000 · 2 %
    reached = [fee.amount(total, USD) for total in (500, 1050, 5050)]
    assert reached == [usd("205.00"), usd("511.00"), usd("591.00")]
    assert (reached[1] - reached[0], reached[2] - reached[1]) == (usd("306.00"), usd("80.00"))


def test_a_free_amount_bears_no_rate_and_free_events_no_fixed_amount() -> None:
    """Lago, "Percentage": 200, 100 and 100 are free, and 50 cost 0.10 and 1.2 %.

    There either allowance ends both: the three free events end the free amount at 400. Here each is
    counted by itself, so that theirs is said as a free amount of 400.
    """
    card = Percentage("1.2", fixed="0.10", free_events=3, free_amount=400)
    assert card.amount(400, USD, events=[200, 100, 100]) == usd("0.00")
    # 50 · 1.2 % + 0.10
    assert card.amount(450, USD, events=[200, 100, 100, 50]) == usd("0.70")


# ---- discounts ---------------------------------------------------------------------------------


def taken_off(amount: str, *terms: PercentOff | AmountOff) -> list[str]:
    """Return what each discount takes off one line."""
    discounts = [Discount(CouponId(f"c{n}"), "", each) for n, each in enumerate(terms)]
    (shares,) = spread([Discountable(usd(amount).minor)], discounts, USD)
    return [str(Money(share.amount_minor, USD).amount) for share in shares]


@pytest.mark.parametrize(
    ("amount", "terms", "off"),
    [
        # 100 · 5 %, 95 · 10 %, 85.50 · 15 % = 12.825
        ("100.00", (PercentOff(5), PercentOff(10), PercentOff(15)), ["5.00", "9.50", "12.83"]),
        # 100 · 30 %, 70 · 20 %
        ("100.00", (PercentOff(30), PercentOff(20)), ["30.00", "14.00"]),
        # 10,000 · 8 %, then 500: 8700 are left
        ("10000.00", (PercentOff(8), AmountOff(usd("500"))), ["800.00", "500.00"]),
        # twice a tenth is 19 %
        ("100.00", (PercentOff(10), PercentOff(10)), ["10.00", "9.00"]),
        # never below zero
        ("10.00", (AmountOff(usd("20")), PercentOff(50)), ["10.00"]),
    ],
)
def test_discounts_chain_each_on_what_the_earlier_ones_left(
    amount: str, terms: tuple[PercentOff | AmountOff, ...], off: list[str]
) -> None:
    """Zuora, "Stacked discounts" (not stacked) and the pages on fixed amounts and classes.

    A tenth twice: Flexprice, "Invoice Calculation Order".
    """
    assert taken_off(amount, *terms) == off


# ---- calendar ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("year", "days"), [(2023, ["02-28", "03-31", "04-30"]), (2024, ["02-29", "03-31", "04-30"])]
)
def test_an_anchor_on_the_31st_is_looked_at_again_in_every_month(
    year: int, days: list[str]
) -> None:
    """Stripe, "Set the subscription billing renewal date"."""
    cycle = BillingCycle(date(year, 1, 31), MONTHLY)
    assert [f"{cycle.start(n):%m-%d}" for n in (1, 2, 3)] == days


def test_an_anchor_within_every_month_never_moves_and_a_friday_stays_a_friday() -> None:
    """Stripe, "Set the subscription billing renewal date": 2 September, and Friday 3 June."""
    monthly = BillingCycle(date(2022, 9, 2), MONTHLY)
    assert {monthly.start(n).day for n in range(60)} == {2}
    weekly = BillingCycle(date(2022, 6, 3), Interval.weeks(1))
    assert [weekly.start(n) - weekly.start(n - 1) for n in range(1, 60)] == [timedelta(7)] * 59
    assert {weekly.start(n).isoweekday() for n in range(60)} == {5}


def test_a_month_from_the_30th_over_a_leap_february() -> None:
    """Lago, pull request 1840 of lago-api: subscribed on 30 January 2024."""
    cycle = BillingCycle(date(2024, 1, 30), MONTHLY)
    assert cycle.period_containing(date(2024, 2, 29)) == Period(
        date(2024, 2, 29), date(2024, 3, 30)
    )


# ---- parts of periods --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "start", "end", "change", "unused"),
    [
        # 24.95 · 9/31, 22/30, 8/31, 25/30; 17.95 · 20/30
        ("24.95", (2021, 8, 25), (2021, 9, 25), (2021, 9, 16), "7.24"),
        ("24.95", (2021, 9, 17), (2021, 10, 17), (2021, 9, 25), "18.30"),
        ("24.95", (2021, 8, 25), (2021, 9, 25), (2021, 9, 17), "6.44"),
        ("24.95", (2021, 9, 25), (2021, 10, 25), (2021, 9, 30), "20.79"),
        ("17.95", (2021, 9, 20), (2021, 10, 20), (2021, 9, 30), "11.97"),
    ],
)
def test_what_is_left_of_a_period_costs_its_days_in_the_days_of_the_period(
    amount: str,
    start: tuple[int, int, int],
    end: tuple[int, int, int],
    change: tuple[int, int, int],
    unused: str,
) -> None:
    """Kill Bill, "Catalog Examples", billing alignment rules."""
    parts = prorate(usd(amount), Period(date(*start), date(*end)), date(*change))
    assert parts.unused == usd(unused)


def test_the_end_of_january_costs_actual_days_or_thirtieths() -> None:
    """Zuora, "Calculate total amount with partial period proration": 14 days to the 15th."""
    period = Period(date(2017, 12, 15), date(2018, 1, 15))
    cycle = BillingCycle(period.start, MONTHLY)
    at = date(2018, 1, 1)
    # 100 · 14/31 and 100 · 14/30
    assert prorate(usd("100.00"), period, at).unused == usd("45.16")
    thirtieths = prorate(usd("100.00"), period, at, unit=ProrationUnit.THIRTIETHS, cycle=cycle)
    assert thirtieths.unused == usd("46.67")


@pytest.mark.parametrize(
    ("first", "last", "actual", "strict"),
    [
        (date(2021, 1, 27), date(2021, 1, 31), Fraction(5, 31), Fraction(4, 30)),
        (date(2021, 2, 27), date(2021, 2, 28), Fraction(2, 28), Fraction(4, 30)),
        (date(2020, 2, 1), date(2020, 2, 29), Fraction(29, 29), Fraction(30, 30)),
        (date(2021, 4, 21), date(2021, 4, 29), Fraction(9, 30), Fraction(9, 30)),
    ],
)
def test_days_and_strict_thirtieths_of_calendar_months(
    first: date, last: date, actual: Fraction, strict: Fraction
) -> None:
    """Zuora, "When prorating a month, assume 30 days in a month or use actual days?"."""
    cycle = BillingCycle(date(2020, 1, 1), MONTHLY)
    period = cycle.period_containing(first)

    def part(unit: ProrationUnit) -> Fraction:
        cuts = [
            prorate(usd("1.00"), period, day, unit=unit, cycle=cycle)
            for day in (first, last + timedelta(1))
        ]
        return Fraction(cuts[1].numerator - cuts[0].numerator, cuts[0].denominator)

    assert (part(ProrationUnit.DAY), part(ProrationUnit.THIRTIETHS)) == (actual, strict)


def test_a_part_of_a_year_is_its_days_in_the_days_of_that_year() -> None:
    """Dynamics 365 recurring contract billing, "Proration Method: Examples", daily."""
    # August to December are 153 days, of a year over 29 February: 12,000 · 153/366
    year = BillingCycle(date(2019, 8, 1), Interval.years(1)).period(0)
    assert prorate(usd("12000.00"), year, date(2020, 1, 1)).used == usd("5016.39")


def test_a_month_is_earned_by_its_days() -> None:
    """Stripe, revenue recognition, "Subscription examples": 31.00 from 15 January 2019."""
    month = Period(date(2019, 1, 15), date(2019, 2, 15))
    parts = prorate(usd("31.00"), month, date(2019, 2, 1))
    assert (parts.used, parts.unused) == (usd("17.00"), usd("14.00"))


def test_a_year_is_earned_by_its_days() -> None:
    """Stripe, revenue recognition, "Subscription examples": 365.00 from 1 January 2019."""
    year = Period(date(2019, 1, 1), date(2020, 1, 1))
    ends = [date(2019, month, 1) for month in (1, 2, 3, 4)]
    used = [prorate(usd("365.00"), year, end).used for end in ends]
    earned = [after - before for before, after in pairwise(used)]
    assert earned == [usd("31.00"), usd("28.00"), usd("31.00")]
    assert prorate(usd("365.00"), year, date(2019, 2, 1)).unused == usd("334.00")


def test_a_flat_price_is_the_same_for_every_quantity() -> None:
    """Recurly, "Pricing models": 12.99 a month, however much is watched."""
    assert {costs(Flat("12.99"), hours) for hours in (0, 1, 1000)} == {"12.99"}
    assert Flat("12.99").amount(Decimal("0.5"), USD) == usd("12.99")
