"""Monthly recurring revenue, by values computed by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from attrs import evolve

from subscriptions import Billing, Flat, Interval, Money, TaxRate, TaxRates, ValidationError
from subscriptions.billing_cycles import BillingCycle
from subscriptions.catalog import Price
from subscriptions.ids import CustomerId, InvoiceId, PriceId, ProductId, SubscriptionId
from subscriptions.lifecycle import (
    Active,
    Cancellation,
    Collection,
    Contract,
    Current,
    Ended,
    EndReason,
    Item,
    PastDue,
    Scheduled,
    Subscription,
    Trialing,
    Unpaid,
)
from subscriptions.money import Currency
from subscriptions.pricing import PerUnit, PriceModel
from subscriptions.reports.mrr import months_in, mrr, runs
from subscriptions.taxes import TaxBehavior

START, TODAY = date(2027, 1, 31), date(2027, 6, 15)
VAT = TaxRate("19")
RUNNING, CURRENT = Active(START), Current()


def a_price(
    model: PriceModel,
    every: Interval | None,
    *,
    id: str = "p",
    currency: str = "EUR",
    behavior: TaxBehavior = TaxBehavior.EXCLUSIVE,
) -> Price:
    unit = Currency(currency)
    return Price(PriceId(id), "t", 1, ProductId("x"), "Pro", model, unit, every, behavior)


def a_subscription(
    *prices: Price,
    quantity: int | Decimal = 1,
    contract: Contract = RUNNING,
    collection: Collection = CURRENT,
    cancellation: Cancellation | None = None,
) -> Subscription:
    items = tuple(
        Item(each.id, quantity, BillingCycle(START, each.every or Interval.months(1)))
        for each in prices
    )
    return Subscription(
        SubscriptionId("s"),
        "t",
        1,
        CustomerId("c"),
        prices[0].currency,
        "UTC",
        items,
        contract,
        collection,
        cancellation,
    )


def of_one(price: Price, quantity: int | Decimal = 1) -> str:
    found = mrr(
        [a_subscription(price, quantity=quantity)],
        {price.id: price},
        on=TODAY,
        rates_of=lambda _, __: (VAT,),
    )
    return " ".join(map(str, found.values()))


@pytest.mark.parametrize(
    ("amount", "every", "expected"),
    [
        ("29.00", Interval.months(1), "29.00 EUR"),
        ("290.00", Interval.years(1), "24.17 EUR"),  # 24.1666…
        ("87.00", Interval.months(3), "29.00 EUR"),
        ("11.90", Interval.weeks(1), "51.57 EUR"),  # 11.90 × 52 / 12 = 51.5666…
        ("11.90", Interval.weeks(2), "25.78 EUR"),
        ("1.00", Interval.days(1), "30.42 EUR"),  # 365 / 12 = 30.41666…
        ("30.00", Interval.days(30), "30.42 EUR"),
        ("7.00", Interval.days(7), "30.33 EUR"),  # as a week
    ],
)
def test_an_interval_is_brought_to_a_month(amount: str, every: Interval, expected: str) -> None:
    assert of_one(a_price(PerUnit(amount), every)) == expected


def test_units_count_as_often_as_there_are_and_a_flat_price_once() -> None:
    assert of_one(a_price(PerUnit("0.0005"), Interval.months(1)), 1010) == "0.51 EUR"
    assert of_one(a_price(PerUnit("10.00"), Interval.months(1)), Decimal("2.5")) == "25.00 EUR"
    assert of_one(a_price(Flat("10.00"), Interval.months(1)), 7) == "10.00 EUR"


def test_what_is_not_metered_counts_with_its_minimum() -> None:
    quarter = evolve(a_price(PerUnit("10.00"), Interval.months(3)), minimum_minor=4500)
    assert [of_one(quarter, quantity) for quantity in (1, 4, 6)] == [
        "15.00 EUR",
        "15.00 EUR",
        "20.00 EUR",
    ]


def test_usage_does_not_recur_but_what_is_billed_whatever_is_used_does() -> None:
    metered = evolve(a_price(PerUnit("10.00"), Interval.months(1)), meter="calls", arrears=True)
    assert not of_one(metered)
    assert of_one(evolve(metered, minimum_minor=2500)) == "25.00 EUR"


def test_a_price_that_contains_tax_counts_without_it() -> None:
    gross = a_price(PerUnit("119.00"), Interval.months(1), behavior=TaxBehavior.INCLUSIVE)
    assert of_one(gross) == "100.00 EUR"


def test_it_is_rounded_once_at_the_end() -> None:
    third = a_price(PerUnit("1.00"), Interval.months(3))
    subscriptions = [a_subscription(third)] * 3
    found = mrr(subscriptions, {third.id: third}, on=TODAY, rates_of=lambda _, __: (VAT,))
    assert found == {"EUR": Money.of("1.00", "EUR")}


def test_currencies_are_never_added_up() -> None:
    euro = a_price(PerUnit("29.00"), Interval.months(1), id="e")
    yen = a_price(PerUnit(1000), Interval.years(1), id="y", currency="JPY")
    found = mrr(
        [a_subscription(yen), a_subscription(euro)],
        {euro.id: euro, yen.id: yen},
        on=TODAY,
        rates_of=lambda _, __: (VAT,),
    )
    assert [str(each) for each in found.values()] == ["29.00 EUR", "83 JPY"]


def test_items_of_several_intervals_add_up_and_what_is_charged_once_does_not_count() -> None:
    monthly = a_price(PerUnit("29.00"), Interval.months(1), id="m")
    yearly = a_price(PerUnit("120.00"), Interval.years(1), id="y")
    once = a_price(PerUnit("500.00"), None, id="o")
    prices: dict[str, Price] = {each.id: each for each in (monthly, yearly, once)}
    found = mrr(
        [a_subscription(monthly, yearly, once)], prices, on=TODAY, rates_of=lambda _, __: (VAT,)
    )
    assert found == {"EUR": Money.of("39.00", "EUR")}


@pytest.mark.parametrize(
    ("contract", "collection", "cancellation", "counts"),
    [
        (Active(TODAY), Current(), None, True),
        (Active(date(2027, 6, 16)), Current(), None, False),
        (Scheduled(START), Current(), None, False),
        (Trialing(date(2027, 7, 1)), Current(), None, False),
        (Active(START), PastDue((InvoiceId("i"),)), None, True),
        (Active(START), Unpaid((InvoiceId("i"),)), None, False),
        (Active(START), Current(), Cancellation(date(2027, 6, 16)), True),
        (Active(START), Current(), Cancellation(TODAY), False),
        (Ended(datetime(2027, 6, 15, tzinfo=UTC), EndReason.CANCELED), Current(), None, False),
        (Ended(datetime(2027, 6, 16, tzinfo=UTC), EndReason.CANCELED), Current(), None, True),
        (Ended(datetime(2027, 1, 20, tzinfo=UTC), EndReason.CANCELED), Current(), None, False),
    ],
)
def test_who_counts(
    contract: Contract,
    collection: Collection,
    cancellation: Cancellation | None,
    *,
    counts: bool,
) -> None:
    price = a_price(PerUnit("29.00"), Interval.months(1))
    subscription = a_subscription(
        price, contract=contract, collection=collection, cancellation=cancellation
    )
    assert runs(subscription, on=TODAY) is counts


def test_a_year_has_twelve_months_and_fifty_two_weeks() -> None:
    assert months_in(Interval.years(2)) == 24
    assert months_in(Interval.weeks(52)) == 12
    assert months_in(Interval.days(365)) == 12
    assert months_in(Interval.weeks(1)) == Fraction(12, 52)


def test_a_host_asks_for_any_day() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    billing = Billing(clock=lambda: now, taxes=TaxRates({"DE": VAT}))
    net = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    gross = billing.catalog.add_price(
        "Box", Money.of("119.00", "EUR"), every=Interval.years(1), tax_behavior="inclusive"
    )
    ada = billing.customers.create(name="Ada", country="DE")
    billing.payment_methods.attach(ada.id, token="tok_visa")
    first = billing.subscriptions.create(ada.id, [net.id], start=date(2027, 1, 10))
    billing.subscriptions.create(ada.id, [gross.id], start=date(2027, 1, 20))
    trial = date(2027, 3, 1)
    billing.subscriptions.create(ada.id, [net.id], start=date(2027, 2, 1), trial_until=trial)
    assert billing.reports.mrr() == {}
    billing.run(until=date(2027, 4, 1))
    billing.subscriptions.cancel(first.id, when="now", at=datetime(2027, 4, 15, tzinfo=UTC))
    amounts = {
        day: str(billing.reports.mrr(day).get("EUR", ""))
        for day in (
            date(2027, 1, 9),
            date(2027, 1, 10),
            date(2027, 2, 28),
            trial,
            date(2027, 4, 15),
        )
    }
    assert list(amounts.values()) == ["", "29.00 EUR", "37.33 EUR", "66.33 EUR", "37.33 EUR"]
    with pytest.raises(ValidationError, match="on"):
        billing.reports.mrr(now)
