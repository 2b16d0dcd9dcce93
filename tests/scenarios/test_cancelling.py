"""Cancelling: when it ends, what becomes of the money, and how it comes back to life."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Literal

import pytest

from subscriptions import InvalidTransition, PerUnit, ValidationError
from subscriptions.catalog import Price
from subscriptions.customers import Customer
from subscriptions.invoices import InvoiceFinalized, InvoicePaid
from subscriptions.lifecycle import (
    Ended,
    EndReason,
    Subscription,
    SubscriptionEnded,
    SubscriptionReactivated,
)
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]


@pytest.fixture
def spring(open_a_shop: Opened) -> Shop:
    """A shop that opens on the first of February: a month of 28 days."""
    return open_a_shop(start=date(2027, 2, 1))


def pro(shop: Shop, amount: str = "28.00") -> Price:
    return shop.price(eur(amount))


def calls(shop: Shop, amount: str = "1.00") -> Price:
    shop.billing.usage.add_meter("calls")
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


def credit(shop: Shop, customer: Customer) -> int:
    return shop.billing.customers.get(customer.id).credit_minor(eur("1").currency)


# ---- at once -----------------------------------------------------------------------------------


def test_at_once_without_settlement_what_was_paid_is_kept(spring: Shop) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, pro(spring))
    spring.time.advance(to=date(2027, 2, 15))
    spring.billing.subscriptions.cancel(sub.id, when="now")
    assert (spring.totals(), credit(spring, ada)) == (["28.00 EUR"], 0)


def test_at_once_with_credit_the_unused_days_go_to_the_balance_and_pay_the_next_invoice(
    spring: Shop,
) -> None:
    ada, price = spring.customer(), pro(spring)
    sub = spring.subscribe(ada, price)
    spring.time.advance(to=at("2027-02-15T18:00"))
    spring.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    # The fifteenth is not used: 14 of 28 days.
    assert spring.lines(spring.invoices()[-1]) == ["credit Pro -14.00 EUR"]
    assert credit(spring, ada) == 1400
    spring.time.advance(to=date(2027, 3, 1))
    spring.subscribe(ada, price)
    assert (spring.invoices()[-1].due_minor, credit(spring, ada)) == (0, 0)
    assert spring.payments()[-1].amount_minor == 1400


def test_at_once_what_was_used_is_taken_off_what_is_given_back(spring: Shop) -> None:
    ada = spring.customer()
    sub = spring.billing.subscriptions.create(ada.id, [pro(spring).id, calls(spring).id])
    spring.time.advance(to=at("2027-02-15T18:00"))
    spring.billing.usage.record(sub.id, "calls", event_id="e1", quantity=5)
    spring.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    assert sorted(spring.lines(spring.invoices()[-1])) == [
        "credit Pro -14.00 EUR",
        "usage Calls 5.00 EUR",
    ]
    assert credit(spring, ada) == 900


def test_on_its_first_day_all_of_it_is_given_back(spring: Shop) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, pro(spring))
    spring.time.advance(hours=20)
    spring.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    assert credit(spring, ada) == 2800


def test_on_the_day_of_a_renewal_the_new_period_is_given_back_whole(spring: Shop) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, pro(spring))
    spring.time.advance(to=at("2027-03-01T09:00"))
    spring.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    assert credit(spring, ada) == 2800


# ---- on a day ----------------------------------------------------------------------------------


@pytest.mark.parametrize("asked_on", [date(2027, 2, 10), date(2027, 3, 5)])
def test_for_credit_it_comes_to_the_same_money_before_and_after_the_period_was_billed(
    spring: Shop, asked_on: date
) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, pro(spring, "31.00"))
    spring.time.advance(to=asked_on)
    spring.billing.subscriptions.cancel(sub.id, when=date(2027, 3, 11), settlement="credit")
    spring.time.advance(to=date(2027, 4, 15))
    # Ten days of March: 10.00; asked in March, 21.00 of the 31.00 that were paid come back.
    paid = sum(invoice.paid_minor for invoice in spring.invoices())
    assert paid - credit(spring, ada) == 3100 + 1000
    assert spring.subscription(sub).contract == Ended(at("2027-03-11"), EndReason.CANCELED)


def test_without_settlement_the_last_period_is_billed_whole(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring, "31.00"))
    spring.billing.subscriptions.cancel(sub.id, when=date(2027, 3, 11))
    spring.time.expect(SubscriptionEnded).advance(to=date(2027, 4, 15))
    assert billed(spring) == [
        ("2027-02-01/2027-03-01", "31.00 EUR"),
        ("2027-03-01/2027-04-01", "31.00 EUR"),
    ]


def test_a_yearly_item_is_given_back_by_the_day_and_the_monthly_one_too(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(start=date(2027, 1, 1))
    ada = shop.customer()
    monthly, yearly = shop.price(eur("31.00")), shop.price(eur("365.00"), every=YEARLY)
    sub = shop.billing.subscriptions.create(ada.id, [monthly.id, yearly.id])
    shop.time.advance(to=date(2027, 3, 11))
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    # 296 days of the year at 1.00, 21 days of March at 1.00.
    assert credit(shop, ada) == 29600 + 2100


def test_in_arrears_only_the_days_until_the_end_are_billed(spring: Shop) -> None:
    price = spring.billing.catalog.add_price("Seats", eur("31.00"), every=MONTHLY, arrears=True)
    sub = spring.subscribe(spring.customer(), price)
    spring.time.advance(to=date(2027, 3, 5))
    spring.billing.subscriptions.cancel(sub.id, when=date(2027, 3, 11))
    spring.time.advance(to=date(2027, 5, 1))
    assert billed(spring) == [
        ("2027-02-01/2027-03-01", "31.00 EUR"),
        ("2027-03-01/2027-03-11", "10.00 EUR"),
    ]


def test_a_setup_fee_is_never_given_back(spring: Shop) -> None:
    ada = spring.customer()
    price = spring.billing.catalog.add_price("Pro", eur("28.00"), every=MONTHLY, setup=eur("50.00"))
    sub = spring.subscribe(ada, price)
    assert spring.totals() == ["78.00 EUR"]
    spring.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    assert credit(spring, ada) == 2800


# ---- what it does to other things --------------------------------------------------------------


def test_a_late_run_gives_the_same_as_one_in_time(open_a_shop: Opened) -> None:
    def run(shop: Shop, *, daily: bool) -> list[tuple[str, str]]:
        sub = shop.subscribe(shop.customer(), pro(shop))
        shop.billing.subscriptions.cancel(sub.id, when=date(2027, 4, 10), settlement="credit")
        while daily and shop.time.now < at("2027-06-01"):
            shop.time.advance(days=1)
        shop.time.advance(to=date(2027, 6, 1))
        return billed(shop)

    first = run(open_a_shop(start=date(2027, 2, 1), tenant="one", process="a"), daily=True)
    second = run(open_a_shop(start=date(2027, 2, 1), tenant="two", process="b"), daily=False)
    assert first == second
    assert first[-1] == ("2027-04-01/2027-04-10", "8.40 EUR")


def test_an_end_that_is_overdue_is_not_undone(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    spring.billing.subscriptions.cancel(sub.id)
    spring.clock.now = at("2027-03-05T08:00")  # nothing ran since February
    with pytest.raises(InvalidTransition):
        spring.billing.subscriptions.undo_cancel(sub.id)
    spring.time.advance(to=date(2027, 3, 6))
    assert spring.subscription(sub).contract == Ended(at("2027-03-01"), EndReason.CANCELED)


def test_what_is_planned_and_pending_ends_with_it(spring: Shop) -> None:
    small, big = pro(spring), spring.price(eur("62.00"), name="Max")
    sub = spring.subscribe(spring.customer(), small)
    spring.billing.subscriptions.schedule(sub.id, swap={small.id: big.id}, on=date(2027, 3, 20))
    spring.billing.subscriptions.cancel(sub.id)
    spring.time.expect(InvoicePaid, SubscriptionEnded).advance(to=date(2027, 5, 1))
    assert spring.subscription(sub).schedule == ()


def test_a_proration_that_waits_is_billed_with_the_end(spring: Shop) -> None:
    small, big = pro(spring), spring.price(eur("56.00"), name="Max")
    sub = spring.subscribe(spring.customer(), small)
    spring.time.advance(to=date(2027, 2, 15))
    spring.billing.subscriptions.change(sub.id, swap={small.id: big.id})
    spring.billing.subscriptions.cancel(sub.id)
    spring.time.advance(to=date(2027, 3, 1))
    # Half the month at 56.00 instead of 28.00
    assert spring.totals() == ["28.00 EUR", "14.00 EUR"]
    assert spring.subscription(sub).status == "canceled"


@pytest.mark.parametrize("settlement", ["none", "credit", "refund"])
@pytest.mark.parametrize("when", ["now", "period_end", date(2027, 2, 10)])
def test_in_a_trial_there_is_nothing_to_settle(
    spring: Shop, settlement: str, when: Literal["now", "period_end"] | date
) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring), trial_until=date(2027, 2, 15))
    spring.billing.subscriptions.cancel(sub.id, when=when, settlement=settlement)
    spring.time.expect(SubscriptionEnded).advance(to=date(2027, 4, 1))
    assert (spring.invoices(), spring.payments()) == ([], [])


# ---- back to life ------------------------------------------------------------------------------


def test_before_the_end_it_goes_on_as_if_nothing_had_been(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    spring.billing.subscriptions.cancel(sub.id)
    spring.time.advance(to=date(2027, 2, 20))
    again = spring.billing.subscriptions.reactivate(sub.id)
    assert (again.status, again.cancellation) == ("active", None)
    spring.time.expect(InvoicePaid).advance(to=date(2027, 3, 1))
    assert spring.periods() == ["2027-02-01/2027-03-01", "2027-03-01/2027-04-01"]


def test_after_the_end_a_new_period_begins_today(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    spring.billing.subscriptions.cancel(sub.id)
    spring.time.advance(to=date(2027, 3, 20))
    again = spring.billing.subscriptions.reactivate(sub.id)
    assert again.status == "active"
    assert spring.periods()[1:] == ["2027-03-20/2027-04-20"]
    spring.time.expect(SubscriptionReactivated, InvoicePaid, InvoicePaid).advance(
        to=date(2027, 4, 20)
    )
    assert spring.periods()[2:] == ["2027-04-20/2027-05-20"]


def test_with_its_anchor_kept_the_first_period_is_a_stub(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring, "31.00"))
    spring.billing.subscriptions.cancel(sub.id)
    spring.time.advance(to=date(2027, 3, 22))
    spring.billing.subscriptions.reactivate(sub.id, keep_anchor=True)
    assert billed(spring)[1:] == [("2027-03-22/2027-04-01", "10.00 EUR")]
    spring.time.advance(to=date(2027, 4, 1))
    assert billed(spring)[2:] == [("2027-04-01/2027-05-01", "31.00 EUR")]


def test_time_that_is_still_paid_for_is_not_paid_for_again(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    spring.time.advance(to=date(2027, 2, 10))
    spring.billing.subscriptions.cancel(sub.id, when="now")
    spring.time.advance(to=date(2027, 2, 20))
    spring.billing.subscriptions.reactivate(sub.id)
    assert spring.totals() == ["28.00 EUR"]
    spring.time.advance(to=date(2027, 3, 1))
    assert spring.periods() == ["2027-02-01/2027-03-01", "2027-03-01/2027-04-01"]


def test_time_that_was_given_back_is_paid_for_again(spring: Shop) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, pro(spring))
    spring.time.advance(to=date(2027, 2, 10))
    spring.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    assert credit(spring, ada) == 1900
    spring.time.advance(to=date(2027, 2, 20))
    spring.billing.subscriptions.reactivate(sub.id)
    assert billed(spring)[-1] == ("2027-02-20/2027-03-20", "28.00 EUR")
    assert (spring.payments()[-1].amount_minor, credit(spring, ada)) == (900, 0)


def test_usage_from_before_the_end_is_not_billed_again_after_it(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), calls(spring))
    spring.time.advance(to=at("2027-02-10T12:00"))
    spring.billing.usage.record(sub.id, "calls", event_id="e1", quantity=10)
    spring.billing.subscriptions.cancel(sub.id, when="now")
    assert spring.totals() == ["10.00 EUR"]
    spring.time.advance(to=at("2027-02-20T12:00"))
    spring.billing.subscriptions.reactivate(sub.id, keep_anchor=True)
    spring.billing.usage.record(sub.id, "calls", event_id="e2", quantity=3)
    spring.time.advance(to=date(2027, 3, 2))
    assert spring.totals() == ["10.00 EUR", "3.00 EUR"]


def test_what_ended_for_want_of_payment_is_not_free_when_it_comes_back(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    spring.billing.subscriptions.cancel(sub.id, when=date(2027, 3, 15))
    spring.time.advance(to=date(2027, 3, 15))
    spring.billing.subscriptions.reactivate(sub.id)
    # March was billed whole and without settlement: it is still his.
    assert spring.periods() == ["2027-02-01/2027-03-01", "2027-03-01/2027-04-01"]
    spring.time.advance(to=date(2027, 4, 1))
    assert len(spring.invoices()) == 3


def test_it_may_end_and_come_back_many_times(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring))
    for _ in range(4):
        spring.billing.subscriptions.cancel(sub.id, when="now")
        spring.billing.subscriptions.reactivate(sub.id)
    assert spring.totals() == ["28.00 EUR"]
    with pytest.raises(InvalidTransition):
        spring.billing.subscriptions.reactivate(sub.id)


def test_a_trial_that_was_cancelled_is_not_a_second_trial(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), pro(spring), trial_until=date(2027, 2, 15))
    spring.billing.subscriptions.cancel(sub.id, when="now")
    spring.time.advance(to=date(2027, 2, 5))
    again = spring.billing.subscriptions.reactivate(sub.id)
    assert again.status in {"active", "past_due"}
    spring.time.advance(to=date(2027, 2, 20))
    assert [line.period for each in spring.invoices() for line in each.lines] != []


def test_what_was_planned_or_promised_is_not_forgotten_by_undoing(spring: Shop) -> None:
    small, big = pro(spring), spring.price(eur("62.00"), name="Max")
    sub = spring.subscribe(spring.customer(), small)
    spring.billing.subscriptions.schedule(sub.id, swap={small.id: big.id}, on=date(2027, 3, 1))
    spring.billing.subscriptions.cancel(sub.id)
    spring.billing.subscriptions.undo_cancel(sub.id)
    spring.time.expect(InvoiceFinalized, InvoiceFinalized).advance(to=date(2027, 3, 1))
    assert spring.totals() == ["28.00 EUR", "62.00 EUR"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"when": "tomorrow"}, "when"),
        ({"when": datetime(2027, 3, 1, tzinfo=UTC)}, "when"),
        ({"when": date(2027, 1, 31)}, "when"),
        ({"settlement": "half"}, "settlement"),
        ({"reason": 7}, "reason"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(
    spring: Shop, given: dict[str, object], field: str
) -> None:
    sub: Subscription = spring.subscribe(spring.customer(), pro(spring))
    before = spring.events()
    with pytest.raises(ValidationError) as refused:
        spring.billing.subscriptions.cancel(sub.id, **given)  # type: ignore[arg-type]
    assert refused.value.field == field
    assert spring.events() == before
