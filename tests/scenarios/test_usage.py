"""Pay for what you use: counted in time, billed in arrears, whatever comes late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from subscriptions import Graduated, PerUnit, Tier
from subscriptions.errors import InvalidTransition
from subscriptions.invoices import Invoice
from subscriptions.lifecycle import Subscription
from subscriptions.pricing import PriceModel
from subscriptions.usage import QuantityRounding, RoundingMode, Usage
from tests.scenarios.shop import MONTHLY, Shop, eur

TIERS = Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.50")])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sell(shop: Shop, meter: str, model: PriceModel) -> Subscription:
    """Sell what a meter counts to somebody, from the first of January on."""
    price = shop.billing.catalog.add_price(
        meter, model, currency="EUR", every=MONTHLY, meter=meter, arrears=True
    )
    return shop.subscribe(shop.customer(), price)


def usage_lines(invoice: Invoice) -> list[tuple[str, str, str]]:
    """Return what each line bills: its period, its quantity, its net amount."""
    return [
        (str(line.period), str(line.quantity), f"{line.net_minor / 100:.2f}")
        for line in invoice.lines
    ]


def test_calls_are_billed_when_the_month_is_over(shop: Shop) -> None:
    shop.billing.usage.add_meter("calls")
    sub = sell(shop, "calls", PerUnit("0.01"))
    shop.time.advance(to=date(2027, 1, 20))
    shop.billing.usage.record(sub.id, "calls", event_id="r1", quantity=500)
    shop.billing.usage.record(sub.id, "calls", event_id="r2", quantity=250)
    assert shop.invoices() == []
    (so_far,) = shop.billing.usage.summary(sub.id)
    assert so_far.amount == eur("7.50")

    shop.time.advance(to=date(2027, 2, 1))
    assert usage_lines(shop.only_invoice()) == [("2027-01-01/2027-02-01", "750", "7.50")]
    (so_far,) = shop.billing.usage.summary(sub.id)
    assert (so_far.count, so_far.amount) == (0, eur("0.00"))


def test_a_month_without_usage_costs_nothing(shop: Shop) -> None:
    shop.billing.usage.add_meter("calls")
    sell(shop, "calls", PerUnit("0.01"))
    shop.time.advance(to=date(2027, 2, 1))
    assert sum(invoice.total_minor for invoice in shop.invoices()) == 0


def test_a_call_that_is_reported_late_is_on_the_next_invoice_under_its_own_month(
    shop: Shop,
) -> None:
    shop.billing.usage.add_meter("calls")
    sub = sell(shop, "calls", TIERS)
    shop.time.advance(to=date(2027, 1, 20))
    shop.billing.usage.record(sub.id, "calls", event_id="r1", quantity=9)
    shop.time.advance(to=date(2027, 2, 10))
    shop.billing.usage.record(
        sub.id, "calls", event_id="r2", quantity=2, occurred_at=at("2027-01-31T23:00")
    )
    shop.billing.usage.record(sub.id, "calls", event_id="r3", quantity=3)
    shop.time.advance(to=date(2027, 3, 1))
    january, february = shop.invoices()
    assert usage_lines(january) == [("2027-01-01/2027-02-01", "9", "9.00")]
    assert sorted(usage_lines(february)) == [
        ("2027-01-01/2027-02-01", "2", "1.50"),  # the tenth call for 1.00, the eleventh for 0.50
        ("2027-02-01/2027-03-01", "3", "3.00"),
    ]
    shop.time.advance(to=date(2027, 4, 1))
    assert sum(invoice.total_minor for invoice in shop.invoices()) == 900 + 150 + 300


def test_a_log_that_is_sent_twice_is_billed_once(shop: Shop) -> None:
    shop.billing.usage.add_meter("calls", aggregation="count")
    sub = sell(shop, "calls", PerUnit("0.10"))
    shop.time.advance(to=date(2027, 1, 20))

    def log() -> Iterator[Usage]:
        for number in range(30):
            yield Usage(
                sub.id, "calls", f"r{number}", 1, at("2027-01-05") + timedelta(hours=number)
            )

    assert shop.billing.usage.record_many(log()).recorded == 30
    assert shop.billing.usage.record_many(log()).known == 30
    shop.time.advance(to=date(2027, 2, 1))
    assert shop.only_invoice().total == eur("3.00")


def test_seats_are_the_people_who_came(shop: Shop) -> None:
    shop.billing.usage.add_meter("users", aggregation="unique", property="user")
    sub = sell(shop, "users", PerUnit("5.00"))
    shop.time.advance(to=date(2027, 1, 20))
    for number, user in enumerate(["ada", "bob", "ada", "eve", "bob"]):
        shop.billing.usage.record(sub.id, "users", event_id=f"r{number}", properties={"user": user})
    shop.time.advance(to=date(2027, 2, 1))
    assert shop.only_invoice().total == eur("15.00")


def test_only_what_passes_the_filters_is_billed(shop: Shop) -> None:
    shop.billing.usage.add_meter("calls", filters={"status": ["ok"]})
    sub = sell(shop, "calls", PerUnit("1.00"))
    shop.time.advance(to=date(2027, 1, 20))
    for number, status in enumerate(["ok", "failed", "ok"]):
        shop.billing.usage.record(
            sub.id, "calls", event_id=f"r{number}", properties={"status": status}
        )
    shop.time.advance(to=date(2027, 2, 1))
    assert shop.only_invoice().total == eur("2.00")


def test_storage_is_billed_by_how_long_how_much_was_kept(shop: Shop) -> None:
    up = QuantityRounding(RoundingMode.UP)
    shop.billing.usage.add_meter("gigabytes", aggregation="time_weighted", rounding=up)
    sub = sell(shop, "gigabytes", PerUnit("0.10"))
    shop.time.advance(to=date(2027, 1, 31))
    shop.billing.usage.record(
        sub.id, "gigabytes", event_id="r1", quantity=310, occurred_at=at("2027-01-22")
    )
    shop.time.advance(to=date(2027, 3, 1))
    january, february = shop.invoices()
    assert january.total == eur("10.00")  # 310 for ten of 31 days
    assert february.total == eur("31.00")  # and all of the next month, for nobody changed it


def test_usage_of_a_trial_is_free_unless_the_price_says_otherwise(shop: Shop) -> None:
    for name, billed in (("free", False), ("billed", True)):
        shop.billing.usage.add_meter(name)
        price = shop.billing.catalog.add_price(
            name,
            PerUnit("1.00"),
            currency="EUR",
            every=MONTHLY,
            meter=name,
            arrears=True,
            trial_usage_billed=billed,
        )
        customer = shop.customer(name=name)
        shop.subscribe(customer, price, trial_until=date(2027, 1, 15))
    free, billed_too = shop.billing.subscriptions.list().items
    shop.time.advance(to=date(2027, 1, 10))
    for sub, meter in ((free, "free"), (billed_too, "billed")):
        shop.billing.usage.record(sub.id, meter, event_id=f"{meter}1", quantity=7)
    shop.time.advance(to=date(2027, 1, 20))
    for sub, meter in ((free, "free"), (billed_too, "billed")):
        shop.billing.usage.record(sub.id, meter, event_id=f"{meter}2", quantity=2)
    shop.time.advance(to=date(2027, 2, 15))
    totals = {invoice.customer: invoice.total for invoice in shop.invoices()}
    assert totals == {free.customer: eur("2.00"), billed_too.customer: eur("9.00")}


def test_final_usage_is_billed_when_it_is_cancelled_and_then_no_more_is_taken(shop: Shop) -> None:
    shop.billing.usage.add_meter("calls")
    sub = sell(shop, "calls", PerUnit("1.00"))
    shop.time.advance(to=date(2027, 1, 20))
    shop.billing.usage.record(sub.id, "calls", event_id="r1", quantity=12)
    shop.billing.subscriptions.cancel(sub.id, when="now")
    assert [invoice.total for invoice in shop.invoices()] == [eur("12.00")]
    with pytest.raises(InvalidTransition):
        shop.billing.usage.record(sub.id, "calls", event_id="r2")
