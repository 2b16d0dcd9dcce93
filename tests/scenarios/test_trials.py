"""Trials, introductory prices and fixed terms: how a subscription begins, and when it is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from subscriptions import Interval, InvalidTransition, PerUnit, ValidationError
from subscriptions.alignment import Calendar
from subscriptions.catalog import Price
from subscriptions.customers import Customer
from subscriptions.invoices import InvoiceFinalized, InvoicePaid
from subscriptions.lifecycle import (
    Ended,
    EndReason,
    Phase,
    Subscription,
    SubscriptionChanged,
    SubscriptionEnded,
    TrialEnded,
    TrialStarted,
)
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]
MID = date(2027, 2, 15)


@pytest.fixture
def spring(open_a_shop: Opened) -> Shop:
    """A shop that opens on the first of February: a month of 28 days."""
    return open_a_shop(start=date(2027, 2, 1))


def offer(shop: Shop, amount: str = "28.00", *, name: str = "Pro", **more: object) -> Price:
    given: dict[str, object] = {"every": MONTHLY, **more}
    return shop.billing.catalog.add_price(name, eur(amount), **given)  # type: ignore[arg-type]


def on_trial(
    shop: Shop, customer: Customer | None = None, price: Price | None = None, **more: object
) -> Subscription:
    buyer, bought = customer or shop.customer(), price or offer(shop)
    given: dict[str, object] = {"trial_until": MID, **more}
    return shop.billing.subscriptions.create(buyer.id, [bought.id], **given)  # type: ignore[arg-type]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def billed(shop: Shop, customer: Customer | None = None) -> list[tuple[str, str]]:
    """Return period and amount of every line, in order."""
    return [
        (str(line.period), str(line.amount))
        for invoice in shop.invoices(customer)
        for line in invoice.lines
    ]


# ---- the end of a trial ------------------------------------------------------------------------


@pytest.mark.parametrize("trial_end", ["bill", "pause", "cancel"])
def test_whoever_can_pay_is_billed_when_the_trial_ends(spring: Shop, trial_end: str) -> None:
    sub = on_trial(spring, trial_end=trial_end)
    spring.time.expect(TrialStarted, TrialEnded, InvoicePaid).advance(to=MID)
    assert spring.subscription(sub).status == "active"
    assert spring.periods() == ["2027-02-15/2027-03-15"]


def test_without_a_method_the_trial_ends_with_a_bill(spring: Shop) -> None:
    sub = on_trial(spring, spring.customer(None), trial_end="bill")
    spring.time.expect(TrialStarted, TrialEnded, InvoiceFinalized).advance(to=MID)
    assert (spring.subscription(sub).status, spring.statuses()) == ("active", ["open"])


def test_without_a_method_the_trial_ends_and_with_it_everything(spring: Shop) -> None:
    sub = on_trial(spring, spring.customer(None), trial_end="cancel")
    spring.time.expect(TrialStarted, SubscriptionEnded).advance(to=date(2027, 4, 1))
    assert spring.subscription(sub).contract == Ended(at("2027-02-15"), EndReason.TRIAL_ENDED)
    assert spring.invoices() == []


def test_without_a_method_it_is_paused_until_there_is_one(spring: Shop) -> None:
    ada = spring.customer(None)
    sub = on_trial(spring, ada, trial_end="pause")
    spring.time.expect(TrialStarted, TrialEnded).advance(to=date(2027, 3, 1))
    paused = spring.subscription(sub)
    assert (paused.status, paused.served) == ("paused", False)
    spring.billing.payment_methods.attach(ada.id, "tok_visa")
    spring.billing.subscriptions.resume(sub.id)
    # The first period began on 15 February; half of it is left.
    assert billed(spring) == [("2027-03-01/2027-03-15", "14.00 EUR")]
    assert spring.statuses() == ["paid"]


@pytest.mark.parametrize("switch", ["collect", "invoice", "serve"])
def test_a_trial_that_ends_in_a_pause_is_paused_altogether_until_a_person_goes_on(
    spring: Shop, switch: str
) -> None:
    ada = spring.customer(None)
    sub = on_trial(spring, ada, trial_end="pause")
    more: dict[str, Any] = {"collect": True, switch: False, "resume_on": date(2027, 2, 25)}
    spring.billing.subscriptions.pause(sub.id, **more)
    # Something else is due, in the pause or after it.
    pro = offer(spring, "56.00", name="More")
    spring.billing.subscriptions.schedule(sub.id, swap={sub.items[0].price: pro.id}, on=MID)
    spring.time.advance(to=date(2027, 3, 1))
    paused = spring.subscription(sub)
    assert (paused.status, paused.served, paused.parked) == ("paused", False, None)
    assert spring.invoices() == []
    spring.billing.payment_methods.attach(ada.id, "tok_visa")
    spring.billing.subscriptions.resume(sub.id)
    assert billed(spring) == [("2027-03-01/2027-03-15", "28.00 EUR")]
    assert spring.statuses() == ["paid"]


def test_a_first_payment_is_required_after_the_trial_where_it_is_asked_for(spring: Shop) -> None:
    ada = spring.customer(None)
    sub = on_trial(spring, ada, require_payment=True)
    spring.time.advance(to=MID)
    assert spring.subscription(sub).status == "incomplete"
    spring.time.advance(hours=23)
    assert spring.subscription(sub).status == "expired"
    assert spring.statuses() == ["void"]


# ---- longer, shorter, over ---------------------------------------------------------------------


def test_an_extended_trial_is_free_until_its_new_end_and_counted_from_it(spring: Shop) -> None:
    sub = on_trial(spring)
    spring.billing.subscriptions.extend_trial(sub.id, until=date(2027, 2, 20))
    spring.billing.subscriptions.extend_trial(sub.id, until=date(2027, 3, 3))
    spring.time.expect(TrialStarted, TrialEnded, InvoicePaid).advance(to=date(2027, 3, 3))
    assert billed(spring) == [("2027-03-03/2027-04-03", "28.00 EUR")]


def test_a_shortened_trial_ends_earlier(spring: Shop) -> None:
    sub = on_trial(spring)
    spring.time.advance(to=date(2027, 2, 3))
    spring.billing.subscriptions.extend_trial(sub.id, until=date(2027, 2, 5))
    spring.time.advance(to=date(2027, 2, 5))
    assert spring.periods() == ["2027-02-05/2027-03-05"]


def test_a_trial_that_is_ended_now_is_billed_now(spring: Shop) -> None:
    sub = on_trial(spring)
    spring.time.advance(to=at("2027-02-07T15:00"))
    ended = spring.billing.subscriptions.end_trial(sub.id)
    assert (ended.status, spring.statuses()) == ("active", ["paid"])
    assert spring.periods() == ["2027-02-07/2027-03-07"]


def test_a_trial_is_not_extended_into_the_past_nor_after_it_is_over(spring: Shop) -> None:
    sub = on_trial(spring)
    spring.time.advance(to=date(2027, 2, 10))
    for day in (date(2027, 2, 9), date(2027, 2, 10)):
        with pytest.raises(ValidationError) as refused:
            spring.billing.subscriptions.extend_trial(sub.id, until=day)
        assert refused.value.field == "until"
    spring.clock.now = at("2027-02-16T00:00")  # it is over, though nothing has run
    with pytest.raises(InvalidTransition):
        spring.billing.subscriptions.extend_trial(sub.id, until=date(2027, 3, 1))
    with pytest.raises(InvalidTransition):
        spring.billing.subscriptions.end_trial(sub.id)
    assert spring.periods() == ["2027-02-15/2027-03-15"]


def test_what_is_ordered_in_a_trial_is_billed_at_its_end(spring: Shop) -> None:
    small, big = offer(spring), offer(spring, "62.00", name="Max", setup=eur("5.00"))
    sub = on_trial(spring, price=small)
    spring.billing.subscriptions.change(sub.id, swap={small.id: big.id})
    assert spring.invoices() == []
    spring.time.advance(to=MID)
    assert billed(spring)[-1] == ("2027-02-15/2027-03-15", "62.00 EUR")


# ---- the trial of a price ----------------------------------------------------------------------


@pytest.mark.parametrize("day", [5, 25])
def test_who_went_over_to_another_product_has_had_the_trial_of_the_first(
    spring: Shop, day: int
) -> None:
    tried = offer(spring, trial=Interval.days(14))
    other, ada = spring.price(eur("30.00"), name="Other"), spring.customer()
    create = spring.billing.subscriptions.create
    sub = create(ada.id, [tried.id])
    spring.time.advance(to=date(2027, 2, day))
    spring.billing.subscriptions.change(sub.id, [other.id])
    assert create(ada.id, [tried.id]).status == "active"
    assert create(spring.customer().id, [tried.id]).status == "trialing"


@pytest.mark.parametrize("day", [5, 25])
@pytest.mark.parametrize("how", ["remove", "all items", "scheduled"])
def test_who_had_a_product_removed_has_had_its_trial(spring: Shop, day: int, how: str) -> None:
    tried = offer(spring, trial=Interval.days(14))
    stays, ada = spring.price(eur("30.00"), name="Stays"), spring.customer()
    create, change = spring.billing.subscriptions.create, spring.billing.subscriptions.change
    sub = create(ada.id, [stays.id, tried.id])
    assert sub.status == "trialing"
    spring.time.advance(to=date(2027, 2, day))
    if how == "remove":
        change(sub.id, remove=[tried.id])
    elif how == "all items":
        change(sub.id, [stays.id])
    else:
        change(sub.id, remove=[tried.id], when=date(2027, 2, day + 1))
        spring.time.advance(to=date(2027, 2, day + 1))
    assert [item.price for item in spring.subscription(sub).items] == [stays.id]
    assert create(ada.id, [tried.id]).status == "active"
    assert create(spring.customer().id, [tried.id]).status == "trialing"
    # And with what it has after it, however it came to that.
    change(sub.id, add=[tried.id])
    assert create(ada.id, [tried.id]).status == "active"


def test_who_removed_what_he_had_swapped_to_has_had_the_trials_of_both(spring: Shop) -> None:
    first, second = (offer(spring, name=name, trial=Interval.days(14)) for name in ("A", "B"))
    stays, ada = spring.price(eur("30.00"), name="Stays"), spring.customer()
    create, change = spring.billing.subscriptions.create, spring.billing.subscriptions.change
    sub = create(ada.id, [stays.id, first.id])
    spring.time.advance(to=date(2027, 2, 20))
    change(sub.id, swap={first.id: second.id})
    change(sub.id, remove=[second.id])
    assert [create(ada.id, [each.id]).status for each in (first, second)] == ["active"] * 2


def test_the_trial_of_a_price_is_given_once_for_each_product(spring: Shop) -> None:
    ada = spring.customer()
    pro = offer(spring, trial=Interval.days(14))
    other = offer(spring, name="Other", trial=Interval.days(7))
    first = spring.billing.subscriptions.create(ada.id, [pro.id])
    assert first.status == "trialing"
    spring.billing.subscriptions.cancel(first.id, when="now")
    assert spring.billing.subscriptions.create(ada.id, [pro.id]).status == "active"
    assert spring.billing.subscriptions.create(ada.id, [other.id]).status == "trialing"
    bob = spring.customer(name="Bob")
    assert spring.billing.subscriptions.create(bob.id, [pro.id]).status == "trialing"


def test_of_two_prices_the_longest_trial_counts_for_both(spring: Shop) -> None:
    ada = spring.customer()
    short = offer(spring, trial=Interval.days(7))
    long = offer(spring, name="Long", trial=Interval.days(14))
    spring.billing.subscriptions.create(ada.id, [short.id, long.id])
    spring.time.expect(TrialEnded).advance(to=date(2027, 2, 15))
    assert {period for period, _ in billed(spring)} == {"2027-02-15/2027-03-15"}


def test_a_trial_that_is_given_by_hand_is_given_again(spring: Shop) -> None:
    ada, pro = spring.customer(), offer(spring, trial=Interval.days(7))
    first = on_trial(spring, ada, pro)
    spring.billing.subscriptions.cancel(first.id, when="now")
    assert on_trial(spring, ada, pro).status == "trialing"


def test_the_setup_fee_is_billed_with_the_first_period_and_not_in_the_trial(spring: Shop) -> None:
    on_trial(spring, price=offer(spring, setup=eur("50.00")))
    assert spring.invoices() == []
    spring.time.advance(to=MID)
    assert spring.totals() == ["78.00 EUR"]
    spring.time.advance(to=date(2027, 3, 15))
    assert spring.totals() == ["78.00 EUR", "28.00 EUR"]


# ---- usage in a trial --------------------------------------------------------------------------


def metered(shop: Shop, *, billed: bool = False, aggregation: str = "sum") -> Price:
    shop.billing.usage.add_meter("calls", aggregation=aggregation)
    return shop.billing.catalog.add_price(
        "Calls",
        PerUnit("28.00" if aggregation == "time_weighted" else "1.00"),
        currency="EUR",
        every=MONTHLY,
        meter="calls",
        trial_usage_billed=billed,
    )


def test_free_usage_of_a_trial_is_shown_and_costs_nothing(spring: Shop) -> None:
    sub = on_trial(spring, price=metered(spring))
    spring.billing.usage.record(sub.id, "calls", event_id="e1", quantity=7)
    (shown,) = spring.billing.usage.summary(sub.id)
    assert (shown.quantity, shown.count, shown.amount) == (Decimal(7), 1, eur("0.00"))
    assert str(shown.period) == "2027-02-01/2027-02-15"
    spring.time.advance(to=MID)
    (shown,) = spring.billing.usage.summary(sub.id)
    assert (shown.quantity, str(shown.period)) == (Decimal(0), "2027-02-15/2027-03-15")
    spring.time.advance(to=date(2027, 4, 1))
    assert spring.invoices() == []


def test_billed_usage_of_a_trial_is_on_the_first_invoice_under_its_own_days(spring: Shop) -> None:
    sub = on_trial(spring, price=metered(spring, billed=True))
    spring.billing.usage.record(sub.id, "calls", event_id="e1", quantity=7)
    (shown,) = spring.billing.usage.summary(sub.id)
    assert (shown.quantity, shown.late_amount) == (Decimal(0), eur("7.00"))
    spring.time.advance(to=date(2027, 2, 20))
    spring.billing.usage.record(sub.id, "calls", event_id="e2", quantity=2)
    assert spring.invoices() == [], "no charge inside it"
    spring.time.advance(to=date(2027, 3, 15))
    assert sorted(billed(spring)) == [
        ("2027-02-01/2027-02-15", "7.00 EUR"),
        ("2027-02-15/2027-03-15", "2.00 EUR"),
    ]


def test_no_threshold_charges_inside_a_trial(spring: Shop) -> None:
    price = metered(spring, billed=True)
    sub = on_trial(spring, price=price, threshold=eur("5.00"))
    spring.billing.usage.record(sub.id, "calls", event_id="e1", quantity=70)
    spring.time.expect(TrialStarted, TrialEnded).advance(to=date(2027, 2, 20))
    assert spring.invoices() == []


def test_seats_that_are_taken_in_a_trial_are_paid_for_after_it(spring: Shop) -> None:
    sub = on_trial(spring, price=metered(spring, aggregation="time_weighted"))
    spring.billing.usage.record(sub.id, "calls", event_id="e1", quantity=3)
    spring.time.advance(to=date(2027, 3, 15))
    assert billed(spring) == [("2027-02-15/2027-03-15", "84.00 EUR")]


def test_seats_that_were_given_up_in_a_trial_are_not_paid_for(spring: Shop) -> None:
    sub = on_trial(spring, price=metered(spring, aggregation="time_weighted"))
    spring.billing.usage.record(sub.id, "calls", event_id="e1", quantity=3)
    spring.time.advance(to=date(2027, 2, 10))
    spring.billing.usage.record(sub.id, "calls", event_id="e2", quantity=1)
    spring.billing.subscriptions.end_trial(sub.id)
    spring.time.advance(to=date(2027, 3, 10))
    assert billed(spring) == [("2027-02-10/2027-03-10", "28.00 EUR")]


def test_seats_of_a_long_trial_are_billed_after_it_where_that_is_agreed(spring: Shop) -> None:
    price = metered(spring, billed=True, aggregation="time_weighted")
    sub = on_trial(spring, price=price, trial_until=date(2027, 4, 1))
    spring.billing.usage.record(sub.id, "calls", event_id="e1", quantity=3)
    spring.time.advance(to=date(2027, 5, 1))
    # Three seats in February, March and April.
    assert sum(invoice.total_minor for invoice in spring.invoices()) == 3 * 3 * 2800


# ---- introductory prices, phases, terms --------------------------------------------------------


def test_a_first_quarter_for_less_and_then_for_ever(spring: Shop) -> None:
    price = offer(spring, "29.00", introductory=[(3, eur("9.00"))])
    spring.subscribe(spring.customer(), price)
    spring.time.advance(to=date(2027, 6, 1))
    assert spring.totals() == ["9.00 EUR", "9.00 EUR", "9.00 EUR", "29.00 EUR", "29.00 EUR"]


def test_the_introductory_price_begins_after_the_trial(spring: Shop) -> None:
    on_trial(spring, price=offer(spring, "29.00", introductory=[(1, eur("9.00"))]))
    spring.time.advance(to=date(2027, 3, 15))
    assert spring.totals() == ["9.00 EUR", "29.00 EUR"]


def test_a_fixed_term_ends_by_itself_and_is_over(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), offer(spring, term_periods=3))
    spring.time.expect(InvoicePaid, InvoicePaid, InvoicePaid, SubscriptionEnded).advance(
        to=date(2027, 8, 1)
    )
    over = spring.subscription(sub)
    assert over.status == "expired"
    assert over.contract == Ended(at("2027-05-01"), EndReason.TERM_ENDED)


def test_a_fixed_term_that_is_cancelled_early_is_cancelled(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), offer(spring, term_periods=3))
    spring.billing.subscriptions.cancel(sub.id)
    spring.time.advance(to=date(2027, 8, 1))
    assert (spring.subscription(sub).status, len(spring.invoices())) == ("canceled", 1)


def test_a_fixed_term_that_is_lifted_goes_on(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), offer(spring, term_periods=1))
    spring.billing.subscriptions.set_end(sub.id, on=None)
    spring.time.advance(to=date(2027, 4, 1))
    assert (spring.subscription(sub).status, len(spring.invoices())) == ("active", 3)


def test_a_fixed_term_is_not_lost_when_a_cancellation_is_undone(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), offer(spring, term_periods=3))
    spring.billing.subscriptions.cancel(sub.id, when=date(2027, 3, 10))
    spring.billing.subscriptions.undo_cancel(sub.id)
    with pytest.raises(InvalidTransition):
        spring.billing.subscriptions.undo_cancel(sub.id)
    spring.time.advance(to=date(2027, 8, 1))
    assert (spring.subscription(sub).status, len(spring.invoices())) == ("expired", 3)


def test_no_cancellation_prolongs_a_fixed_term(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), offer(spring, term_periods=1))
    with pytest.raises(ValidationError, match="when: 2027-03-01 or earlier"):
        spring.billing.subscriptions.cancel(sub.id, when=date(2027, 3, 2))


def test_a_term_that_is_set_ends_it_and_what_is_beyond_is_given_back(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), offer(spring, "28.00"))
    spring.billing.subscriptions.set_end(sub.id, on=date(2027, 2, 15))
    spring.time.advance(to=date(2027, 3, 1))
    # 14 of the 28 days of February were not used.
    assert spring.totals() == ["28.00 EUR", "-14.00 EUR"]
    assert spring.subscription(sub).status == "expired"
    with pytest.raises(InvalidTransition):
        spring.billing.subscriptions.set_end(sub.id, on=None)


def test_an_end_in_the_past_is_refused(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), offer(spring))
    with pytest.raises(ValidationError, match="on: after today"):
        spring.billing.subscriptions.set_end(sub.id, on=date(2027, 2, 1))


def test_a_fixed_term_is_as_long_when_the_trial_before_it_was_extended(spring: Shop) -> None:
    sub = on_trial(spring, price=offer(spring, term_periods=2))
    spring.billing.subscriptions.extend_trial(sub.id, until=date(2027, 3, 15))
    spring.time.advance(to=date(2027, 8, 1))
    assert spring.periods() == ["2027-03-15/2027-04-15", "2027-04-15/2027-05-15"]


def test_in_the_calendar_too_an_extended_trial_leaves_the_term_its_months(spring: Shop) -> None:
    sub = on_trial(spring, price=offer(spring, "31.00", term_periods=2), align=Calendar())
    spring.billing.subscriptions.extend_trial(sub.id, until=date(2027, 3, 22))
    spring.time.advance(to=date(2027, 8, 1))
    assert billed(spring) == [
        ("2027-03-22/2027-04-01", "10.00 EUR"),
        ("2027-04-01/2027-05-01", "31.00 EUR"),
        ("2027-05-01/2027-06-01", "31.00 EUR"),
    ]


@pytest.mark.parametrize("lasts", [Interval.months(1), Interval.days(10)])
def test_phases_are_as_long_when_the_trial_before_them_ends_earlier(
    spring: Shop, lasts: Interval
) -> None:
    small, big = offer(spring, "28.00"), offer(spring, "56.00", name="Max")
    ada = spring.customer()
    sub = spring.billing.subscriptions.create(
        ada.id, phases=[Phase((small.id,), lasts), Phase((big.id,))], trial_until=date(2027, 3, 1)
    )
    spring.billing.subscriptions.end_trial(sub.id)
    (planned,) = spring.subscription(sub).schedule
    assert planned.on == (date(2027, 3, 1) if lasts == MONTHLY else date(2027, 2, 11))


def test_a_cancellation_by_hand_keeps_its_day_when_a_trial_is_extended(spring: Shop) -> None:
    sub = on_trial(spring)
    spring.billing.subscriptions.cancel(sub.id, when=date(2027, 3, 1))
    spring.billing.subscriptions.extend_trial(sub.id, until=date(2027, 4, 1))
    spring.time.expect(SubscriptionEnded).advance(to=date(2027, 5, 1))
    assert spring.invoices() == []


def test_an_item_with_a_term_goes_and_the_others_stay(spring: Shop) -> None:
    stays, goes = offer(spring, "28.00"), offer(spring, "5.00", name="Promo", term_periods=2)
    ada = spring.customer()
    sub = spring.billing.subscriptions.create(ada.id, [stays.id, goes.id])
    spring.time.expect(SubscriptionChanged).advance(to=date(2027, 5, 2))
    assert spring.totals() == ["33.00 EUR", "33.00 EUR", "28.00 EUR", "28.00 EUR"]
    assert [item.price for item in spring.subscription(sub).items] == [stays.id]


def test_phases_follow_each_other_and_the_last_goes_on(spring: Shop) -> None:
    small, big = offer(spring, "10.00"), offer(spring, "20.00", name="Max")
    ada = spring.customer()
    spring.billing.subscriptions.create(
        ada.id,
        phases=[
            Phase((small.id,), Interval.months(2)),
            Phase(((big.id, 3),), Interval.months(1)),
            Phase((big.id,)),
        ],
    )
    spring.time.advance(to=date(2027, 6, 1))
    assert spring.totals() == ["10.00 EUR", "10.00 EUR", "60.00 EUR", "20.00 EUR", "20.00 EUR"]


def test_when_the_last_phase_ends_so_does_the_subscription(spring: Shop) -> None:
    small, big = offer(spring, "10.00"), offer(spring, "200.00", name="Year", every=YEARLY)
    ada = spring.customer()
    sub = spring.billing.subscriptions.create(
        ada.id,
        phases=[Phase((small.id,), Interval.months(1)), Phase((big.id,), Interval.years(1))],
    )
    spring.time.expect(InvoicePaid, InvoicePaid, SubscriptionEnded).advance(to=date(2028, 6, 1))
    assert spring.totals() == ["10.00 EUR", "200.00 EUR"]
    assert spring.subscription(sub).status == "expired"


def test_a_phase_that_ends_within_a_period_costs_its_part(spring: Shop) -> None:
    small, big = offer(spring, "28.00"), offer(spring, "56.00", name="Max")
    ada = spring.customer()
    spring.billing.subscriptions.create(
        ada.id, phases=[Phase((small.id,), Interval.days(14)), Phase((big.id,))]
    )
    spring.time.advance(to=date(2027, 3, 1))
    # Half of February at 28.00 and half at 56.00, and March.
    assert sum(invoice.total_minor for invoice in spring.invoices()) == 1400 + 2800 + 5600


def test_what_is_charged_once_is_no_part_of_a_later_phase(spring: Shop) -> None:
    pro, once = offer(spring), offer(spring, name="Setup", every=None)
    phases = [Phase((pro.id, once.id), MONTHLY), Phase((pro.id,))]
    create = spring.billing.subscriptions.create
    sub = create(spring.customer().id, phases=phases)
    assert len(spring.only_invoice().lines) == 2
    with pytest.raises(ValidationError, match="charged once"):
        create(sub.customer, phases=[Phase((pro.id,), MONTHLY), phases[0]])
    with pytest.raises(ValidationError, match="quantity"):
        create(sub.customer, phases=[phases[0], Phase(((pro.id, 0),))])


def test_a_phase_in_the_middle_needs_an_end(spring: Shop) -> None:
    price, ada = offer(spring), spring.customer()
    before = spring.events()
    with pytest.raises(ValidationError) as refused:
        spring.billing.subscriptions.create(
            ada.id, phases=[Phase((price.id,)), Phase((price.id,), MONTHLY)]
        )
    assert refused.value.field == "phases"
    assert spring.events() == before
