"""First periods that are a stub, and billing dates that are moved while one is running."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from subscriptions.alignment import DayOfMonth
from subscriptions.catalog import Price
from subscriptions.lifecycle import Subscription
from tests.scenarios.shop import Shop, eur

Opened = Callable[..., Shop]
CUT, LATER = date(2028, 1, 25), date(2028, 2, 13)


@pytest.fixture
def winter(open_a_shop: Opened) -> Shop:
    """A shop that opens on 8 January: of 31 days 24 are left."""
    return open_a_shop(start=date(2028, 1, 8))


def with_stub(shop: Shop, first_stub: str, moved_to: date) -> tuple[Subscription, Price]:
    """Subscribe to 31.00 a month, move the billing date on the 12th, and go to the 19th."""
    pro = shop.price(eur("31.00"))
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [pro.id], align=DayOfMonth(1), first_stub=first_stub
    )
    shop.time.advance(to=date(2028, 1, 12))
    shop.billing.subscriptions.set_next_billing(sub.id, on=moved_to)
    shop.time.advance(to=date(2028, 1, 19))
    return sub, pro


def waiting(shop: Shop, sub: Subscription) -> int:
    return sum(charge.amount_minor for charge in shop.subscription(sub).pending)


# 12 of February's 29 days are 12.83; 7 of the stub's 24 days are 9.04 of 31.00, or 7.00.
@pytest.mark.parametrize(
    ("first_stub", "moved_to", "costs", "doubled"),
    [
        ("prorated", LATER, 1283, 1283 + 1300 + 1283),
        ("prorated", CUT, -700, -700 + 600),
        # What the stub costs in full, it costs twice in full: 13 of 24 days, or 6.
        ("full", LATER, 1283, 1283 + 1679 + 1283),
        ("full", CUT, -904, -904 + 775),
        # Nothing of the free stub costs anything, but what comes after it does.
        ("free", LATER, 1283, 2566),
        ("free", CUT, 0, 0),
    ],
)
def test_a_change_in_a_stub_whose_end_was_moved_is_measured_by_the_stub(
    winter: Shop, first_stub: str, moved_to: date, costs: int, doubled: int
) -> None:
    sub, pro = with_stub(winter, first_stub, moved_to)
    assert waiting(winter, sub) == costs
    change = winter.billing.subscriptions.change
    change(sub.id, quantities={pro.id: 2})
    assert waiting(winter, sub) == doubled
    change(sub.id, quantities={pro.id: 1})
    assert waiting(winter, sub) == costs


@pytest.mark.parametrize("settlement", ["none", "credit", "refund"])
def test_in_a_free_stub_that_was_lengthened_one_may_leave(winter: Shop, settlement: str) -> None:
    sub, _ = with_stub(winter, "free", LATER)
    winter.billing.subscriptions.cancel(sub.id, when="now", settlement=settlement)
    winter.time.advance(months=3)
    owed = "12.83 EUR" if settlement == "none" else None
    assert winter.totals() == ([owed] if owed else [])


def test_a_change_in_a_free_stub_that_was_lengthened_may_be_planned(winter: Shop) -> None:
    sub, pro = with_stub(winter, "free", LATER)
    schedule = winter.billing.subscriptions.schedule
    schedule(sub.id, quantities={pro.id: 2}, on=date(2028, 1, 22))
    winter.time.advance(to=LATER)
    assert winter.subscription(sub).parked is None
    assert winter.totals() == ["87.66 EUR"]


@pytest.mark.parametrize("quantity", [1, 3])
def test_a_change_in_the_trial_leaves_the_free_stub_after_it(winter: Shop, quantity: int) -> None:
    pro = winter.price(eur("31.00"))
    sub = winter.billing.subscriptions.create(
        winter.customer().id,
        [(pro.id, 2)],
        trial_until=date(2028, 1, 15),
        align=DayOfMonth(1),
        first_stub="free",
    )
    winter.time.advance(to=date(2028, 1, 12))
    winter.billing.subscriptions.change(sub.id, quantities={pro.id: quantity})
    winter.time.advance(to=date(2028, 2, 1))
    (invoice,) = winter.invoices()
    assert [(str(line.period), line.amount) for line in invoice.lines] == [
        ("2028-02-01/2028-03-01", eur("31.00") * quantity)
    ]
