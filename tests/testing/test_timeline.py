"""The timeline that hosts use in their tests: where time is, what happened, and what it says."""

from __future__ import annotations

import pickle
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from subscriptions import Address, Billing, Interval, Money, Seller, TaxRate, TaxRates
from subscriptions.decisions import RecordParked
from subscriptions.errors import ValidationError
from subscriptions.gateways.fake import FakeGateway
from subscriptions.invoices import InvoiceFinalized, InvoicePaid
from subscriptions.lifecycle import SubscriptionStarted
from subscriptions.payments import PaymentFailed, PaymentSucceeded
from subscriptions.testing import TestClock, Timeline, counting_ids, timeline

GOOD = "tok_visa"
BERLIN = Seller("Acme GmbH", zone="Europe/Berlin")


def a_billing(
    clock: TestClock, gateway: FakeGateway | None = None, *, seller: Seller | None = None
) -> Billing:
    return Billing(clock=clock, gateways={"card": gateway or FakeGateway()}, seller=seller)


def subscribe(billing: Billing, token: str = GOOD, *, start: date | None = None) -> str:
    price = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    ada = billing.customers.create(name="Ada", country="DE")
    billing.payment_methods.attach(ada.id, token)
    billing.subscriptions.create(ada.id, [price.id], start=start)
    return ada.id


@pytest.fixture
def clock() -> TestClock:
    return TestClock(date(2027, 1, 1))


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def billing(clock: TestClock, gateway: FakeGateway) -> Billing:
    return a_billing(clock, gateway)


# ---- the story of the documentation -----------------------------------------------------------


def test_a_failed_card_is_recovered(billing: Billing, gateway: FakeGateway) -> None:
    time = Timeline(billing, start=date(2027, 1, 1))
    ada = subscribe(billing)
    time.expect(InvoicePaid).advance()
    gateway.decline_next("insufficient_funds")
    time.expect(InvoiceFinalized, PaymentFailed).advance(months=1)
    billing.payment_methods.attach(ada, token="tok_mastercard", default=True)
    time.expect(PaymentSucceeded, InvoicePaid).advance(hours=1)


# ---- where time is ----------------------------------------------------------------------------


def test_it_begins_at_the_clocks_time_or_where_it_is_told(clock: TestClock) -> None:
    assert Timeline(a_billing(clock)).now == datetime(2027, 1, 1, tzinfo=UTC)
    told = Timeline(a_billing(clock), start=datetime(2027, 5, 1, 8, 30, tzinfo=UTC))
    assert told.now == clock.now == datetime(2027, 5, 1, 8, 30, tzinfo=UTC)


def test_a_date_is_its_first_instant_in_the_sellers_zone(clock: TestClock) -> None:
    time = Timeline(a_billing(clock, seller=BERLIN), start=date(2027, 1, 1))
    assert time.now == clock.now == datetime(2026, 12, 31, 23, tzinfo=UTC)
    time.advance(to=date(2027, 7, 1))
    assert time.now == datetime(2027, 6, 30, 22, tzinfo=UTC)


def test_days_and_longer_move_the_calendar_hours_the_clock(clock: TestClock) -> None:
    # On 28 March 2027 Berlin's clocks go forward: that day has 23 hours.
    time = Timeline(a_billing(clock, seller=BERLIN), start=date(2027, 3, 28))
    time.advance(days=1)
    assert time.now == datetime(2027, 3, 28, 22, tzinfo=UTC)
    time = Timeline(a_billing(clock, seller=BERLIN), start=date(2027, 3, 28))
    time.advance(hours=24)
    assert time.now == datetime(2027, 3, 28, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("by", "now"),
    [
        ({"years": 1}, datetime(2028, 1, 31, tzinfo=UTC)),
        ({"months": 1}, datetime(2027, 2, 28, tzinfo=UTC)),
        ({"weeks": 2}, datetime(2027, 2, 14, tzinfo=UTC)),
        ({"days": 1}, datetime(2027, 2, 1, tzinfo=UTC)),
        ({"hours": 1.5}, datetime(2027, 1, 31, 1, 30, tzinfo=UTC)),
        ({"minutes": 5}, datetime(2027, 1, 31, 0, 5, tzinfo=UTC)),
        ({"months": 1, "days": -1, "hours": 2}, datetime(2027, 2, 27, 2, tzinfo=UTC)),
        ({}, datetime(2027, 1, 31, tzinfo=UTC)),
    ],
    ids=["years", "months", "weeks", "days", "hours", "minutes", "several", "none"],
)
def test_how_far(clock: TestClock, by: timeline.By, now: datetime) -> None:
    time = Timeline(a_billing(clock), start=date(2027, 1, 31))
    time.advance(**by)
    assert time.now == clock.now == now


@pytest.mark.parametrize(
    "by",
    [
        {"days": -1},
        {"to": date(2026, 12, 31)},
        {"to": date(2027, 2, 1), "days": 1},
        {"to": datetime(2027, 2, 1)},  # noqa: DTZ001 - that is the mistake
        {"to": "2027-02-01"},
    ],
    ids=["back", "to the past", "twice", "naive", "a text"],
)
def test_where_time_does_not_go(billing: Billing, clock: TestClock, by: timeline.By) -> None:
    time = Timeline(billing)
    with pytest.raises(ValidationError) as refused:
        time.advance(**by)
    assert refused.value.field == "to"
    assert time.now == clock.now == datetime(2027, 1, 1, tzinfo=UTC)


def test_commands_happen_at_the_timelines_time(billing: Billing) -> None:
    time = Timeline(billing)
    time.advance(days=40)
    ada = subscribe(billing)
    (invoice,) = billing.invoices.list(customer=ada)
    assert invoice.finalized_at == time.now == datetime(2027, 2, 10, tzinfo=UTC)


def test_with_another_clock_commands_are_told_the_time() -> None:
    billing = Billing(clock=lambda: datetime(2027, 1, 1, tzinfo=UTC))
    time = Timeline(billing)
    time.advance(days=10)
    ada = billing.customers.create(name="Ada", at=time.now)
    (created,) = billing.events.list(subject=ada.id)
    assert created.at == datetime(2027, 1, 11, tzinfo=UTC)


def test_the_gateway_is_told_the_time_but_not_before_it_comes(
    billing: Billing, gateway: FakeGateway
) -> None:
    time = Timeline(billing)
    subscribe(billing, token="tok_sepa_debit")
    time.advance(days=9)
    assert gateway.now == time.now
    (payment,) = billing.payments.list()
    events = list(billing.events.list(subject=payment.id))
    # Five days it took; nobody knew on the first.
    assert events[-1].at == datetime(2027, 1, 6, tzinfo=UTC)


# ---- what happened ----------------------------------------------------------------------------


def test_what_happened_is_returned_once(billing: Billing) -> None:
    time = Timeline(billing)
    subscribe(billing, start=date(2027, 1, 31))
    happened = time.advance(to=date(2027, 2, 1))
    assert happened == tuple(event.body for event in billing.events.list())
    assert time.advance() == ()
    assert time.expect().advance() == ()


def test_what_was_before_the_timeline_does_not_count(billing: Billing) -> None:
    subscribe(billing)
    assert Timeline(billing).advance() == ()


def test_more_events_than_fit_on_a_page_are_all_seen(billing: Billing) -> None:
    time = Timeline(billing)
    seen = 0
    for _ in range(7):
        for n in range(33):
            billing.customers.create(name=f"Customer {n}")
        seen += len(time.advance())
        assert time.advance() == ()
    assert seen == 7 * 33 == len([*billing.events.list()])


def test_an_expectation_counts_every_event_of_the_types_it_names(billing: Billing) -> None:
    time = Timeline(billing)
    subscribe(billing)
    with pytest.raises(AssertionError):
        time.expect(InvoicePaid).advance(months=1)
    subscribe(billing)
    time.expect(InvoicePaid).advance()


def test_an_expectation_is_in_order(billing: Billing) -> None:
    time = Timeline(billing)
    subscribe(billing)
    with pytest.raises(AssertionError):
        time.expect(InvoicePaid, InvoiceFinalized).advance()
    subscribe(billing)
    time.expect(SubscriptionStarted, InvoiceFinalized, InvoicePaid).advance()


def test_other_events_may_happen_but_no_bad_news(billing: Billing) -> None:
    time = Timeline(billing)
    subscribe(billing, token="tok_insufficient_funds")
    with pytest.raises(AssertionError, match="PaymentFailed"):
        time.expect(InvoiceFinalized).advance()
    subscribe(billing, token="tok_insufficient_funds")
    with pytest.raises(AssertionError, match="none of these and no bad news"):
        time.expect().advance()
    subscribe(billing, token="tok_insufficient_funds")
    time.expect(InvoiceFinalized, PaymentFailed).advance()


def test_a_parked_record_is_bad_news(clock: TestClock, caplog: pytest.LogCaptureFixture) -> None:
    billing = Billing(clock=clock, taxes=TaxRates({"GB": TaxRate("20")}))
    time = Timeline(billing)
    ada = subscribe(billing, start=date(2027, 1, 2))
    with pytest.raises(AssertionError, match="RecordParked"):
        time.expect().advance(days=2)
    billing.customers.update(ada, address=Address(country="GB"))
    (sub,) = billing.subscriptions.list()
    billing.unpark("subscription", sub.id)
    time.expect(InvoicePaid).advance()
    assert RecordParked in timeline.BAD_NEWS


def test_a_broken_expectation_lists_everything_that_happened(billing: Billing) -> None:
    time = Timeline(billing)
    subscribe(billing, token="tok_lost_card", start=date(2027, 1, 31))
    with pytest.raises(AssertionError) as broken:
        time.expect(InvoiceFinalized, InvoicePaid).advance(months=1)
    lines = str(broken.value).splitlines()
    assert lines[:3] == [
        "expected: InvoiceFinalized, InvoicePaid",
        "happened: InvoiceFinalized, PaymentFailed",
        "Everything since the last advance:",
    ]
    assert len(lines) == 3 + len([*billing.events.list()])
    marked = [line for line in lines if line.startswith(" > ")]
    assert [re.sub(r"\(.*", "", line) for line in marked] == [
        " > 2027-01-31 00:00:00+00:00  InvoiceFinalized",
        " > 2027-01-31 00:00:00+00:00  PaymentFailed",
    ]


def test_a_broken_expectation_of_nothing_says_that_there_was_nothing(billing: Billing) -> None:
    with pytest.raises(AssertionError) as broken:
        Timeline(billing).expect(InvoicePaid).advance(days=1)
    assert str(broken.value).splitlines() == [
        "expected: InvoicePaid",
        "happened: none of these and no bad news",
        "There were no events at all.",
    ]


def test_a_broken_expectation_has_moved_time_all_the_same(
    billing: Billing, clock: TestClock
) -> None:
    time = Timeline(billing)
    with pytest.raises(AssertionError):
        time.expect(InvoicePaid).advance(days=1)
    assert time.now == clock.now == datetime(2027, 1, 2, tzinfo=UTC)


# ---- the clock and the ids ----------------------------------------------------------------------


def test_a_clock_stands_still_until_it_is_moved() -> None:
    clock = TestClock(datetime(2027, 1, 1, 9, tzinfo=UTC))
    assert clock() == clock() == datetime(2027, 1, 1, 9, tzinfo=UTC)
    clock.now += timedelta(hours=1)
    assert clock() == datetime(2027, 1, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("start", [datetime(2027, 1, 1), "2027-01-01", None])  # noqa: DTZ001
def test_a_clock_is_told_an_instant_or_a_date(start: object) -> None:
    with pytest.raises(ValidationError) as refused:
        TestClock(start)  # type: ignore[arg-type]
    assert refused.value.field == "start"


def test_ids_count_and_are_the_same_in_every_run() -> None:
    def some() -> list[str]:
        ids = counting_ids()
        return [ids.fresh("cus"), ids.secret(), ids.fresh("cus"), ids.fresh("inv"), ids.secret()]

    assert some() == some()
    assert len(set(some())) == 5
    assert all(len(secret) >= 26 and secret.isascii() for secret in (some()[1], some()[4]))


def test_ids_of_two_processes_do_not_clash_and_a_pickled_source_goes_on() -> None:
    one, two = counting_ids("a"), counting_ids("b")
    assert one.fresh("cus") == "cus_a_000001" != two.fresh("cus")
    assert pickle.loads(pickle.dumps(one)).fresh("cus") == "cus_a_000002"  # noqa: S301


def test_secrets_do_not_come_again() -> None:
    ids = counting_ids()
    secrets = [ids.secret() for _ in range(1000)]
    assert len(set(secrets)) == 1000


def test_the_kit_uses_only_what_a_host_may_use() -> None:
    text = Path(timeline.__file__).read_text(encoding="utf-8")
    private = re.findall(r"(?<!self)\._(?!_)\w+", text)
    assert private == []
    assert "sleep" not in text.replace("Nothing here sleeps", "")
    assert "datetime.now" not in text
