"""What usage costs, line by line: models, aggregations, minimums, thresholds, changes and ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions import (
    Graduated,
    Interval,
    MemoryStorage,
    Package,
    Percentage,
    PerUnit,
    Tier,
    ValidationError,
    Volume,
)
from subscriptions.alignment import Calendar
from subscriptions.coupons import Forever
from subscriptions.errors import CurrencyMismatch
from subscriptions.invoices import Invoice, InvoiceFinalized, InvoicePaid
from subscriptions.lifecycle import Subscription, UsageBilled
from subscriptions.money import Money
from subscriptions.pricing import FreeUnits, GraduatedPercentage, PriceModel, RateTier, Stairstep
from subscriptions.pricing import Step as StairStep
from subscriptions.usage import Usage
from tests.scenarios.shop import GOOD, MONTHLY, YEARLY, Shop, audit, eur, open_shop

Opened = Callable[..., Shop]

TIERS = [Tier(up_to=10, unit="1.00"), Tier(up_to=100, unit="0.50"), Tier(unit="0.20")]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def metered(
    shop: Shop,
    model: PriceModel,
    *,
    meter: str = "calls",
    every: Interval = MONTHLY,
    **more: object,
) -> str:
    """Offer what a meter counts at a price; returns the price's id."""
    if meter not in {each.key for each in shop.billing.usage.meters()}:
        shop.billing.usage.add_meter(meter)
    return shop.billing.catalog.add_price(
        meter,
        model,
        currency="EUR",
        every=every,
        meter=meter,
        arrears=True,
        **more,  # type: ignore[arg-type]  # passed on
    ).id


def sell(shop: Shop, *prices: str, **more: object) -> Subscription:
    return shop.billing.subscriptions.create(
        shop.customer().id,
        prices,
        **more,  # type: ignore[arg-type]  # passed on
    )


_counted: Iterator[int] = iter(range(10**9))


def use(
    shop: Shop,
    sub: Subscription,
    quantity: int | str,
    when: str | None = None,
    *,
    meter: str = "calls",
    **properties: str,
) -> None:
    shop.billing.usage.record(
        sub.id,
        meter,
        event_id=f"e{next(_counted)}",
        quantity=quantity if isinstance(quantity, int) else Decimal(quantity),
        occurred_at=None if when is None else at(when),
        properties=properties or None,
    )


def billed(invoice: Invoice) -> list[str]:
    """Return what each line bills: kind, period, quantity, amount."""
    return [f"{line.kind} {line.period} {line.quantity} {line.amount}" for line in invoice.lines]


# ---- models ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "quantity", "amount"),
    [
        (Graduated(TIERS), 11, "10.50"),
        (Volume(TIERS), 11, "5.50"),
        (Graduated(TIERS), 101, "55.20"),
        (Volume(TIERS), 101, "20.20"),
        (Package(size=100, price="5.00", free=100), 101, "5.00"),
        (Package(size=100, price="5.00", free=100), 201, "10.00"),
        (FreeUnits(1000, PerUnit("0.01")), 1250, "2.50"),
        (PerUnit("0.0005"), 1010, "0.51"),
    ],
    ids=str,
)
def test_a_month_of_usage_costs_what_the_price_list_says(
    shop: Shop, model: PriceModel, quantity: int, amount: str
) -> None:
    sub = sell(shop, metered(shop, model))
    use(shop, sub, quantity)
    shop.time.expect(InvoiceFinalized).advance(to=date(2027, 2, 1))
    assert billed(shop.only_invoice()) == [
        f"usage 2027-01-01/2027-02-01 {quantity} {amount} EUR",
    ]


def test_card_turnover_costs_a_percentage_and_a_fixed_amount_each(shop: Shop) -> None:
    sub = sell(shop, metered(shop, Percentage("1.5", fixed="0.30"), meter="turnover"))
    for amount in ("50.00", "100.00", "50.00"):
        use(shop, sub, amount, meter="turnover")
    shop.time.advance(to=date(2027, 2, 1))
    # 1.5 % of 200.00, and three payments of 0.30 each
    assert shop.totals() == ["3.90 EUR"]


def test_free_units_that_are_not_used_up_make_no_invoice(shop: Shop) -> None:
    sub = sell(shop, metered(shop, FreeUnits(1000, PerUnit("0.01"))))
    use(shop, sub, 1000)
    shop.time.advance(to=date(2027, 3, 2))
    assert shop.invoices() == []
    assert shop.subscription(sub).items[0].through == date(2027, 3, 1)


def test_a_month_without_usage_makes_no_invoice_and_is_over_all_the_same(shop: Shop) -> None:
    sub = sell(shop, metered(shop, PerUnit("0.01")))
    shop.time.expect().advance(to=date(2027, 4, 15))
    assert shop.invoices() == []
    assert shop.subscription(sub).paid_through == date(2027, 4, 1)


def test_usage_stands_beside_the_fee_of_the_next_month(shop: Shop) -> None:
    fee = shop.price(eur("29.00"), name="Pro")
    sub = sell(shop, fee.id, metered(shop, PerUnit("0.10")))
    use(shop, sub, 70)
    shop.time.advance(to=date(2027, 2, 1))
    assert [billed(invoice) for invoice in shop.invoices()] == [
        ["period 2027-01-01/2027-02-01 1 29.00 EUR"],
        [
            "period 2027-02-01/2027-03-01 1 29.00 EUR",
            "usage 2027-01-01/2027-02-01 70 7.00 EUR",
        ],
    ]


# ---- aggregations ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aggregation", "amount"),
    [
        ("sum", "23.00"),  # 5 + 8 + 7 + 3
        ("max", "8.00"),
        ("last", "3.00"),
    ],
)
def test_each_aggregation_on_an_invoice(shop: Shop, aggregation: str, amount: str) -> None:
    shop.billing.usage.add_meter("calls", aggregation=aggregation)
    sub = sell(shop, metered(shop, PerUnit("1.00")))
    shop.time.advance(to=date(2027, 1, 31))
    for quantity, day in ((5, "03"), (8, "10"), (3, "20"), (7, "15")):
        use(shop, sub, quantity, f"2027-01-{day}")
    shop.time.advance(to=date(2027, 2, 1))
    assert shop.totals() == [f"{amount} EUR"]


@pytest.mark.parametrize(("aggregation", "amount"), [("count", "4.00"), ("unique", "2.00")])
def test_what_is_counted_is_on_an_invoice(shop: Shop, aggregation: str, amount: str) -> None:
    shop.billing.usage.add_meter(
        "calls", aggregation=aggregation, property="user" if aggregation == "unique" else None
    )
    sub = sell(shop, metered(shop, PerUnit("1.00")))
    for user in ("ada", "bob", "ada", "ada"):
        use(shop, sub, 1, user=user)
    shop.time.advance(to=date(2027, 2, 1))
    assert shop.totals() == [f"{amount} EUR"]


def test_seats_are_billed_by_the_days_on_which_they_were_taken(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2027, 4, 1))
    shop.billing.usage.add_meter("seats", aggregation="time_weighted")
    sub = sell(shop, metered(shop, PerUnit("30.00"), meter="seats"))
    use(shop, sub, 2, meter="seats")
    shop.time.advance(to=date(2027, 4, 11))
    use(shop, sub, 5, meter="seats")
    shop.time.advance(to=date(2027, 4, 21))
    use(shop, sub, 1, meter="seats")
    shop.time.advance(to=date(2027, 6, 1))
    # April has 30 days: ten of each, so (2 + 5 + 1) / 3 seats; in May there is one all month.
    assert shop.totals() == ["80.00 EUR", "30.00 EUR"]


def test_a_seat_that_cost_nothing_yet_is_a_seat_in_the_next_month(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2027, 4, 1))
    shop.billing.usage.add_meter("seats", aggregation="time_weighted")
    sub = sell(shop, metered(shop, PerUnit("30.00"), meter="seats"))
    shop.time.advance(to=at("2027-04-30T23:59:59"))
    use(shop, sub, 2, meter="seats")
    shop.time.advance(to=date(2027, 6, 1))
    # One second of April is no cent; all of May is two seats.
    assert shop.totals() == ["60.00 EUR"]


# ---- minimums ----------------------------------------------------------------------------------


def test_a_minimum_is_trued_up_and_more_than_it_costs_what_it_costs(shop: Shop) -> None:
    sub = sell(shop, metered(shop, PerUnit("1.00"), minimum=eur("50.00")))
    use(shop, sub, 20)
    shop.time.advance(to=date(2027, 2, 1))
    use(shop, sub, 60)
    shop.time.advance(to=date(2027, 4, 1))
    assert [billed(invoice) for invoice in shop.invoices()] == [
        [
            "usage 2027-01-01/2027-02-01 20 20.00 EUR",
            "true_up 2027-01-01/2027-02-01 1 30.00 EUR",
        ],
        ["usage 2027-02-01/2027-03-01 60 60.00 EUR"],
        ["true_up 2027-03-01/2027-04-01 1 50.00 EUR"],
    ]


def test_the_minimum_of_a_first_stub_is_its_part(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2027, 4, 21))
    sub = sell(shop, metered(shop, PerUnit("1.00"), minimum=eur("30.00")), align=Calendar())
    use(shop, sub, 4)
    shop.time.advance(to=date(2027, 5, 1))
    # Ten of the 30 days of April: at least 10.00, of which 4.00 were used.
    assert billed(shop.only_invoice()) == [
        "usage 2027-04-21/2027-05-01 4 4.00 EUR",
        "true_up 2027-04-21/2027-05-01 1 6.00 EUR",
    ]


def test_late_usage_does_not_use_up_the_minimum_of_the_month_in_which_it_comes(shop: Shop) -> None:
    sub = sell(shop, metered(shop, PerUnit("1.00"), minimum=eur("50.00")))
    use(shop, sub, 60)
    shop.time.advance(to=date(2027, 2, 10))
    use(shop, sub, 5, "2027-01-31")
    shop.time.advance(to=date(2027, 3, 1))
    assert billed(shop.invoices()[1]) == [
        "late_usage 2027-01-01/2027-02-01 5 5.00 EUR",
        "true_up 2027-02-01/2027-03-01 1 50.00 EUR",
    ]


# ---- late, changed, ended ----------------------------------------------------------------------


def test_late_usage_costs_what_it_adds_in_the_tiers_that_it_really_reached(shop: Shop) -> None:
    sub = sell(shop, metered(shop, Graduated(TIERS)))
    use(shop, sub, 9)
    shop.time.advance(to=date(2027, 2, 10))
    use(shop, sub, 2, "2027-01-30T23:59")
    use(shop, sub, 10)
    shop.time.advance(to=date(2027, 3, 1))
    assert [billed(invoice) for invoice in shop.invoices()] == [
        ["usage 2027-01-01/2027-02-01 9 9.00 EUR"],
        [
            "usage 2027-02-01/2027-03-01 10 10.00 EUR",
            "late_usage 2027-01-01/2027-02-01 2 1.50 EUR",
        ],
    ]


def test_usage_up_to_a_change_is_billed_at_the_old_price_and_after_it_at_the_new(
    shop: Shop,
) -> None:
    old, new = metered(shop, PerUnit("1.00")), metered(shop, PerUnit("3.00"))
    sub = sell(shop, old)
    use(shop, sub, 10)
    shop.time.advance(to=at("2027-01-16T12:00"))
    shop.billing.subscriptions.change(sub.id, swap={old: new})
    use(shop, sub, 4)
    shop.time.advance(to=date(2027, 2, 1))
    amounts = [line.amount for invoice in shop.invoices() for line in invoice.lines]
    assert sorted(str(amount) for amount in amounts) == ["10.00 EUR", "12.00 EUR"]


def test_a_call_before_the_change_that_is_reported_after_it_costs_the_new_price_once(
    shop: Shop,
) -> None:
    old, new = metered(shop, PerUnit("1.00")), metered(shop, PerUnit("3.00"))
    sub = sell(shop, old)
    use(shop, sub, 10)
    shop.time.advance(to=at("2027-01-16T12:00"))
    shop.billing.subscriptions.change(sub.id, swap={old: new})
    use(shop, sub, 2, "2027-01-10")
    shop.time.advance(to=date(2027, 2, 1))
    amounts = [line.amount for invoice in shop.invoices() for line in invoice.lines]
    assert sorted(str(amount) for amount in amounts) == ["10.00 EUR", "6.00 EUR"]


def test_what_was_used_until_a_cancellation_is_billed_with_it(shop: Shop) -> None:
    fee = shop.price(eur("29.00"))
    sub = sell(shop, fee.id, metered(shop, Graduated(TIERS)))
    shop.time.advance(to=at("2027-01-20T15:00"))
    use(shop, sub, 11)
    shop.billing.subscriptions.cancel(sub.id, when="now")
    assert billed(shop.invoices()[-1]) == ["usage 2027-01-01/2027-01-20 11 10.50 EUR"]
    shop.time.expect().advance(months=2)
    assert len(shop.invoices()) == 2


def test_after_a_cancellation_on_a_day_usage_is_taken_until_then_and_billed(shop: Shop) -> None:
    sub = sell(shop, metered(shop, PerUnit("1.00")))
    use(shop, sub, 5)
    shop.billing.subscriptions.cancel(sub.id, when=date(2027, 1, 20))
    shop.time.advance(to=at("2027-01-19T23:59"))
    use(shop, sub, 2)
    shop.time.advance(to=date(2027, 1, 20))
    assert billed(shop.only_invoice()) == ["usage 2027-01-01/2027-01-20 7 7.00 EUR"]


def test_seats_in_arrears_are_billed_when_the_month_is_over(shop: Shop) -> None:
    price = shop.billing.catalog.add_price("Seats", eur("10.00"), every=MONTHLY, arrears=True)
    sub = shop.subscribe(shop.customer(), price, quantity=3)
    assert shop.invoices() == []
    shop.time.expect(InvoiceFinalized).advance(to=date(2027, 2, 1))
    assert shop.periods() == ["2027-01-01/2027-02-01"]
    shop.billing.subscriptions.cancel(sub.id, when=date(2027, 2, 15))
    shop.time.advance(to=date(2027, 3, 1))
    assert shop.totals() == ["30.00 EUR", "15.00 EUR"]  # 14 of 28 days
    assert shop.periods()[1] == "2027-02-01/2027-02-15"


def test_a_yearly_plan_in_arrears_is_billed_when_the_year_is_over(shop: Shop) -> None:
    price = shop.billing.catalog.add_price("Year", eur("365.00"), every=YEARLY, arrears=True)
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=date(2027, 12, 31))
    assert shop.invoices() == []
    shop.time.advance(to=date(2028, 1, 1))
    assert (shop.totals(), shop.periods()) == (["365.00 EUR"], ["2027-01-01/2028-01-01"])
    shop.billing.subscriptions.cancel(sub.id, when="now")
    assert shop.totals() == ["365.00 EUR"]


# ---- thresholds --------------------------------------------------------------------------------


def test_usage_that_comes_to_the_threshold_is_billed_at_once_and_the_rest_at_the_end(
    shop: Shop,
) -> None:
    sub = sell(shop, metered(shop, Graduated(TIERS)), threshold=eur("10.00"))
    shop.time.advance(to=date(2027, 1, 5))
    use(shop, sub, 9)
    assert shop.invoices() == []
    shop.time.advance(to=date(2027, 1, 8))
    use(shop, sub, 3)  # 10.00 and two at 0.50
    assert billed(shop.only_invoice()) == ["usage 2027-01-01/2027-01-09 12 11.00 EUR"]
    assert shop.statuses() == ["paid"]
    (so_far,) = shop.billing.usage.summary(sub.id)
    assert (so_far.amount, so_far.billed_amount) == (eur("11.00"), eur("11.00"))
    use(shop, sub, 8)
    shop.time.expect(UsageBilled, InvoicePaid, InvoicePaid).advance(to=date(2027, 2, 1))
    assert billed(shop.invoices()[1])[0].endswith("4.00 EUR")
    assert sum(invoice.total_minor for invoice in shop.invoices()) == 1500
    # A new month begins with nothing.
    use(shop, sub, 9)
    shop.time.advance(to=date(2027, 2, 2))
    assert len(shop.invoices()) == 2


def test_a_batch_makes_one_check_and_one_invoice(shop: Shop) -> None:
    sub = sell(shop, metered(shop, PerUnit("1.00")), threshold=eur("10.00"))
    shop.time.advance(to=date(2027, 1, 5))
    rows = [Usage(sub.id, "calls", f"b{number}", 1) for number in range(25)]
    assert shop.billing.usage.record_many(rows).recorded == 25
    assert shop.totals() == ["25.00 EUR"]
    assert shop.events(sub.id).count("subscription.usage_check_scheduled") == 1
    assert shop.billing.usage.record_many(rows).known == 25
    assert shop.totals() == ["25.00 EUR"]


def test_in_a_transaction_the_threshold_is_looked_at_after_the_commit(shop: Shop) -> None:
    sub = sell(shop, metered(shop, PerUnit("1.00")), threshold=eur("10.00"))
    with shop.billing.transaction():
        use(shop, sub, 7)
        use(shop, sub, 7)
        assert shop.invoices() == []
    assert shop.totals() == ["14.00 EUR"]


def test_a_threshold_waits_while_nothing_is_invoiced(shop: Shop) -> None:
    sub = sell(shop, metered(shop, PerUnit("1.00")), threshold=eur("10.00"))
    shop.billing.subscriptions.pause(sub.id, invoice=False)
    use(shop, sub, 50)
    shop.time.advance(to=date(2027, 1, 20))
    assert shop.invoices() == []


def test_a_look_that_is_due_in_a_pause_bills_nothing(shop: Shop) -> None:
    sub = sell(shop, metered(shop, PerUnit("1.00")), threshold=eur("10.00"))
    with shop.billing.transaction():
        shop.billing.usage.record(
            sub.id, "calls", event_id="ahead", quantity=50, at=at("2027-01-02T00:00")
        )
        shop.billing.subscriptions.pause(sub.id, invoice=False, at=at("2027-01-01T12:00"))
    shop.time.advance(to=date(2027, 1, 20))
    assert shop.invoices() == []
    assert shop.subscription(sub).usage_check_at is None


def test_what_a_level_will_cost_is_not_billed_before_it_was_held(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2027, 4, 1))
    shop.billing.usage.add_meter("seats", aggregation="time_weighted")
    price = metered(shop, PerUnit("30.00"), meter="seats")
    sub = sell(shop, price, threshold=eur("50.00"))
    use(shop, sub, 6, meter="seats")
    assert shop.invoices() == []
    shop.time.advance(to=at("2027-04-09T12:00"))
    use(shop, sub, 6, meter="seats")  # nothing new: six of them for eight and a half of thirty days
    assert shop.totals() == ["51.00 EUR"]
    shop.time.advance(to=date(2027, 4, 11))
    use(shop, sub, 0, meter="seats")
    shop.time.advance(to=date(2027, 5, 1))
    assert shop.totals() == ["51.00 EUR", "9.00 EUR"]


def seats(shop: Shop, **more: object) -> Subscription:
    """Sell seats at 31.00 a month: in January and March each costs 1.00 a day."""
    shop.billing.usage.add_meter("seats", aggregation="time_weighted")
    price = metered(shop, PerUnit("31.00"), meter="seats")
    return sell(shop, price, threshold=eur("10.00"), **more)


def test_seats_come_to_the_threshold_by_time_alone(shop: Shop) -> None:
    sub = seats(shop)
    use(shop, sub, 1, meter="seats")
    shop.time.advance(to=date(2027, 1, 10))
    assert shop.invoices() == []
    shop.time.advance(to=date(2027, 2, 1))
    assert [billed(invoice)[0] for invoice in shop.invoices()] == [
        "usage 2027-01-01/2027-01-12 0.322580645161 10.00 EUR",
        "usage 2027-01-01/2027-01-22 0.645161290323 10.00 EUR",
        "usage 2027-01-01/2027-02-01 0.967741935484 10.00 EUR",
        "usage 2027-01-01/2027-02-01 1 1.00 EUR",
    ]
    # It goes on in the next month, which is shorter: ten of 28 days.
    shop.time.advance(to=date(2027, 2, 11))
    assert shop.totals()[4:] == ["11.07 EUR"]


def test_late_runs_bill_at_the_threshold_what_runs_in_time_would_have(
    open_a_shop: Opened,
) -> None:
    totals: list[list[str]] = []
    for name in ("daily", "late"):
        shop = open_a_shop(tenant=name)
        sub = seats(shop)
        use(shop, sub, 2, meter="seats")
        if name == "daily":
            for day in range(2, 29):
                shop.time.advance(to=date(2027, 1, day))
        shop.time.advance(to=date(2027, 3, 20))
        totals.append(shop.totals())
    assert totals[0] == totals[1]
    assert len(totals[0]) > 10


@pytest.mark.parametrize("before", ["trial", "pause", "late"])
def test_seats_come_to_the_threshold_though_nothing_was_recorded_since(
    shop: Shop, before: str
) -> None:
    sub = seats(shop, trial_until=date(2027, 3, 1) if before == "trial" else None)
    if before == "late":
        shop.time.advance(to=date(2027, 3, 1))
        use(shop, sub, 1, meter="seats", when="2027-02-28")
    else:
        use(shop, sub, 1, meter="seats")
    if before == "pause":
        shop.billing.subscriptions.pause(sub.id, invoice=False)
        shop.time.advance(to=date(2027, 3, 1))
        shop.billing.subscriptions.resume(sub.id)
    shop.time.advance(to=date(2027, 3, 10))
    assert shop.invoices() == []
    shop.time.advance(to=date(2027, 3, 11))
    assert shop.totals() == ["10.00 EUR"]


def test_nobody_looks_every_day_where_no_level_is_held_or_there_is_no_threshold(
    shop: Shop,
) -> None:
    sub = seats(shop)
    without = sell(shop, sub.items[0].price)
    calls = sell(shop, metered(shop, PerUnit("1.00")), threshold=eur("10.00"))
    use(shop, sub, 1, meter="seats")
    use(shop, without, 1, meter="seats")
    use(shop, calls, 1)
    shop.time.advance(to=date(2027, 1, 4))
    use(shop, sub, 0, meter="seats")
    shop.time.advance(to=date(2027, 2, 15))
    looks = "subscription.usage_check_scheduled"
    checks = [shop.events(each.id).count(looks) for each in (sub, without, calls)]
    # Each look asks for the next one, and the last for none.
    assert checks == [1 + 4 + 2, 0, 2]
    assert shop.subscription(sub).usage_check_at is None


def test_the_minimum_counts_what_was_billed_ahead(shop: Shop) -> None:
    sub = sell(shop, metered(shop, PerUnit("1.00"), minimum=eur("50.00")), threshold=eur("20.00"))
    use(shop, sub, 30)
    assert shop.totals() == ["30.00 EUR"]
    shop.time.advance(to=date(2027, 2, 1))
    assert shop.totals() == ["30.00 EUR", "20.00 EUR"]


def test_what_was_billed_ahead_is_not_billed_again_at_a_change_or_an_end(shop: Shop) -> None:
    old, new = metered(shop, PerUnit("1.00")), metered(shop, PerUnit("2.00"))
    sub = sell(shop, old, threshold=eur("10.00"))
    use(shop, sub, 12)
    use(shop, sub, 3)
    shop.time.advance(to=date(2027, 1, 10))
    shop.billing.subscriptions.change(sub.id, swap={old: new})
    use(shop, sub, 4)
    shop.billing.subscriptions.cancel(sub.id, when="now")
    # 12, then 3 more at 1.00 and 4 at 2.00
    assert sum(invoice.total_minor for invoice in shop.invoices()) == 1200 + 300 + 800


@pytest.mark.parametrize(
    "model",
    [
        Volume(TIERS),
        FreeUnits(5, Volume(TIERS)),
        Stairstep([StairStep(up_to=10, price="5.00"), StairStep(price="50.00")]),
    ],
    ids=["volume", "free_units_of_volume", "stairstep"],
)
def test_a_price_that_depends_on_the_total_is_not_billed_at_a_threshold(
    shop: Shop, model: PriceModel
) -> None:
    good, bad = metered(shop, PerUnit("1.00")), metered(shop, model)
    with pytest.raises(ValidationError) as refused:
        sell(shop, bad, threshold=eur("10.00"))
    assert refused.value.field == "threshold"
    sub = sell(shop, good, threshold=eur("10.00"))
    before = shop.events()
    for when in ("now", date(2027, 3, 1)):
        with pytest.raises(ValidationError):
            shop.billing.subscriptions.change(sub.id, swap={good: bad}, when=when)
    assert shop.events() == before


@pytest.mark.parametrize("threshold", [eur("0.00"), eur("-1.00"), "10.00"])
def test_a_threshold_is_money_above_zero(shop: Shop, threshold: object) -> None:
    price = metered(shop, PerUnit("1.00"))
    with pytest.raises(ValidationError) as refused:
        sell(shop, price, threshold=threshold)
    assert refused.value.field == "threshold"


def test_a_threshold_is_in_the_currency_of_the_prices(shop: Shop) -> None:
    price = metered(shop, PerUnit("1.00"))
    with pytest.raises(CurrencyMismatch):
        sell(shop, price, threshold=Money.of("10.00", "USD"))


SPLITTABLE: tuple[PriceModel, ...] = (
    PerUnit("0.333"),
    Graduated(TIERS),
    Graduated([Tier(up_to=7, unit="0.17", flat="3.00"), Tier(unit="0.0031", flat="1.00")]),
    Package(size=3, price="1.01", free=4),
    FreeUnits(5, PerUnit("0.07")),
    Percentage("1.37", fixed="0.11", free_amount=10, free_events=1),
    Percentage("2.5", minimum="0.10", maximum="0.40"),
    GraduatedPercentage([RateTier(up_to=50, rate="3"), RateTier(rate="1.1")]),
)


@settings(max_examples=60, deadline=None)
@given(
    model=st.sampled_from(SPLITTABLE),
    threshold=st.integers(1, 500),
    used=st.lists(st.tuples(st.integers(0, 27), st.integers(0, 60)), min_size=1, max_size=12),
    minimum=st.sampled_from([0, 0, 2500]),
    host=st.sampled_from(["nothing", "change", "cancel", "pause"]),
    day=st.integers(0, 27),
)
def test_bills_in_parts_come_to_what_one_bill_would_have_been(  # noqa: PLR0917
    model: PriceModel,
    threshold: int,
    used: list[tuple[int, int]],
    minimum: int,
    host: str,
    day: int,
) -> None:
    sums: list[int] = []
    for limit in (None, Money(threshold, eur("1").currency)):
        shop = open_shop(MemoryStorage())
        price = metered(shop, model, minimum=Money(minimum, eur("1").currency))
        other = metered(shop, PerUnit("0.21"))
        sub = sell(shop, price, threshold=limit)
        for moment, quantity in sorted([*used, (day, -1)]):
            shop.time.advance(to=datetime(2027, 1, 1, 9, tzinfo=UTC) + timedelta(days=moment))
            if quantity >= 0:
                use(shop, sub, quantity)
            elif host == "change":
                shop.billing.subscriptions.change(sub.id, swap={price: other})
            elif host == "cancel":
                shop.billing.subscriptions.cancel(sub.id, when="now")
                break
            elif host == "pause":
                shop.billing.subscriptions.pause(sub.id, invoice=False)
                shop.billing.subscriptions.resume(sub.id)
        shop.time.advance(to=date(2027, 2, 1))
        sums.append(sum(invoice.net_minor for invoice in shop.invoices()))
        assert all(invoice.total_minor > 0 for invoice in shop.invoices())
        assert audit(shop) == []
    assert sums[0] == sums[1]


@pytest.mark.parametrize("threshold", [eur("30.00"), eur("70.00")])
def test_a_coupon_takes_the_same_off_a_period_that_is_billed_in_parts(
    shop: Shop, threshold: Money
) -> None:
    half = shop.billing.coupons.create("Half", percent_off=50, duration=Forever())
    price = metered(shop, PerUnit("1.00"))
    sub = sell(shop, price, threshold=threshold, coupons=[half.id])
    use(shop, sub, 80)
    shop.time.advance(to=date(2027, 2, 1))
    assert sum(invoice.total_minor for invoice in shop.invoices()) == 4000


def test_a_decline_of_a_bill_at_a_threshold_is_dunned_like_any_other(shop: Shop) -> None:
    ada = shop.customer(GOOD)
    price = metered(shop, PerUnit("1.00"))
    sub = shop.billing.subscriptions.create(ada.id, [price], threshold=eur("10.00"))
    shop.gateway.decline_next("insufficient_funds")
    use(shop, sub, 12)
    assert shop.statuses() == ["open"]
    assert shop.subscription(sub).status == "past_due"
