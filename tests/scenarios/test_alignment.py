"""From which day periods are counted, what a stub costs, and how a billing date is moved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from subscriptions import Interval, InvalidTransition, PerUnit, ValidationError
from subscriptions.alignment import (
    Alignment,
    Calendar,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    StartDay,
    Weekday,
)
from subscriptions.catalog import Price
from subscriptions.invoices import InvoicePaid
from subscriptions.proration import Proration
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]
APRIL, MAY = date(2027, 4, 1), date(2027, 5, 1)
NOW = Proration(mode="invoice_now")
QUARTERLY = Interval.months(3)


@pytest.fixture
def spring(open_a_shop: Opened) -> Shop:
    return open_a_shop(start=APRIL)


def billed(shop: Shop) -> list[str]:
    """Return what was billed, invoice by invoice: the period and the total."""
    return [f"{invoice.period} {invoice.total}" for invoice in shop.invoices()]


# ---- where the first period ends -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("align", "every", "amount", "start", "stub"),
    [
        # Counted from the start: no stub.
        (StartDay(), MONTHLY, "31.00", date(2027, 1, 10), "2027-01-10/2027-02-10 31.00 EUR"),
        # 10 to 15 January are 5 of the 31 days from 15 December.
        (DayOfMonth(15), MONTHLY, "31.00", date(2027, 1, 10), "2027-01-10/2027-01-15 5.00 EUR"),
        # The 31st of February is the 28th: 18 of the 28 days from 31 January.
        (DayOfMonth(31), MONTHLY, "28.00", date(2027, 2, 10), "2027-02-10/2027-02-28 18.00 EUR"),
        # A year from the 15th: 14 of the 365 days from 15 April 2026.
        (DayOfMonth(15), YEARLY, "365.00", APRIL, "2027-04-01/2027-04-15 14.00 EUR"),
        # 1 April 2027 is a Thursday: four of seven days until Monday.
        (
            DayOfWeek(Weekday.MONDAY),
            Interval.weeks(1),
            "7.00",
            APRIL,
            "2027-04-01/2027-04-05 4.00 EUR",
        ),
        # 16 April to 1 July are 15 + 31 + 30 = 76 of the 365 days of a year that ends there.
        (
            DayOfYear(7, 1),
            YEARLY,
            "365.00",
            date(2027, 4, 16),
            "2027-04-16/2027-07-01 76.00 EUR",
        ),
        # The calendar: 15 of 30 days, 76 of 91, 365 − 105 of 365.
        (Calendar(), MONTHLY, "30.00", date(2027, 4, 16), "2027-04-16/2027-05-01 15.00 EUR"),
        (Calendar(), QUARTERLY, "91.00", date(2027, 4, 16), "2027-04-16/2027-07-01 76.00 EUR"),
        (Calendar(), YEARLY, "365.00", date(2027, 4, 16), "2027-04-16/2028-01-01 260.00 EUR"),
    ],
)
def test_a_first_stub_ends_where_the_alignment_says(  # noqa: PLR0917 - one row of the table
    open_a_shop: Opened, align: Alignment, every: Interval, amount: str, start: date, stub: str
) -> None:
    shop = open_a_shop(start=start)
    price = shop.price(eur(amount), every=every)
    shop.billing.subscriptions.create(shop.customer().id, [price.id], align=align)
    assert billed(shop) == [stub]
    # What comes after is a whole period, at the whole price.
    first = shop.only_invoice().period
    assert first is not None
    shop.time.advance(to=first.end)
    assert shop.invoices()[-1].total == eur(amount)


def test_after_a_stub_the_31st_is_kept_through_a_leap_february(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2028, 2, 10))
    price = shop.price(eur("29.00"))
    shop.billing.subscriptions.create(shop.customer().id, [price.id], align=DayOfMonth(31))
    shop.time.advance(to=date(2028, 5, 31))
    # 19 of the 29 days from 31 January to 29 February.
    assert billed(shop) == [
        "2028-02-10/2028-02-29 19.00 EUR",
        "2028-02-29/2028-03-31 29.00 EUR",
        "2028-03-31/2028-04-30 29.00 EUR",
        "2028-04-30/2028-05-31 29.00 EUR",
        "2028-05-31/2028-06-30 29.00 EUR",
    ]


def test_a_change_at_the_end_of_the_month_cuts_the_days_of_a_leap_february(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(start=date(2028, 1, 31))
    basic, pro = shop.price(eur("29.00"), name="Basic"), shop.price(eur("58.00"), name="Pro")
    sub = shop.subscribe(shop.customer(), basic)
    # 31 January to 29 February are 29 days; on the 28th one is left.
    shop.time.advance(to=date(2028, 2, 28))
    shop.billing.subscriptions.change(sub.id, [pro.id])
    assert shop.pending(sub) == ["credit Basic -1.00 EUR", "debit Pro 2.00 EUR"]
    shop.time.advance(to=date(2028, 3, 31))
    assert shop.periods()[-2:] == ["2028-02-29/2028-03-31", "2028-03-31/2028-04-30"]


@pytest.mark.parametrize(
    ("first_stub", "expected"),
    [
        ("prorated", ["2027-04-16/2027-05-01 15.00 EUR", "2027-05-01/2027-06-01 30.00 EUR"]),
        ("full", ["2027-04-16/2027-05-01 30.00 EUR", "2027-05-01/2027-06-01 30.00 EUR"]),
        ("free", ["2027-05-01/2027-06-01 30.00 EUR"]),
    ],
)
def test_a_first_stub_is_prorated_full_or_free(
    open_a_shop: Opened, first_stub: str, expected: list[str]
) -> None:
    shop = open_a_shop(start=date(2027, 4, 16))
    price = shop.price(eur("30.00"))
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [price.id], align=Calendar(), first_stub=first_stub
    )
    assert shop.subscription(sub).status == "active"
    shop.time.advance(to=MAY)
    assert billed(shop) == expected


def test_what_was_paid_for_a_full_stub_is_given_back_and_what_was_free_is_not(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(start=date(2027, 4, 16))
    basic, pro = shop.price(eur("30.00"), name="Basic"), shop.price(eur("60.00"), name="Pro")
    create = shop.billing.subscriptions.create
    full = create(shop.customer().id, [basic.id], align=Calendar(), first_stub="full")
    free = create(shop.customer().id, [basic.id], align=Calendar(), first_stub="free")
    shop.time.advance(to=date(2027, 4, 21))
    for each in (full, free):
        shop.billing.subscriptions.change(each.id, [pro.id])
    # 10 of 15 days: of 30.00 paid in full, and of 60.00 in full.
    assert shop.pending(full) == ["credit Basic -20.00 EUR", "debit Pro 40.00 EUR"]
    assert shop.pending(free) == []
    # And back: a day's change of mind costs nothing.
    shop.billing.subscriptions.change(full.id, [basic.id])
    assert sum(charge.amount_minor for charge in shop.subscription(full).pending) == 0


def _metered(shop: Shop, *, aggregation: str = "sum") -> Price:
    """Return 1.00 for each unit that a meter counts, and at least 9.00 a month."""
    shop.billing.usage.add_meter("calls", aggregation=aggregation)
    return shop.billing.catalog.add_price(
        "Calls",
        PerUnit("1.00"),
        currency="EUR",
        every=MONTHLY,
        meter="calls",
        minimum=eur("9.00"),
    )


@pytest.mark.parametrize("with_a_fee", [True, False])
def test_what_is_used_in_a_free_stub_is_free_however_late_it_is_reported(
    open_a_shop: Opened, *, with_a_fee: bool
) -> None:
    shop = open_a_shop(start=date(2027, 4, 16))
    prices = [_metered(shop), *([shop.price(eur("30.00"))] if with_a_fee else [])]
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [each.id for each in prices], align=Calendar(), first_stub="free"
    )
    use, moment = shop.billing.usage.record, datetime(2027, 4, 20, 12, tzinfo=UTC)
    shop.time.advance(to=moment)
    use(sub.id, "calls", event_id="at once", quantity=700)
    (so_far,) = shop.billing.usage.summary(sub.id)
    assert (so_far.quantity, so_far.amount) == (Decimal(700), eur("0.00"))
    assert str(so_far.period) == "2027-04-16/2027-05-01"
    shop.time.advance(to=date(2027, 5, 5))
    use(sub.id, "calls", event_id="late", quantity=70, occurred_at=moment)
    use(sub.id, "calls", event_id="in May", quantity=11)
    shop.time.advance(to=date(2027, 6, 1))
    used = [line for each in shop.invoices() for line in each.lines if line.price == prices[0].id]
    assert [f"{line.period} {line.amount}" for line in used] == ["2027-05-01/2027-06-01 11.00 EUR"]


def test_a_level_that_is_held_since_a_free_stub_costs_from_the_first_whole_period_on(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(start=date(2027, 4, 16))
    seats = _metered(shop, aggregation="time_weighted")
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [seats.id], align=Calendar(), first_stub="free"
    )
    shop.time.advance(to=date(2027, 4, 20))
    shop.billing.usage.record(sub.id, "calls", event_id="seats", quantity=20)
    shop.time.advance(to=date(2027, 6, 1))
    assert billed(shop) == ["2027-05-01/2027-06-01 20.00 EUR"]


@pytest.mark.parametrize("what", ["cancel", "pause", "remove", "swap", "threshold"])
def test_whatever_is_done_within_a_free_stub_bills_no_usage_of_it(
    open_a_shop: Opened, what: str
) -> None:
    shop = open_a_shop(start=date(2027, 4, 16))
    calls, fee = _metered(shop), shop.price(eur("30.00"))
    dearer = shop.billing.catalog.add_price(
        "Calls more", PerUnit("2.00"), currency="EUR", every=MONTHLY, meter="calls"
    )
    subscriptions = shop.billing.subscriptions
    sub = subscriptions.create(
        shop.customer().id,
        [calls.id, fee.id],
        align=Calendar(),
        first_stub="free",
        threshold=eur("5.00") if what == "threshold" else None,
    )
    shop.time.advance(to=date(2027, 4, 20))
    shop.billing.usage.record(sub.id, "calls", event_id="1", quantity=70)
    shop.time.advance(to=date(2027, 4, 21))
    does: dict[str, Callable[[], object]] = {
        "cancel": lambda: subscriptions.cancel(sub.id, when="now"),
        "pause": lambda: subscriptions.pause(sub.id, invoice=False, resume_on=date(2027, 4, 25)),
        "remove": lambda: subscriptions.change(sub.id, remove=[calls.id]),
        "swap": lambda: subscriptions.change(sub.id, swap={calls.id: dearer.id}),
        "threshold": lambda: None,
    }
    does[what]()
    shop.time.advance(to=date(2027, 4, 28))
    if what in {"pause", "swap", "threshold"}:
        shop.billing.usage.record(sub.id, "calls", event_id="2", quantity=30)
    shop.time.advance(to=MAY)
    assert billed(shop) == ([] if what == "cancel" else ["2027-05-01/2027-06-01 30.00 EUR"])
    if what in {"pause", "swap", "threshold"}:
        shop.billing.usage.record(sub.id, "calls", event_id="3", quantity=11)
        shop.time.advance(to=date(2027, 6, 1))
        price = "22.00" if what == "swap" else "11.00"
        used = [line for each in shop.invoices() for line in each.lines if line.kind == "usage"]
        assert [line.amount for line in used] == [eur(price)]


@pytest.mark.parametrize("stub", ["free", "full", "prorated"])
def test_a_longer_trial_keeps_what_was_agreed_of_the_stub_after_it(
    open_a_shop: Opened, stub: str
) -> None:
    shop = open_a_shop(start=APRIL)
    sub = shop.billing.subscriptions.create(
        shop.customer().id,
        [shop.price(eur("30.00")).id, _metered(shop).id],
        trial_until=date(2027, 4, 6),
        align=Calendar(),
        first_stub=stub,
    )
    shop.billing.subscriptions.extend_trial(sub.id, until=date(2027, 4, 16))
    shop.time.advance(to=date(2027, 4, 17))
    shop.billing.usage.record(sub.id, "calls", event_id="1", quantity=70)
    shop.time.advance(to=MAY)
    lines = [f"{x.kind} {x.period} {x.amount}" for each in shop.invoices() for x in each.lines]
    expected = {
        "free": [],
        "full": ["period 2027-04-16/2027-05-01 30.00 EUR", "usage 2027-04-16/2027-05-01 70.00 EUR"],
        "prorated": [
            "period 2027-04-16/2027-05-01 15.00 EUR",
            "usage 2027-04-16/2027-05-01 70.00 EUR",
        ],
    }
    stub_fee, used = expected[stub][:1], expected[stub][1:]
    assert sorted(lines) == [*stub_fee, "period 2027-05-01/2027-06-01 30.00 EUR", *used]


def test_a_long_stub_runs_to_the_day_after_a_whole_period(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2027, 1, 10))
    price = shop.price(eur("31.00"))
    shop.billing.subscriptions.create(
        shop.customer().id, [price.id], align=DayOfMonth(15), long_stub=True
    )
    # 5 of 31 days, 5.00, and a whole period, 31.00.
    shop.time.advance(to=date(2027, 2, 15))
    assert billed(shop) == ["2027-01-10/2027-02-15 36.00 EUR", "2027-02-15/2027-03-15 31.00 EUR"]


@pytest.mark.parametrize("how", ["extend", "shorten", "end"])
@pytest.mark.parametrize("stub", ["prorated", "free"])
def test_a_long_first_period_stays_long_when_the_trial_before_it_ends_on_another_day(
    spring: Shop, how: str, stub: str
) -> None:
    """15 or 25 days of a month and a whole one: for a fee of 30.00, and usage."""
    sub = spring.billing.subscriptions.create(
        spring.customer().id,
        [spring.price(eur("30.00")).id, _metered(spring).id],
        trial_until=date(2027, 4, 21),
        align=Calendar(),
        long_stub=True,
        first_stub=stub,
    )
    subscriptions, until = spring.billing.subscriptions, date(2027, 4, 16)
    if how == "extend":
        until = date(2027, 4, 26)
        subscriptions.extend_trial(sub.id, until=until)
    elif how == "shorten":
        subscriptions.extend_trial(sub.id, until=until)
    else:
        spring.time.advance(to=until)
        subscriptions.end_trial(sub.id)
    spring.time.advance(to=date(2027, 5, 20))
    spring.billing.usage.record(sub.id, "calls", event_id="1", quantity=70)
    spring.time.advance(to=date(2027, 6, 1))
    lines = sorted(f"{x.kind} {x.period} {x.amount}" for i in spring.invoices() for x in i.lines)
    later = "period 2027-06-01/2027-07-01 30.00 EUR"
    fee = eur("35.00") if how == "extend" else eur("45.00")
    long = f"{until}/2027-06-01"
    expected = {
        "free": [later],
        "prorated": [f"period {long} {fee}", later, f"usage {long} 70.00 EUR"],
    }
    assert lines == expected[stub]


def test_a_long_first_period_becomes_none_where_the_trial_ends_with_a_month(spring: Shop) -> None:
    sub = spring.billing.subscriptions.create(
        spring.customer().id,
        [spring.price(eur("30.00")).id],
        trial_until=date(2027, 4, 21),
        align=Calendar(),
        long_stub=True,
    )
    spring.billing.subscriptions.extend_trial(sub.id, until=MAY)
    spring.time.advance(to=MAY)
    assert billed(spring) == ["2027-05-01/2027-06-01 30.00 EUR"]


def test_a_last_stub_costs_its_days_where_the_end_is_known(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), spring.price(eur("31.00")))
    spring.billing.subscriptions.cancel(sub.id, when=date(2027, 5, 11), settlement="credit")
    # 10 of the 31 days of May.
    spring.time.advance(to=date(2027, 6, 1))
    assert billed(spring) == ["2027-04-01/2027-05-01 31.00 EUR", "2027-05-01/2027-05-11 10.00 EUR"]


def test_subscriptions_of_a_customer_share_their_billing_day(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2027, 1, 10))
    ada, monthly = shop.customer(), shop.price(eur("31.00"))
    yearly = shop.price(eur("365.00"), every=YEARLY, name="Domain")
    create = shop.billing.subscriptions.create
    create(ada.id, [monthly.id], align="customer")
    assert shop.billing.customers.get(ada.id).billing_anchor == date(2027, 1, 10)
    shop.time.advance(to=date(2027, 1, 20))
    create(ada.id, [monthly.id], align="customer")
    create(ada.id, [yearly.id], align="customer")
    # Until 10 February 21 days are left: of 31, and of the 365 of a year that ends there.
    assert billed(shop)[1:] == ["2027-01-20/2027-02-10 21.00 EUR"] * 2
    shop.time.advance(to=date(2027, 2, 10))
    assert sorted(billed(shop)[3:]) == [
        "2027-02-10/2027-03-10 31.00 EUR",
        "2027-02-10/2027-03-10 31.00 EUR",
        "2027-02-10/2028-02-10 365.00 EUR",
    ]


def test_an_alignment_that_an_interval_does_not_have_is_refused(spring: Shop) -> None:
    create, ada = spring.billing.subscriptions.create, spring.customer()
    weekly = spring.price(every=Interval.weeks(1))
    with pytest.raises(ValidationError, match="align"):
        create(ada.id, [weekly.id], align=DayOfMonth(15))
    with pytest.raises(ValidationError, match="'customer'"):
        create(ada.id, [weekly.id], align="monday")
    with pytest.raises(ValidationError, match="first_stub: one of 'prorated', 'free', 'full'"):
        create(ada.id, [weekly.id], first_stub="half")
    assert spring.invoices() == []


# ---- moving the next billing date ----------------------------------------------------------------


def test_a_later_billing_date_is_paid_for(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), spring.price(eur("31.00")))
    spring.time.advance(to=date(2027, 4, 11))
    spring.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 5, 11), proration=NOW)
    # 1 to 11 May are 10 of 31 days.
    assert billed(spring)[1:] == ["2027-05-01/2027-05-11 10.00 EUR"]
    spring.time.expect(InvoicePaid).advance()
    spring.time.expect(InvoicePaid).advance(to=date(2027, 5, 11))
    assert billed(spring)[2:] == ["2027-05-11/2027-06-11 31.00 EUR"]


def test_an_earlier_billing_date_gives_back(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), spring.price(eur("30.00")))
    spring.time.advance(to=date(2027, 4, 11))
    spring.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 4, 21))
    # 10 of 30 days come back with the next invoice, which is on the 21st.
    assert spring.pending(sub) == ["credit Pro -10.00 EUR"]
    spring.time.expect(InvoicePaid).advance(to=date(2027, 4, 21))
    assert spring.totals() == ["30.00 EUR", "20.00 EUR"]
    assert spring.periods()[-1] == "2027-04-21/2027-05-21"


def test_without_proration_a_moved_billing_date_costs_nothing(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), spring.price(eur("30.00")))
    none = Proration(mode="none")
    spring.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 5, 11), proration=none)
    spring.time.advance(to=date(2027, 5, 11))
    assert spring.totals() == ["30.00 EUR", "30.00 EUR"]


def test_a_change_in_a_period_that_was_extended_counts_its_days(spring: Shop) -> None:
    basic, pro = spring.price(eur("31.00"), name="Basic"), spring.price(eur("62.00"), name="Pro")
    sub = spring.subscribe(spring.customer(), basic)
    spring.time.advance(to=date(2027, 4, 11))
    spring.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 5, 11), proration=NOW)
    # On 21 April 10 of 30 days and all 10 days of May are left, which cost 10.33 and 10.00 ...
    april = datetime(2027, 4, 21, tzinfo=UTC)
    plan = spring.billing.preview.subscriptions.change(sub.id, [pro.id], at=april)
    assert [charge.amount_minor for charge in plan.about.pending] == [-1033, -1000, 2067, 2000]
    # ... and on 6 May the last 5 days of May.
    spring.time.advance(to=date(2027, 5, 6))
    spring.billing.subscriptions.change(sub.id, [pro.id])
    assert spring.pending(sub) == ["credit Basic -5.00 EUR", "debit Pro 10.00 EUR"]
    spring.time.advance(to=date(2027, 5, 11))
    assert spring.totals() == ["31.00 EUR", "10.00 EUR", "67.00 EUR"]


def test_a_change_in_a_period_that_was_cut_counts_what_is_left_of_it(spring: Shop) -> None:
    basic, pro = spring.price(eur("30.00"), name="Basic"), spring.price(eur("60.00"), name="Pro")
    sub = spring.subscribe(spring.customer(), basic)
    spring.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 4, 21), proration=NOW)
    assert spring.billing.customers.get(sub.customer).balance == (eur("10.00"),)
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, [pro.id])
    # 16 to 21 April: 5 days of 1.00 back, of 2.00 more.
    assert spring.pending(sub) == ["credit Basic -5.00 EUR", "debit Pro 10.00 EUR"]
    spring.time.advance(to=date(2027, 4, 21))
    # 60.00 + 10.00 − 5.00, of which 10.00 are paid by his balance.
    assert spring.totals()[-1] == "65.00 EUR"
    assert spring.payments()[-1].amount_minor == 5500


def test_what_was_cut_from_a_pending_debit_is_not_given_back_twice(spring: Shop) -> None:
    basic, pro = spring.price(eur("30.00"), name="Basic"), spring.price(eur("60.00"), name="Pro")
    sub = spring.subscribe(spring.customer(), basic)
    spring.time.advance(to=date(2027, 4, 11))
    spring.billing.subscriptions.change(sub.id, [pro.id])
    spring.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 4, 21))
    spring.billing.subscriptions.change(sub.id, [basic.id])
    # 40.00 were to be charged for Pro: 20.00 of it fell away with the date, 20.00 with the change.
    assert spring.pending(sub) == [
        "credit Basic -20.00 EUR",
        "debit Pro 40.00 EUR",
        "credit Pro -20.00 EUR",
        "credit Pro -20.00 EUR",
        "debit Basic 10.00 EUR",
    ]
    # Basic for 20 days: of the 30.00 that were paid, 10.00 come back.
    spring.time.advance(to=date(2027, 4, 21))
    assert spring.totals() == ["30.00 EUR", "20.00 EUR"]


def test_a_billing_date_is_moved_for_all_intervals_and_not_into_the_past(spring: Shop) -> None:
    monthly = spring.price(eur("30.00"), name="Seats")
    yearly = spring.price(eur("365.00"), every=YEARLY, name="Domain")
    ada = spring.customer()
    sub = spring.billing.subscriptions.create(ada.id, [monthly.id, yearly.id])
    move = spring.billing.subscriptions.set_next_billing
    with pytest.raises(ValidationError, match="after today, 2027-04-01"):
        move(sub.id, on=APRIL)
    move(sub.id, on=date(2027, 4, 11), proration=NOW)
    # 20 of 30 days, and 355 of the 366 days to 1 April 2028: 365.00 − round(365.00 · 10/366).
    assert spring.lines(spring.invoices()[-1]) == [
        "credit Seats -20.00 EUR",
        "credit Domain -355.03 EUR",
    ]
    spring.time.advance(to=date(2027, 4, 11))
    assert spring.periods()[-2:] == ["2027-04-11/2027-05-11", "2027-04-11/2028-04-11"]


def test_before_it_is_billed_a_billing_date_is_that_of_the_trial(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), trial_until=date(2027, 4, 15))
    with pytest.raises(InvalidTransition, match="trialing"):
        spring.billing.subscriptions.set_next_billing(sub.id, on=MAY)


@pytest.mark.parametrize("on", [date(2027, 5, 11), date(2027, 6, 20)])
def test_what_is_free_of_a_stub_stays_free_when_the_billing_date_is_later(
    open_a_shop: Opened, on: date
) -> None:
    shop = open_a_shop(start=date(2027, 4, 16))
    calls, fee = _metered(shop), shop.price(eur("31.00"))
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [calls.id, fee.id], align=Calendar(), first_stub="free"
    )
    use = shop.billing.usage.record
    shop.time.advance(to=date(2027, 4, 20))
    use(sub.id, "calls", event_id="in the stub", quantity=70)
    shop.billing.subscriptions.set_next_billing(sub.id, on=on, proration=NOW)
    shop.time.advance(to=date(2027, 4, 25))
    use(sub.id, "calls", event_id="in the rest of the stub", quantity=700)
    shop.time.advance(to=date(2027, 5, 5))
    use(sub.id, "calls", event_id="after it", quantity=40)
    late = datetime(2027, 4, 21, tzinfo=UTC)
    use(sub.id, "calls", event_id="in the stub, late", quantity=7000, occurred_at=late)
    shop.time.advance(to=on)
    lines = [f"{x.kind} {x.amount}" for each in shop.invoices() for x in each.lines]
    assert sum(line == "usage 40.00 EUR" for line in lines) == 1
    assert not [line for line in lines if line.startswith(("late_usage", "usage 7"))]
    # Ten of the 31 days of May; or all of it, and 19 of the 30 days of June.
    days = "10.00" if on.month == 5 else "50.63"
    assert lines[0] == f"debit {days} EUR"


def test_what_is_not_free_any_more_is_billed_when_the_billing_date_is_earlier(
    open_a_shop: Opened,
) -> None:
    """The stub ends with the day before, and whole periods follow it, of a fee and of usage."""
    shop = open_a_shop(start=date(2027, 4, 16))
    calls, fee = _metered(shop), shop.price(eur("30.00"))
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [calls.id, fee.id], align=Calendar(), first_stub="free"
    )
    use = shop.billing.usage.record
    shop.time.advance(to=date(2027, 4, 20))
    use(sub.id, "calls", event_id="in the stub", quantity=70)
    shop.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 4, 26))
    shop.time.advance(to=date(2027, 4, 28))
    use(sub.id, "calls", event_id="after it", quantity=40)
    shop.time.advance(to=date(2027, 4, 29))
    assert billed(shop) == ["2027-04-26/2027-05-26 30.00 EUR"]
    shop.billing.subscriptions.cancel(sub.id, when="now")
    assert [f"{x.kind} {x.amount}" for x in shop.invoices()[-1].lines] == ["usage 40.00 EUR"]
