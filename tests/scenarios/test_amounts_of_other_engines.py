"""What other billing engines expect of amounts in their own test suites.

Each test names its source: the engine and its test. Only prices, quantities and amounts are taken
from there. Where the engines differ in a convention, the option is chosen that says theirs; where
ours is another on purpose, the test says both figures.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from itertools import pairwise

import pytest

from subscriptions import (
    Graduated,
    Interval,
    OneOff,
    Package,
    Percentage,
    PerUnit,
    TaxRate,
    TaxRates,
    Tier,
    ValidationError,
    Volume,
)
from subscriptions.coupons import Coupon, Forever
from subscriptions.pricing import (
    FreeUnits,
    GraduatedPercentage,
    RateTier,
)
from subscriptions.proration import Proration
from tests.scenarios.in_dollars import NOW, USD, amounts, change, costs, lines, offer, sell, usd
from tests.scenarios.shop import MONTHLY, Shop

Opened = Callable[..., Shop]


# ---- models --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "cents"), [(1, "0.12"), (10, "1.02"), (11, "1.10"), (12, "1.15"), (0, "0.00")]
)
def test_each_tier_that_is_entered_adds_its_flat_amount(units: int, cents: str) -> None:
    """Lago, graduated_service_spec: 0.10 and 0.02 to 10, then 0.05 and 0.03.

    Nothing at 0 is what that version expects; later ones bill the first flat amount, as here
    without `bill_zero`.
    """
    tiers = [Tier(up_to=10, unit="0.10", flat="0.02"), Tier(unit="0.05", flat="0.03")]
    assert costs(Graduated(tiers, bill_zero=False), units) == cents
    assert costs(Graduated(tiers), units) == (cents if units else "0.02")


@pytest.mark.parametrize(
    ("units", "amount"),
    [
        (1, "12.00"),
        (100, "210.00"),
        (101, "101.00"),
        (200, "200.00"),
        (300, "200.00"),
        (0, "0.00"),
    ],
)
def test_the_tier_of_a_volume_has_one_price_and_one_flat_amount(units: int, amount: str) -> None:
    """Lago, volume_service_spec: 2 and 10 to 100, 1 to 200, then 0.50 and 50."""
    tiers = [
        Tier(up_to=100, unit="2", flat="10"),
        Tier(up_to=200, unit="1"),
        Tier(unit="0.5", flat="50"),
    ]
    assert costs(Volume(tiers, bill_zero=False), units) == amount
    assert costs(Volume(tiers), units) == (amount if units else "10.00")


@pytest.mark.parametrize(("free", "amount"), [(0, "13.00"), (10, "12.00")])
def test_the_thirteenth_package_has_one_unit(free: int, amount: str) -> None:
    """Lago, package_service_spec: 121 units in packages of ten at 1.00."""
    assert costs(Package(size=10, price="1.00", free=free), 121) == amount


@pytest.mark.parametrize(
    ("turnover", "amount"),
    [(1, "200.01"), (10, "200.10"), (11, "500.12"), (12, "500.14"), (21, "900.33"), (0, "0.00")],
)
def test_each_tier_of_a_turnover_has_its_rate_and_its_flat_amount(
    turnover: int, amount: str
) -> None:
    """Lago, graduated_percentage_service_spec: 1 %, 2 % and 3 % beside flat fees."""
    fee = GraduatedPercentage(
        [
            RateTier(up_to=10, rate="1", flat="200"),
            RateTier(up_to=20, rate="2", flat="300"),
            RateTier(rate="3", flat="400"),
        ],
        bill_zero=False,
    )
    assert costs(fee, turnover) == amount


@pytest.mark.parametrize(
    ("model", "amount"),
    [
        # 550 · 1.3 % + 2 · 2.00
        (Percentage("1.3", fixed="2.0", free_amount=250, free_events=2), "11.15"),
        # 4 · 2.00
        (Percentage("0", fixed="2.0"), "8.00"),
        # 400 · 1.3 % + 2.00
        (Percentage("1.3", fixed="2.0", free_amount=400, free_events=3), "7.20"),
        # 800 · 1.3 % + 4 · 2.00
        (Percentage("1.3", fixed="2.0"), "18.40"),
    ],
)
def test_eight_hundred_in_four_events(model: Percentage, amount: str) -> None:
    """Lago, percentage_service_spec: events of 50, 100, 250 and 400.

    There free events are wholly free, and their turnover is what is free of the rate; here each
    allowance is said by itself.
    """
    assert model.amount(800, USD, events=[50, 100, 250, 400]) == usd(amount)


@pytest.mark.parametrize(
    ("model", "events", "expected"),
    [
        # 1 % of 10, and 5.00, for the fourth event: the first three are free
        (Percentage("1", fixed="5", free_events=3, free_amount=30), [10, 10, 10, 10], "5.10"),
        # 1 % of 1, then of 11
        (Percentage("1", fixed="5", free_events=3, free_amount=15), [4, 4, 4, 4], "5.01"),
        (Percentage("1", fixed="5", free_events=3, free_amount=15), [4, 4, 4, 4, 10], "10.11"),
        # the third event ends what is free, or the second does
        (Percentage("1", fixed="5", free_events=3, free_amount=3), [1, 1, 1, 1], "5.01"),
        (Percentage("1", fixed="5", free_events=1, free_amount=15), [10, 10], "5.05"),
        (Percentage("1", fixed="5", free_events=1, free_amount=15), [10, 10, 10], "10.15"),
        # 2.00; and 11.00; and no more than 12.00
        (Percentage("1", fixed="1", minimum="1.75", maximum="12"), [100], "2.00"),
        (Percentage("1", fixed="1", minimum="1.75", maximum="12"), [100, 1000], "13.00"),
        (Percentage("1", fixed="1", minimum="1.75", maximum="12"), [100, 1000, 10000], "25.00"),
    ],
)
def test_events_that_cost_a_rate_and_a_fixed_amount(
    model: Percentage, events: list[int], expected: str
) -> None:
    """Lago, percentage_spec (scenarios): 1 %, with allowances and with bounds for each event."""
    assert model.amount(sum(events), USD, events=events) == usd(expected)


def test_free_units_are_used_up_over_several_invoices() -> None:
    """Kong Konnect and OpenMeter, "Usage discounts": 500 free; 300, 250 and 100 are used."""
    model = FreeUnits(500, PerUnit("1"))
    reached = [model.amount(units, USD).minor // 100 for units in (0, 300, 550, 650)]
    assert [after - before for before, after in pairwise(reached)] == [0, 50, 100]


# ---- changes, coupons and credit notes -----------------------------------------------------------


@pytest.mark.parametrize(
    ("had", "wanted", "total"), [("30", "45", "15.00"), ("45", "30", "-15.00")]
)
def test_a_change_at_once_costs_the_difference(
    open_a_shop: Opened, had: str, wanted: str, total: str
) -> None:
    """BillaBear, change_subscription_plan: 30.00 and 45.00 a month, changed instantly."""
    shop = open_a_shop(start=date(2025, 1, 1))
    old, new = offer(shop, "Old", had), offer(shop, "New", wanted)
    sub = sell(shop, old)
    change(shop, sub, [new.id], proration=NOW)
    assert amounts(shop)[1:] == [total]


def lasting(shop: Shop, name: str, said: str) -> Coupon | None:
    """Return a coupon that lasts: "25 %", or "25.00" off each period; none for ""."""
    if not said:
        return None
    if said.endswith("%"):
        percent = said.removesuffix(" %")
        return shop.billing.coupons.create(name, percent_off=percent, duration=Forever())
    return shop.billing.coupons.create(name, amount_off=usd(said), duration=Forever())


@pytest.mark.parametrize(
    ("had", "gets", "expected", "next_month"),
    [
        # There 250.00, 250.00, 500.00 and 475.00 are debited, with what is off from now on.
        ("25 %", "50 %", ["credit -37.50", "debit 375.00"], "500.00"),
        ("", "50 %", ["credit -50.00", "debit 500.00"], "500.00"),
        ("25 %", "", ["credit -37.50", "debit 375.00"], "1000.00"),
        ("25.00", "50.00", ["credit -37.50", "debit 487.50"], "950.00"),
    ],
)
def test_the_credit_has_what_was_off_and_so_has_the_debit_of_the_same_month(
    open_a_shop: Opened, had: str, gets: str, expected: list[str], next_month: str
) -> None:
    """Polar, test_service_prorations, test_proration_with_discount_change: 100.00 to 1000.00.

    The credits are the same. Here what is off was chosen with the month, and counts for all of it:
    a change and its opposite cost nothing, whatever coupons came in between.
    """
    shop = open_a_shop(start=date(2025, 6, 1))
    small, large = offer(shop, "Small", "100.00"), offer(shop, "Large", "1000.00")
    before, after = lasting(shop, "Before", had), lasting(shop, "After", gets)
    sub = sell(shop, small, coupons=[before.id] if before else [])
    shop.time.advance(to=date(2025, 6, 16))
    if before:
        shop.billing.coupons.remove(sub.id, before.id)
    if after:
        shop.billing.coupons.redeem(after.id, subscription=sub.id)
    change(shop, sub, [large.id], proration=NOW)
    shop.time.advance(to=date(2025, 7, 1))
    assert lines(shop.invoices()[1]) == expected
    assert amounts(shop)[-1] == next_month


@pytest.mark.parametrize("first", ["note", "cancellation"])
def test_no_more_comes_back_of_a_year_than_it_cost(open_a_shop: Opened, first: str) -> None:
    """Kill Bill, TestIntegrationInvoiceWithRepairLogic: 2399.95, of which 335 of 365 days are left.

    197.26 are taken off by hand, before the cancellation or after it.
    """
    shop = open_a_shop(start=date(2013, 8, 18))
    sub = sell(shop, offer(shop, "Shotgun", "2399.95", every=Interval.years(1)))
    year = shop.only_invoice()
    create = shop.billing.credit_notes.create
    if first == "note":
        create(year.id, lines={0: usd("197.26")}, reason="Sorry")
    shop.time.advance(to=date(2013, 9, 17))
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    assert amounts(shop) == ["2399.95", "-2202.69"]
    if first == "cancellation":
        with pytest.raises(ValidationError, match=r"197\.26"):
            create(year.id, lines={0: usd("197.27")}, reason="Sorry")
        create(year.id, lines={0: usd("197.26")}, reason="Sorry")
    assert shop.billing.customers.get(sub.customer).balance == (usd("2399.95"),)


def test_coupons_for_some_products_and_one_for_all(open_a_shop: Opened) -> None:
    """Lago, coupons_breakdown_spec: 200.00, less 20.00, 10.00 and 5.00, with 10 % and 20 %.

    There the exact tax of all lines is rounded once, 18.89; here the tax of each rate is, by EN
    16931: 141.06 · 10 % is 14.11 and 23.94 · 20 % is 4.79.
    """
    taxes = TaxRates({"DE": TaxRate("10")}).with_rates("DE", TaxRate("20"), category="high")
    shop = open_a_shop(start=date(2023, 1, 1), taxes=taxes)
    sold = [
        offer(
            shop,
            f"Metric {n}",
            f"{(n - 1) % 4 + 1}0.00",
            arrears=True,
            tax_category="high" if n in {2, 6} else "standard",
        )
        for n in range(1, 9)
    ]
    products = [price.product for price in sold]
    coupons = shop.billing.coupons
    first = coupons.create("First", amount_off=usd("20.00"), products=products[:2])
    second = coupons.create("Second", amount_off=usd("10.00"), products=products[4:])
    third = coupons.create("Third", amount_off=usd("5.00"))
    sell(shop, *sold, coupons=[first.id, second.id, third.id])
    shop.time.advance(to=date(2023, 2, 1))
    invoice = shop.only_invoice()
    off = [line.discount.minor for line in invoice.lines]
    # Here each coupon is spread in whole cents.
    exact = [676.47059, 1352.94117, 88.23529, 117.64706, 126.47059, 252.94118, 379.41176, 505.88235]
    assert sum(off) == 3500
    assert all(abs(mine - theirs) <= 1 for mine, theirs in zip(off, exact, strict=True))
    assert (invoice.net, invoice.tax) == (usd("165.00"), usd("18.90"))


def test_one_amount_over_six_lines(open_a_shop: Opened) -> None:
    """Lago, credit_note_spec, a coupon of 10.00 applied twice: 4529.57."""
    shop = open_a_shop(start=date(2022, 12, 19), taxes=TaxRates({"DE": TaxRate("10")}))
    fees = ["992.90", "2997.70", "31.30", "64.60", "31.30", "19.99"]
    sold = [offer(shop, f"Fee {n}", fee) for n, fee in enumerate(fees)]
    tens = [
        shop.billing.coupons.create(name, amount_off=usd("10.00"), duration=Forever())
        for name in ("Ten", "Another ten")
    ]
    sell(shop, *sold, coupons=[each.id for each in tens])
    invoice = shop.only_invoice()
    off = [line.discount.minor for line in invoice.lines]
    # There 479.91802, 1448.93772, 15.12884, 31.2244, 15.12884 and 9.66216 cents
    exact = [479.91802, 1448.93772, 15.12884, 31.2244, 15.12884, 9.66216]
    assert sum(off) == 2000
    assert all(abs(mine - theirs) <= 1 for mine, theirs in zip(off, exact, strict=True))
    assert (invoice.tax, invoice.total) == (usd("411.78"), usd("4529.57"))


def test_a_credit_of_a_line_is_net_of_its_coupon(open_a_shop: Opened) -> None:
    """Lago, credit_note_spec: 179.00, and 399.00 less 250.00; 98.06 of the latter come back.

    There the line has two taxes of 10 %, and the credit is said before the coupon, as 262.60.
    """
    taxes = TaxRates({"DE": TaxRate("10")}).with_rates("DE", TaxRate("20"), category="two")
    shop = open_a_shop(start=date(2022, 12, 19), taxes=taxes)
    one = offer(shop, "One", "179.00")
    two = offer(shop, "Two", "399.00", tax_category="two")
    off = shop.billing.coupons.create(
        "Off", amount_off=usd("250.00"), products=[two.product], duration=Forever()
    )
    sell(shop, one, two, coupons=[off.id])
    invoice = shop.only_invoice()
    assert (invoice.net, invoice.tax, invoice.total) == (usd("328"), usd("47.70"), usd("375.70"))
    note = shop.billing.credit_notes.create(invoice.id, lines={1: usd("98.06")}, reason="Sorry")
    assert (note.tax, note.total) == (usd("19.61"), usd("117.67"))


@pytest.mark.parametrize(
    ("amount", "rate", "every", "expected"),
    [
        # 29/30 of a month, and 6/7 of a week
        ("200.00", "25", MONTHLY, ["193.33", "48.33", "241.66"]),
        ("160.00", "25", MONTHLY, ["154.67", "38.67", "193.34"]),
        ("29.99", "23.33", Interval.weeks(1), ["25.71", "6.00", "31.71"]),
    ],
)
def test_what_comes_back_after_the_first_day(
    open_a_shop: Opened, amount: str, rate: str, every: Interval, expected: list[str]
) -> None:
    """Lago, credit_note_rounding_spec: ended on the day it began, which counts."""
    shop = open_a_shop(
        start=date(2025, 9, 18),
        taxes=TaxRates({"DE": TaxRate(rate)}),
        proration=Proration(change_day="old"),
    )
    plan, ada, bob = offer(shop, "Plan", amount, every=every), shop.customer(), shop.customer()
    sub, _ = (sell(shop, plan, customer=each) for each in (ada, bob))
    net, tax, total = map(usd, expected)
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    back = shop.invoices(ada)[-1]
    assert (-back.net, -back.tax, -back.total) == (net, tax, total)
    first = shop.only_invoice(bob)
    note = shop.billing.credit_notes.create(first.id, lines={0: net}, reason="Ended")
    assert (note.net, note.tax, note.total) == (net, tax, total)


@pytest.mark.parametrize(
    ("invoiced", "credits", "expected"),
    [
        # 153.80 of tax in all: 145.37, and then what is missing to it
        (["769.00"], [(0, "726.86"), (0, "42.14")], ["872.23", "50.57"]),
        # 13.666 of tax each: 27.33 and 54.66 in all
        (["68.33"] * 2, [(0, "68.33"), (1, "68.33")], ["82.00", "81.99"]),
        # There 82.00 thrice and 81.98; here each is what is missing to the rounded sum.
        (["68.33"] * 4, [(n, "68.33") for n in range(4)], ["82.00", "81.99", "82.00", "81.99"]),
    ],
)
def test_partial_credits_add_up_to_the_invoice(
    open_a_shop: Opened,
    invoiced: list[str],
    credits: list[tuple[int, str]],
    expected: list[str],
) -> None:
    """Lago, credit_note_rounding_spec and credit_note_spec: with 20 % of tax."""
    shop = open_a_shop(start=date(2025, 9, 18), taxes=TaxRates({"DE": TaxRate("20")}))
    ada = shop.customer()
    items = [OneOff("Item", usd(each)) for each in invoiced]
    invoice = shop.billing.invoices.create_one_off(ada.id, items)
    notes = [
        shop.billing.credit_notes.create(invoice.id, lines={place: usd(amount)}, reason="Back")
        for place, amount in credits
    ]
    assert [str(note.total.amount) for note in notes] == expected
    assert sum(note.total_minor for note in notes) == invoice.total_minor
