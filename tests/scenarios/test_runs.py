"""Runs: once or twice, at once or bit by bit, with a record that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from attrs import evolve

from subscriptions import (
    Address,
    Interval,
    MemoryStorage,
    NotFound,
    StorageError,
    TaxRate,
    TaxRates,
    ValidationError,
)
from subscriptions.decisions import RecordParked, RecordUnparked
from subscriptions.invoices import InvoiceFinalized, InvoicePaid
from tests.scenarios.shop import Shop, audit, eur, open_shop

Opened = Callable[..., Shop]


def _ten_customers(shop: Shop) -> None:
    prices = [shop.price(every=every) for every in (Interval.weeks(2), Interval.months(1))]
    tokens = [
        "tok_visa",
        "tok_insufficient_funds",
        "tok_insufficient_funds_twice",
        "tok_lost_card",
        "tok_sepa_debit",
        "tok_sepa_debit_returned",
        "tok_requires_action",
        "tok_timeout_executed",
        "tok_timeout_not_executed",
        None,
    ]
    for day, token in enumerate(tokens, start=1):
        shop.subscribe(shop.customer(token), prices[day % 2], start=date(2027, 1, 3 * day))


UNTIL = datetime(2027, 4, 1, tzinfo=UTC)


def test_a_second_run_does_nothing(shop: Shop) -> None:
    _ten_customers(shop)
    shop.billing.run(until=UNTIL)
    before = shop.events()
    report = shop.billing.run(until=UNTIL)
    assert shop.events() == before
    assert (report.days, sum(report.events.values()), report.parked) == (0, 0, [])


@pytest.mark.parametrize("step", [timedelta(days=1), timedelta(days=31), timedelta(hours=17)])
def test_bit_by_bit_makes_the_same_documents_as_at_once(step: timedelta) -> None:
    at_once, bit_by_bit = open_shop(MemoryStorage()), open_shop(MemoryStorage())
    for shop in (at_once, bit_by_bit):
        _ten_customers(shop)
    at_once.billing.run(until=UNTIL)
    now = bit_by_bit.time.now
    while now < UNTIL:
        now = min(now + step, UNTIL)
        bit_by_bit.billing.run(until=now)
    # Everything is equal: numbers, hashes, lines, payments, events and their times.
    assert bit_by_bit.invoices() == at_once.invoices()
    assert bit_by_bit.payments() == at_once.payments()
    assert [*bit_by_bit.billing.events.list()] == [*at_once.billing.events.list()]
    assert audit(at_once) == []


def test_memory_and_database_make_the_same_documents(shop: Shop) -> None:
    reference = open_shop(MemoryStorage())
    for each in (reference, shop):
        _ten_customers(each)
        each.billing.run(until=UNTIL)
    assert shop.invoices() == reference.invoices()
    assert shop.payments() == reference.payments()
    assert [*shop.billing.events.list()] == [*reference.billing.events.list()]


def test_a_clock_that_moves_back_creates_nothing_and_reverses_nothing(shop: Shop) -> None:
    shop.subscribe(shop.customer())
    shop.time.advance(months=2)
    before, invoices = shop.events(), shop.invoices()
    shop.clock.now = datetime(2027, 1, 15, tzinfo=UTC)
    shop.billing.run()
    shop.billing.run(until=date(2027, 2, 10))
    assert shop.events() == before
    assert shop.invoices() == invoices
    shop.billing.run(until=date(2027, 4, 1))
    assert len(shop.invoices()) == 4


def test_without_an_end_a_run_does_what_is_due_now(shop: Shop) -> None:
    shop.subscribe(shop.customer(), start=date(2027, 2, 1))
    shop.billing.run()
    assert shop.invoices() == []
    shop.clock.now = datetime(2027, 2, 1, tzinfo=UTC)
    assert shop.billing.run().until == shop.clock.now
    assert shop.statuses() == ["paid"]


def test_a_date_is_run_to_the_end_of_its_day_in_the_sellers_zone(shop: Shop) -> None:
    tokyo, angeles = shop.customer(zone="Asia/Tokyo"), shop.customer(zone="America/Los_Angeles")
    for customer in (tokyo, angeles):
        shop.subscribe(customer, start=date(2027, 2, 1))
    shop.billing.run(until=date(2027, 1, 31))
    assert (len(shop.invoices(tokyo)), len(shop.invoices(angeles))) == (1, 0)
    shop.billing.run(until=date(2027, 2, 1))
    assert (len(shop.invoices(tokyo)), len(shop.invoices(angeles))) == (1, 1)


def test_a_record_that_fails_is_parked_and_the_others_go_on(
    open_a_shop: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    shop = open_a_shop(taxes=TaxRates({"DE": TaxRate("19")}))
    pro = shop.price(eur("100.00"))
    abroad = shop.customer(country="FR")  # no rate is known for France
    failing = shop.subscribe(abroad, pro, start=date(2027, 1, 10))
    others = [shop.subscribe(shop.customer(), pro, start=date(2027, 1, 10)) for _ in range(3)]
    with caplog.at_level(logging.CRITICAL, logger="subscriptions"):
        shop.time.expect(RecordParked).advance(to=date(2027, 1, 11))
    assert len(shop.invoices()) == 3
    parked = shop.subscription(failing)
    assert parked.parked is not None
    assert "country" in parked.parked
    assert parked.status == "scheduled"
    assert [shop.subscription(each).status for each in others] == ["active"] * 3
    # It stays aside, and costs nobody anything.
    shop.time.expect(*[InvoiceFinalized] * 3).advance(months=1)
    shop.billing.customers.update(abroad.id, address=Address(country="DE"))
    shop.billing.unpark("subscription", failing.id)
    shop.time.expect(RecordUnparked, InvoicePaid, InvoicePaid).advance()
    assert len(shop.invoices(abroad)) == 2
    assert shop.subscription(failing).parked is None


def test_a_run_reports_what_it_parked(
    open_a_shop: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    shop = open_a_shop(taxes=TaxRates({"DE": TaxRate("19")}))
    failing = shop.subscribe(shop.customer(country="FR"), start=date(2027, 1, 10))
    with caplog.at_level(logging.CRITICAL, logger="subscriptions"):
        report = shop.billing.run(until=date(2027, 1, 10))
    (parked,) = report.parked
    assert (parked.kind, parked.id) == ("subscription", failing.id)
    assert parked.reason.startswith("ValidationError: country: ")
    assert shop.billing.run(until=date(2027, 12, 31)).parked == []


def test_what_is_still_wrong_is_parked_again(
    open_a_shop: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    shop = open_a_shop(taxes=TaxRates({"DE": TaxRate("19")}))
    failing = shop.subscribe(shop.customer(country="FR"), start=date(2027, 1, 10))
    with caplog.at_level(logging.CRITICAL, logger="subscriptions"):
        shop.time.advance(months=1)
        shop.billing.unpark("subscription", failing.id)
        shop.time.expect(RecordUnparked, RecordParked).advance()
    assert shop.subscription(failing).parked is not None


def test_only_a_parked_record_can_be_unparked(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer())
    with pytest.raises(ValidationError):
        shop.billing.unpark("subscription", sub.id)
    with pytest.raises(ValidationError):
        shop.billing.unpark("unicorn", sub.id)
    with pytest.raises(NotFound):
        shop.billing.unpark("subscription", "sub_unknown")


def test_a_gateway_that_is_no_longer_configured_parks_what_needs_it(
    open_a_shop: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    shop = open_a_shop()
    ada = shop.customer()
    sub = shop.subscribe(ada, start=date(2027, 2, 1))
    gateways = shop.billing.engine.gateways
    without = evolve(shop.billing.engine, gateways={"transfer": gateways["transfer"]})
    shop.billing.subscriptions = type(shop.billing.subscriptions)(without)
    shop.billing.engine = without
    with caplog.at_level(logging.CRITICAL, logger="subscriptions"):
        report = shop.billing.run(until=date(2027, 2, 1))
    assert [each.id for each in report.parked] == [sub.id]
    assert shop.invoices() == []


def test_the_order_of_customers_does_not_matter() -> None:
    def totals(names: list[str]) -> dict[str, list[tuple[str, str, str]]]:
        shop = open_shop(MemoryStorage())
        tokens = {"Ada": "tok_visa", "Bob": "tok_insufficient_funds_twice", "Cy": "tok_lost_card"}
        customers = {name: shop.customer(tokens[name], name=name) for name in names}
        for customer in customers.values():
            shop.subscribe(customer, start=date(2027, 1, 31))
        shop.billing.run(until=UNTIL)
        return {
            name: [(str(i.period), str(i.total), i.status.value) for i in shop.invoices(customer)]
            for name, customer in sorted(customers.items())
        }

    assert totals(["Ada", "Bob", "Cy"]) == totals(["Cy", "Bob", "Ada"])


def test_a_run_does_not_begin_inside_a_transaction(shop: Shop) -> None:
    with pytest.raises(StorageError), shop.billing.transaction():
        shop.billing.run()
