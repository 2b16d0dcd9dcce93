"""Pausing: three switches, what is owed meanwhile, and what happens when it goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from subscriptions import InvalidTransition, Money, PerUnit, ValidationError
from subscriptions.catalog import Price
from subscriptions.invoices import InvoiceFinalized, InvoicePaid
from subscriptions.lifecycle import Subscription, SubscriptionEnded, SubscriptionResumed
from subscriptions.payments import PaymentFailed
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]


@pytest.fixture
def spring(open_a_shop: Opened) -> Shop:
    """A shop that opens on the first of February: a month of 28 days."""
    return open_a_shop(start=date(2027, 2, 1))


def pro(shop: Shop, amount: str = "28.00") -> Price:
    return shop.price(eur(amount))


def in_arrears(shop: Shop, amount: str = "28.00") -> Price:
    return shop.billing.catalog.add_price("Seats", eur(amount), every=MONTHLY, arrears=True)


def metered(shop: Shop, aggregation: str = "sum", amount: str = "1.00") -> Price:
    shop.billing.usage.add_meter("calls", aggregation=aggregation)
    return shop.billing.catalog.add_price(
        "Calls", PerUnit(amount), currency="EUR", every=MONTHLY, meter="calls"
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def billed(shop: Shop) -> list[tuple[str, str]]:
    """Return period and amount of every line, in order."""
    return [
        (str(line.period), str(line.amount))
        for invoice in shop.invoices()
        for line in invoice.lines
    ]


# ---- collection is paused ----------------------------------------------------------------------


def test_while_collection_is_paused_invoices_wait_as_drafts_and_nobody_is_dunned(
    spring: Shop,
) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    spring.time.advance(to=date(2027, 2, 10))
    paused = spring.billing.subscriptions.pause(sub.id)
    assert (paused.status, paused.served) == ("active", True)
    spring.time.expect().advance(to=date(2027, 4, 20))
    assert spring.statuses() == ["paid", "draft", "draft"]
    assert len(spring.payments()) == 1
    assert list(spring.billing.dunning.list()) == []

    spring.billing.subscriptions.resume(sub.id)
    assert spring.statuses() == ["paid", "paid", "paid"]
    assert spring.periods()[1:] == ["2027-03-01/2027-04-01", "2027-04-01/2027-05-01"]
    assert [each.issued_on for each in spring.invoices()][1:] == [date(2027, 4, 20)] * 2
    assert [each.number for each in spring.invoices()] == [
        "INV-2027-00001",
        "INV-2027-00002",
        "INV-2027-00003",
    ]
    spring.time.expect(SubscriptionResumed, InvoicePaid, InvoicePaid, InvoicePaid).advance(
        to=date(2027, 5, 2)
    )


def test_a_declined_draft_is_dunned_from_the_day_on_which_it_became_final(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    spring.billing.subscriptions.pause(sub.id)
    spring.time.advance(to=date(2027, 3, 20))
    spring.gateway.decline_next("insufficient_funds")
    spring.billing.subscriptions.resume(sub.id)
    assert spring.statuses() == ["paid", "open"]
    assert spring.subscription(sub).status == "past_due"


def test_an_invoice_from_before_the_pause_is_still_collected(spring: Shop) -> None:
    ada = spring.customer()
    spring.gateway.decline_next("insufficient_funds")
    sub = spring.subscribe(ada, pro(spring))
    spring.billing.subscriptions.pause(sub.id)
    spring.time.expect(PaymentFailed, InvoicePaid).advance(to=date(2027, 2, 25))
    assert spring.statuses() == ["paid"]


def test_it_is_resumed_by_itself_on_its_day_and_the_draft_is_collected_first(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    spring.billing.subscriptions.pause(sub.id, resume_on=date(2027, 4, 1))
    spring.time.advance(to=date(2027, 3, 31))
    assert spring.statuses() == ["paid", "draft"]
    spring.time.expect(SubscriptionResumed, InvoiceFinalized, InvoiceFinalized).advance(
        to=date(2027, 4, 1)
    )
    assert spring.statuses() == ["paid", "paid", "paid"]
    assert spring.periods() == [
        "2027-02-01/2027-03-01",
        "2027-03-01/2027-04-01",
        "2027-04-01/2027-05-01",
    ]
    assert spring.subscription(sub).pause is None


# ---- nothing is invoiced -----------------------------------------------------------------------


def test_a_period_that_begins_while_nothing_is_invoiced_is_not_owed(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring, "30.00"))
    spring.time.advance(to=date(2027, 2, 10))
    paused = spring.billing.subscriptions.pause(sub.id, invoice=False)
    assert paused.status == "paused"
    spring.time.expect().advance(to=date(2027, 4, 16))
    assert spring.invoices() == [spring.invoices()[0]]
    # 15 of the 30 days of April are left.
    spring.billing.subscriptions.resume(sub.id)
    assert billed(spring)[1:] == [("2027-04-16/2027-05-01", "15.00 EUR")]
    assert spring.statuses() == ["paid", "paid"]
    spring.time.advance(to=date(2027, 5, 1))
    assert billed(spring)[2:] == [("2027-05-01/2027-06-01", "30.00 EUR")]


def test_resumed_on_the_first_of_a_month_that_month_is_billed_whole(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=date(2027, 4, 1))
    spring.billing.subscriptions.resume(sub.id)
    assert spring.periods() == ["2027-02-01/2027-03-01", "2027-04-01/2027-05-01"]
    assert spring.totals() == ["28.00 EUR", "28.00 EUR"]


@pytest.mark.parametrize("day", [date(2027, 2, 20), date(2027, 2, 28)])
def test_resumed_within_what_is_paid_it_costs_nothing_more(spring: Shop, day: date) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=day)
    spring.billing.subscriptions.resume(sub.id)
    spring.time.advance(to=date(2027, 3, 1))
    assert spring.periods() == ["2027-02-01/2027-03-01", "2027-03-01/2027-04-01"]
    assert spring.totals() == ["28.00 EUR", "28.00 EUR"]


def test_the_day_to_resume_is_kept_by_a_late_run_too(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring, "31.00"))
    spring.billing.subscriptions.pause(sub.id, invoice=False, resume_on=date(2027, 3, 22))
    spring.time.advance(to=date(2027, 4, 20))
    assert billed(spring)[1:] == [
        ("2027-03-22/2027-04-01", "10.00 EUR"),
        ("2027-04-01/2027-05-01", "31.00 EUR"),
    ]
    assert [each.issued_on for each in spring.invoices()][1:] == [
        date(2027, 3, 22),
        date(2027, 4, 1),
    ]


def test_a_month_and_a_year_go_on_each_by_itself(spring: Shop) -> None:
    monthly, yearly = pro(spring, "31.00"), spring.price(eur("365.00"), every=YEARLY)
    ada = spring.customer()
    sub = spring.billing.subscriptions.create(ada.id, [monthly.id, yearly.id])
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=date(2027, 3, 22))
    spring.billing.subscriptions.resume(sub.id)
    # The year is paid; of the month ten of 31 days are left.
    assert billed(spring)[2:] == [("2027-03-22/2027-04-01", "10.00 EUR")]


# ---- in arrears and metered --------------------------------------------------------------------


def test_what_was_used_in_arrears_until_the_pause_is_owed_and_the_pause_is_not(
    spring: Shop,
) -> None:
    sub = spring.subscribe(spring.customer(), in_arrears(spring))
    spring.time.advance(to=date(2027, 2, 11))
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    assert spring.pending(sub) == ["period Seats 10.00 EUR"]
    spring.time.advance(to=date(2027, 2, 22))
    spring.billing.subscriptions.resume(sub.id)
    spring.time.advance(to=date(2027, 3, 1))
    assert billed(spring) == [
        ("2027-02-01/2027-02-11", "10.00 EUR"),
        ("2027-02-22/2027-03-01", "7.00 EUR"),
    ]


def test_calls_during_the_pause_are_free_and_those_before_and_after_are_not(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), metered(spring))
    record = spring.billing.usage.record
    spring.time.advance(to=at("2027-02-11T12:00"))
    record(sub.id, "calls", event_id="before", quantity=5)
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=at("2027-02-15T12:00"))
    record(sub.id, "calls", event_id="during", quantity=100)
    spring.time.advance(to=at("2027-02-22T12:00"))
    spring.billing.subscriptions.resume(sub.id)
    record(sub.id, "calls", event_id="after", quantity=7)
    spring.time.advance(to=date(2027, 3, 1))
    assert sorted(amount for _, amount in billed(spring)) == ["5.00 EUR", "7.00 EUR"]


def test_cancelled_in_a_pause_the_calls_during_it_stay_free(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), metered(spring))
    record = spring.billing.usage.record
    spring.time.advance(to=at("2027-02-11T12:00"))
    record(sub.id, "calls", event_id="before", quantity=5)
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=at("2027-02-15T12:00"))
    record(sub.id, "calls", event_id="during", quantity=100)
    spring.billing.subscriptions.cancel(sub.id, when="now")
    assert (spring.totals(), spring.statuses()) == (["5.00 EUR"], ["paid"])


def test_calls_during_the_pause_are_free_when_they_are_reported_after_it(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), metered(spring))
    spring.time.advance(to=date(2027, 2, 8))
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=date(2027, 2, 22))
    spring.billing.subscriptions.resume(sub.id)
    spring.billing.usage.record(
        sub.id, "calls", event_id="during", quantity=100, occurred_at=at("2027-02-15T12:00")
    )
    spring.time.advance(to=date(2027, 3, 1))
    assert spring.totals() == []


def test_what_was_free_in_a_pause_stays_free_after_renewals_and_a_change(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), metered(spring))
    spring.time.advance(to=date(2027, 2, 8))
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=date(2027, 2, 22))
    spring.billing.subscriptions.resume(sub.id)
    spring.time.advance(to=date(2027, 4, 10))
    dearer = spring.billing.catalog.add_price(
        "Calls", PerUnit("2.00"), currency="EUR", every=MONTHLY, meter="calls"
    )
    spring.billing.subscriptions.change(sub.id, [dearer.id])
    spring.time.advance(to=date(2027, 4, 20))
    for event_id, on in (("free", "2027-02-15T12:00"), ("late", "2027-02-23T12:00")):
        spring.billing.usage.record(
            sub.id, "calls", event_id=event_id, quantity=100, occurred_at=at(on)
        )
    spring.time.advance(to=date(2027, 6, 1))
    assert len(spring.totals()) == 1, "only what was used after the pause is owed"


def test_seats_that_are_given_up_in_a_long_pause_are_given_up_after_it(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), metered(spring, "time_weighted", "30.00"))
    spring.billing.usage.record(sub.id, "calls", event_id="e1", quantity=3)
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=date(2027, 4, 10))
    spring.billing.usage.record(sub.id, "calls", event_id="e2", quantity=1)
    spring.time.advance(to=date(2027, 6, 1))
    spring.billing.subscriptions.resume(sub.id)
    spring.time.advance(to=date(2027, 7, 1))
    assert spring.totals() == ["30.00 EUR"]


def test_seats_that_were_taken_before_a_pause_are_taken_after_it(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), metered(spring, "time_weighted", "28.00"))
    spring.billing.usage.record(sub.id, "calls", event_id="e1", quantity=3)
    spring.time.advance(to=date(2027, 2, 8))
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=date(2027, 2, 15))
    spring.billing.subscriptions.resume(sub.id)
    spring.time.advance(to=date(2027, 3, 1))
    # Three seats at 1.00 a day: seven days before the pause and fourteen after it.
    assert sum(each.total_minor for each in spring.invoices()) == 2100 + 4200


def test_calls_go_on_to_be_billed_while_only_collection_is_paused(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), metered(spring))
    spring.billing.subscriptions.pause(sub.id)
    spring.billing.usage.record(sub.id, "calls", event_id="e1", quantity=9)
    spring.time.advance(to=date(2027, 3, 10))
    assert spring.statuses() == ["draft"]
    spring.billing.subscriptions.resume(sub.id)
    assert (spring.statuses(), spring.totals()) == (["paid"], ["9.00 EUR"])


# ---- the switches ------------------------------------------------------------------------------

SWITCHES = [
    # collect, invoice, serve: the status, whether he is served, what April 1 brings
    (True, True, False, "paused", False, ["paid", "paid", "paid"]),
    (True, False, True, "paused", True, ["paid"]),
    (True, False, False, "paused", False, ["paid"]),
    (False, True, True, "active", True, ["paid", "draft", "draft"]),
    (False, True, False, "paused", False, ["paid", "draft", "draft"]),
    (False, False, True, "paused", True, ["paid"]),
    (False, False, False, "paused", False, ["paid"]),
]


@pytest.mark.parametrize(("collect", "invoice", "serve", "status", "served", "made"), SWITCHES)
def test_each_switch_does_one_thing(  # noqa: PLR0917 - a table of switches
    spring: Shop,
    collect: bool,  # noqa: FBT001
    invoice: bool,  # noqa: FBT001
    serve: bool,  # noqa: FBT001
    status: str,
    served: bool,  # noqa: FBT001
    made: list[str],
) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    paused = spring.billing.subscriptions.pause(
        sub.id, collect=collect, invoice=invoice, serve=serve
    )
    assert (paused.status, paused.served) == (status, served)
    spring.time.advance(to=date(2027, 4, 1))
    assert spring.statuses() == made
    resumed = spring.billing.subscriptions.resume(sub.id)
    assert (resumed.status, resumed.served) == ("active", True)
    assert set(spring.statuses()) == {"paid"}


def test_three_switches_on_are_no_pause_and_a_pause_ends_after_it_began(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    before = spring.events()
    with pytest.raises(ValidationError):
        spring.billing.subscriptions.pause(sub.id, collect=True)
    for day in (date(2027, 1, 31), date(2027, 2, 1)):
        with pytest.raises(ValidationError) as refused:
            spring.billing.subscriptions.pause(sub.id, resume_on=day)
        assert refused.value.field == "resume_on"
    assert spring.events() == before


def test_it_is_paused_once_and_resumed_once(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    with pytest.raises(InvalidTransition):
        spring.billing.subscriptions.resume(sub.id)
    spring.billing.subscriptions.pause(sub.id)
    with pytest.raises(InvalidTransition):
        spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.billing.subscriptions.resume(sub.id)
    with pytest.raises(InvalidTransition):
        spring.billing.subscriptions.resume(sub.id)


def test_paused_and_resumed_on_one_day_nothing_has_happened(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    for _ in range(3):
        spring.billing.subscriptions.pause(sub.id, invoice=False, serve=False)
        spring.billing.subscriptions.resume(sub.id)
    spring.time.advance(to=date(2027, 3, 1))
    assert billed(spring) == [
        ("2027-02-01/2027-03-01", "28.00 EUR"),
        ("2027-03-01/2027-04-01", "28.00 EUR"),
    ]


# ---- beside other things -----------------------------------------------------------------------


def test_a_pause_stops_no_cancellation(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.billing.subscriptions.cancel(sub.id, when=date(2027, 3, 10))
    spring.time.expect(SubscriptionEnded).advance(to=date(2027, 4, 1))
    assert spring.totals() == ["28.00 EUR"]


def test_cancelled_while_paused_unused_time_is_still_given_back(spring: Shop) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, pro(spring))
    spring.time.advance(to=date(2027, 2, 8))
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=date(2027, 2, 15))
    spring.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    assert spring.billing.customers.get(ada.id).balance == (eur("14.00"),)


def test_a_trial_may_be_paused_and_ends_when_it_goes_on(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring), trial_until=date(2027, 2, 15))
    paused = spring.billing.subscriptions.pause(sub.id, invoice=False, serve=False)
    assert paused.status == "paused"
    spring.time.expect().advance(to=date(2027, 3, 1))
    spring.billing.subscriptions.resume(sub.id)
    spring.time.advance(to=date(2027, 3, 2))
    assert spring.subscription(sub).status == "active"
    # Periods are counted from the end of the trial: 14 of 28 days are left of the first.
    assert billed(spring) == [("2027-03-01/2027-03-15", "14.00 EUR")]


def test_changed_while_paused_the_new_price_counts_from_the_day_it_goes_on(spring: Shop) -> None:
    small, big = pro(spring, "28.00"), spring.price(eur("62.00"), name="Max")
    sub = spring.subscribe(spring.customer(), small)
    spring.time.advance(to=date(2027, 2, 15))
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=date(2027, 3, 10))
    spring.billing.subscriptions.change(sub.id, swap={small.id: big.id})
    spring.time.advance(to=date(2027, 3, 17))
    spring.billing.subscriptions.resume(sub.id)
    assert billed(spring) == [
        ("2027-02-01/2027-03-01", "28.00 EUR"),
        ("2027-03-17/2027-04-01", "30.00 EUR"),
    ]


def test_a_planned_change_takes_place_in_a_pause_and_costs_from_its_end(spring: Shop) -> None:
    small, big = pro(spring, "28.00"), spring.price(eur("62.00"), name="Max")
    sub = spring.subscribe(spring.customer(), small)
    spring.billing.subscriptions.schedule(sub.id, swap={small.id: big.id}, on=date(2027, 3, 5))
    spring.billing.subscriptions.pause(sub.id, invoice=False, resume_on=date(2027, 3, 17))
    spring.time.advance(to=date(2027, 4, 1))
    assert billed(spring) == [
        ("2027-02-01/2027-03-01", "28.00 EUR"),
        ("2027-03-17/2027-04-01", "30.00 EUR"),
        ("2027-04-01/2027-05-01", "62.00 EUR"),
    ]


def test_an_ended_subscription_is_not_paused(spring: Shop) -> None:
    sub: Subscription = spring.subscribe(spring.customer(), pro(spring))
    spring.billing.subscriptions.cancel(sub.id, when="now")
    with pytest.raises(InvalidTransition):
        spring.billing.subscriptions.pause(sub.id)


def test_a_pause_before_the_start_is_refused(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring), start=date(2027, 3, 1))
    with pytest.raises(InvalidTransition):
        spring.billing.subscriptions.pause(sub.id)


def test_a_pause_bills_what_was_due_before_it(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    spring.clock.now = at("2027-04-10T08:00")  # nothing ran since February
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    assert spring.periods() == [
        "2027-02-01/2027-03-01",
        "2027-03-01/2027-04-01",
        "2027-04-01/2027-05-01",
    ]
    assert spring.totals() == [str(Money.of(Decimal("28.00"), "EUR"))] * 3


def test_what_was_used_in_a_pause_is_free_though_it_ends_for_want_of_money(spring: Shop) -> None:
    calls, fee, seats = metered(spring), pro(spring), in_arrears(spring)
    sub = spring.billing.subscriptions.create(
        spring.customer(None).id, [fee.id, calls.id, seats.id]
    )
    use = spring.billing.usage.record
    use(sub.id, "calls", event_id="before", quantity=1)
    spring.time.advance(to=date(2027, 2, 5))
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=date(2027, 2, 7))
    use(sub.id, "calls", event_id="in the pause", quantity=100)
    spring.time.advance(to=date(2027, 4, 1))
    # The fee is never paid; calls, and seats of four days, are left for a person to look at.
    assert spring.statuses() == ["uncollectible", "draft"]
    assert spring.lines(spring.invoices()[1]) == ["usage Calls 1.00 EUR", "period Seats 4.00 EUR"]


@pytest.mark.parametrize("late", [True, False])
def test_who_leaves_in_a_pause_pays_for_the_level_that_he_held_before_it(
    spring: Shop, *, late: bool
) -> None:
    sub = spring.subscribe(spring.customer(), metered(spring, "time_weighted", "28.00"))
    use = spring.billing.usage.record
    use(sub.id, "calls", event_id="1", quantity=1)
    spring.time.advance(to=date(2027, 2, 11))
    spring.billing.subscriptions.pause(sub.id, invoice=False)
    spring.time.advance(to=date(2027, 2, 15))
    if late:
        use(sub.id, "calls", event_id="2", quantity=3, occurred_at=at("2027-02-06"))
    spring.billing.subscriptions.cancel(sub.id, when="now")
    # One for ten days, and two more for five.
    assert sum(invoice.total_minor for invoice in spring.invoices()) == (2000 if late else 1000)
