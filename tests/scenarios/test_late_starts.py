"""Starts in the past and runs that come late: what is billed then, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from subscriptions import Graduated, Interval, PerUnit, Tier, ValidationError
from subscriptions.alignment import Calendar
from subscriptions.billing_cycles import local_date
from subscriptions.catalog import Price
from subscriptions.lifecycle import Subscription
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]


@pytest.fixture
def summer(open_a_shop: Opened) -> Shop:
    """A shop that opens on the tenth of June."""
    return open_a_shop(start=date(2027, 6, 10))


def metered(shop: Shop) -> Price:
    shop.billing.usage.add_meter("calls")
    tiers = Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.50")])
    return shop.billing.catalog.add_price(
        "Calls", tiers, currency="EUR", every=MONTHLY, meter="calls"
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def documents(shop: Shop) -> list[tuple[str, str, str]]:
    return [
        (str(invoice.issued_on), str(line.period), str(line.amount))
        for invoice in shop.invoices()
        for line in invoice.lines
    ]


def test_a_backdated_start_bills_each_period_on_its_day(summer: Shop) -> None:
    summer.subscribe(summer.customer(), start=date(2027, 4, 1))
    summer.time.advance()
    assert documents(summer) == [
        ("2027-04-01", "2027-04-01/2027-05-01", "29.00 EUR"),
        ("2027-05-01", "2027-05-01/2027-06-01", "29.00 EUR"),
        ("2027-06-01", "2027-06-01/2027-07-01", "29.00 EUR"),
    ]


def test_a_backdated_start_with_usage_bills_it_in_the_months_in_which_it_was_used(
    summer: Shop,
) -> None:
    sub = summer.billing.subscriptions.create(
        summer.customer().id, [metered(summer).id], start=date(2027, 4, 1)
    )
    record = summer.billing.usage.record
    for number, (day, quantity) in enumerate(
        [("2027-04-03", 9), ("2027-04-30", 4), ("2027-05-01", 11), ("2027-06-09", 2)]
    ):
        record(sub.id, "calls", event_id=f"e{number}", quantity=quantity, occurred_at=at(day))
    summer.time.advance()
    assert documents(summer) == [
        ("2027-05-01", "2027-04-01/2027-05-01", "11.50 EUR"),
        ("2027-06-01", "2027-05-01/2027-06-01", "10.50 EUR"),
    ]
    summer.time.advance(to=date(2027, 7, 1))
    assert documents(summer)[2:] == [("2027-07-01", "2027-06-01/2027-07-01", "2.00 EUR")]


def test_usage_before_the_start_is_refused(summer: Shop) -> None:
    sub = summer.billing.subscriptions.create(
        summer.customer().id, [metered(summer).id], start=date(2027, 4, 1)
    )
    with pytest.raises(ValidationError) as refused:
        summer.billing.usage.record(
            sub.id, "calls", event_id="e1", occurred_at=at("2027-03-31T23:59:59")
        )
    assert refused.value.field == "occurred_at"


def test_a_backdated_trial_that_is_over_was_a_trial(summer: Shop) -> None:
    summer.subscribe(summer.customer(), start=date(2027, 5, 1), trial_until=date(2027, 5, 15))
    summer.time.advance()
    assert documents(summer) == [("2027-05-15", "2027-05-15/2027-06-15", "29.00 EUR")]


def test_a_backdated_start_in_a_calendar_begins_with_a_stub(summer: Shop) -> None:
    price = summer.price(eur("30.00"))
    summer.billing.subscriptions.create(
        summer.customer().id, [price.id], start=date(2027, 4, 21), align=Calendar()
    )
    summer.time.advance()
    assert [(period, amount) for _, period, amount in documents(summer)] == [
        ("2027-04-21/2027-05-01", "10.00 EUR"),
        ("2027-05-01/2027-06-01", "30.00 EUR"),
        ("2027-06-01/2027-07-01", "30.00 EUR"),
    ]


def test_a_backdated_year_in_arrears_is_billed_at_its_end(summer: Shop) -> None:
    price = summer.billing.catalog.add_price("Year", eur("365.00"), every=YEARLY, arrears=True)
    summer.subscribe(summer.customer(), price, start=date(2026, 6, 1))
    summer.time.advance()
    assert documents(summer) == [("2027-06-01", "2026-06-01/2027-06-01", "365.00 EUR")]


def test_all_that_was_missed_comes_on_one_invoice_where_that_is_asked_for(summer: Shop) -> None:
    price, ada = summer.price(), summer.customer()
    summer.billing.subscriptions.create(
        ada.id, [price.id], start=date(2027, 4, 1), catch_up="together"
    )
    summer.time.advance()
    invoice = summer.only_invoice()
    assert [str(line.period) for line in invoice.lines] == [
        "2027-04-01/2027-05-01",
        "2027-05-01/2027-06-01",
        "2027-06-01/2027-07-01",
    ]
    assert invoice.total == eur("87.00")


def test_what_was_missed_is_given_away_where_that_is_asked_for(summer: Shop) -> None:
    price, ada = summer.price(), summer.customer()
    summer.billing.subscriptions.create(ada.id, [price.id], start=date(2027, 4, 1), catch_up="skip")
    summer.time.advance()
    assert summer.periods() == ["2027-06-01/2027-07-01"]


def test_seats_go_on_where_the_months_before_were_given_away(summer: Shop) -> None:
    summer.billing.usage.add_meter("seats", aggregation="time_weighted")
    price = summer.billing.catalog.add_price(
        "Seats", PerUnit("30.00"), currency="EUR", every=MONTHLY, meter="seats"
    )
    sub = summer.billing.subscriptions.create(
        summer.customer().id, [price.id], start=date(2027, 6, 1), catch_up="skip"
    )
    summer.billing.usage.record(sub.id, "seats", event_id="e1", quantity=2)
    summer.clock.now = at("2027-10-10T00:00")  # nothing ran all summer
    summer.gateway.at(summer.clock.now)
    summer.billing.run()
    summer.time.advance(to=date(2027, 11, 1))
    # October, or September and October, are billed; there were two seats all the time.
    assert summer.totals() != []
    assert set(summer.totals()) == {"60.00 EUR"}


def test_more_than_the_bound_waits_for_a_person(summer: Shop) -> None:
    ada = summer.customer()
    sub: Subscription = summer.subscribe(ada, summer.price(every=Interval.weeks(1)))
    summer.clock.now = at("2028-06-10T00:00")
    summer.gateway.at(summer.clock.now)
    report = summer.billing.run()
    assert [parked.id for parked in report.parked] == [sub.id]
    assert len(summer.invoices()) == 1
    summer.billing.subscriptions.set_catch_up(sub.id, catch_up="skip")
    summer.billing.unpark("subscription", sub.id)
    summer.billing.run()
    assert summer.periods()[1:] == ["2028-06-08/2028-06-15"]


@pytest.mark.parametrize("arrears", [False, True])
@pytest.mark.parametrize("missed", [12, 13])
def test_as_many_periods_as_the_bound_are_caught_up_and_one_more_waits(
    summer: Shop, missed: int, *, arrears: bool
) -> None:
    """What is billed in arrears is due when its period is over: the present one is not missed."""
    weekly = summer.billing.catalog.add_price(
        "Week", eur("7.00"), every=Interval.weeks(1), arrears=arrears
    )
    sub = summer.billing.subscriptions.create(summer.customer().id, [weekly.id], catch_up_max=12)
    start = sub.items[0].cycle.anchor
    weeks = missed if arrears else missed - 1
    billed_now = len(summer.invoices())
    if billed_now:
        # The first is billed at once, so the second is the first that is missed.
        weeks += 1
    summer.clock.now = at(f"{start + timedelta(weeks=weeks)}T12:00")
    summer.gateway.at(summer.clock.now)
    report = summer.billing.run()
    if missed > 12:
        assert [parked.id for parked in report.parked] == [sub.id]
        assert f"{missed} periods not billed, at most 12" in report.parked[0].reason
        assert len(summer.invoices()) == billed_now
    else:
        assert report.parked == []
        assert len(summer.invoices()) == billed_now + 12


@pytest.mark.parametrize("arrears", [False, True])
def test_a_start_as_many_periods_ago_as_the_bound_is_taken_and_one_more_is_a_slip(
    summer: Shop, *, arrears: bool
) -> None:
    weekly = summer.billing.catalog.add_price(
        "Week", eur("7.00"), every=Interval.weeks(1), arrears=arrears
    )
    create, ada = summer.billing.subscriptions.create, summer.customer()
    today = local_date(summer.clock.now, "UTC")
    first = today - timedelta(weeks=12 if arrears else 11)
    with pytest.raises(ValidationError, match="at most 12 periods ago, not 13"):
        create(ada.id, [weekly.id], start=first - timedelta(weeks=1), catch_up_max=12)
    create(ada.id, [weekly.id], start=first, catch_up_max=12)
    report = summer.billing.run()
    assert (report.parked, len(summer.invoices())) == ([], 12)


def test_a_start_that_is_too_long_ago_is_a_slip(summer: Shop) -> None:
    with pytest.raises(ValidationError) as refused:
        summer.subscribe(summer.customer(), start=date(207, 4, 1))
    assert refused.value.field == "start"


def test_cancelled_before_the_first_run_it_is_billed_until_then(summer: Shop) -> None:
    ada = summer.customer()
    sub = summer.subscribe(ada, summer.price(eur("30.00")), start=date(2027, 4, 1))
    summer.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    # April, May and June were billed; 21 of the 30 days of June are given back.
    assert [amount for *_, amount in documents(summer)] == [
        "30.00 EUR",
        "30.00 EUR",
        "30.00 EUR",
        "-21.00 EUR",
    ]


@pytest.mark.parametrize(
    "day", [datetime(2040, 1, 1, tzinfo=UTC), datetime(9990, 1, 1, tzinfo=UTC)]
)
def test_a_command_for_a_time_far_ahead_bills_nothing_on_its_way(
    summer: Shop, day: datetime
) -> None:
    sub = summer.subscribe(summer.customer())
    summer.time.advance()
    with pytest.raises(ValidationError) as refused:
        summer.billing.subscriptions.change(sub.id, quantities={sub.items[0].price: 2}, at=day)
    assert refused.value.field == "at"
    assert "at most 36 periods are due" in str(refused.value)
    assert len(summer.invoices()) == 1
    year = datetime(2028, 6, 9, tzinfo=UTC)
    summer.billing.subscriptions.change(sub.id, quantities={sub.items[0].price: 2}, at=year)
    assert len(summer.invoices()) == 12
