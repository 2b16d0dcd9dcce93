"""What was used in a trial of which the usage is billed: it is owed however the trial ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from attrs import define

from subscriptions import PerUnit
from subscriptions.alignment import Calendar
from subscriptions.catalog import Price
from subscriptions.customers import Customer
from subscriptions.lifecycle import Subscription
from tests.scenarios.shop import MONTHLY, Shop, eur

Opened = Callable[..., Shop]
UNTIL = date(2027, 2, 15)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@define
class Trial:
    """A shop that opens on the first of February, and what it sells with a trial of two weeks."""

    shop: Shop

    def calls(self, *, billed: bool = True, aggregation: str = "sum", **more: object) -> Price:
        """Offer calls at 1.00 each, or seats at 28.00 a month, for at least 50.00."""
        self.shop.billing.usage.add_meter("calls", aggregation=aggregation)
        given: dict[str, object] = {"minimum": eur("50.00"), **more}
        return self.shop.billing.catalog.add_price(
            "Calls",
            PerUnit("28.00" if aggregation == "time_weighted" else "1.00"),
            currency="EUR",
            every=MONTHLY,
            meter="calls",
            trial_usage_billed=billed,
            **given,  # type: ignore[arg-type]  # passed on
        )

    def sell(self, price: Price, customer: Customer | None = None, **more: object) -> Subscription:
        given: dict[str, object] = {"trial_until": UNTIL, **more}
        buyer = customer or self.shop.customer()
        return self.shop.billing.subscriptions.create(buyer.id, [price.id], **given)  # type: ignore[arg-type]  # passed on

    def use(self, sub: Subscription, quantity: int, when: datetime | None = None) -> None:
        count = len(list(self.shop.billing.usage.list()))
        self.shop.billing.usage.record(
            sub.id, "calls", event_id=f"e{count}", quantity=quantity, occurred_at=when
        )

    def billed(self) -> list[str]:
        """Return the lines of each invoice: kind, period and amount."""
        return [
            f"{line.kind} {line.period} {line.amount - line.discount}"
            for invoice in self.shop.invoices()
            for line in invoice.lines
        ]


@pytest.fixture
def trial(open_a_shop: Opened) -> Trial:
    return Trial(open_a_shop(start=date(2027, 2, 1)))


@pytest.mark.parametrize("billed", [True, False])
@pytest.mark.parametrize("when", ["now", "date", "period_end", "no way to pay"])
def test_what_was_used_is_billed_when_it_ends_within_the_trial_where_that_was_agreed(
    trial: Trial, when: str, *, billed: bool
) -> None:
    shop = trial.shop
    ada = shop.customer(None if when == "no way to pay" else "tok_visa")
    sub = trial.sell(trial.calls(billed=billed), ada, trial_end="cancel")
    shop.time.advance(to=date(2027, 2, 5))
    trial.use(sub, 3)
    trial.use(sub, 4, at("2027-02-02"))
    cancel = shop.billing.subscriptions.cancel
    if when == "now":
        shop.time.advance(to=at("2027-02-10T12:00"))
        cancel(sub.id, when="now")
    elif when == "date":
        cancel(sub.id, when=date(2027, 2, 10))
    elif when == "period_end":
        cancel(sub.id)
    shop.time.advance(to=date(2027, 2, 16))
    assert shop.subscription(sub).status == "canceled"
    # No minimum is owed for a trial.
    end = "2027-02-10" if when in {"now", "date"} else "2027-02-15"
    assert trial.billed() == ([f"late_usage 2027-02-01/{end} 7.00 EUR"] if billed else [])
    paid = "open" if when == "no way to pay" else "paid"
    assert shop.statuses() == ([paid] if billed else [])


@pytest.mark.parametrize("then", ["resume", "cancel"])
def test_of_a_trial_that_ends_in_a_pause_usage_is_billed_when_it_goes_on_or_is_over(
    trial: Trial, then: str
) -> None:
    shop, ada = trial.shop, trial.shop.customer(None)
    sub = trial.sell(trial.calls(minimum=None), ada, trial_end="pause")
    trial.use(sub, 7)
    shop.time.advance(to=date(2027, 2, 20))
    assert (shop.subscription(sub).status, shop.invoices()) == ("paused", [])
    shop.billing.payment_methods.attach(ada.id, "tok_visa")
    if then == "resume":
        shop.billing.subscriptions.resume(sub.id)
        trial.use(sub, 2)
    else:
        shop.billing.subscriptions.cancel(sub.id, when="now")
    shop.time.advance(to=date(2027, 4, 1))
    expected = ["late_usage 2027-02-01/2027-02-15 7.00 EUR"]
    if then == "resume":
        expected = ["usage 2027-02-20/2027-03-15 2.00 EUR", *expected]
    assert trial.billed() == expected


def test_no_minimum_is_owed_for_a_trial_nor_met_by_it(trial: Trial) -> None:
    sub = trial.sell(trial.calls())
    trial.use(sub, 70)
    trial.shop.time.advance(to=date(2027, 3, 15))
    assert sorted(trial.billed()) == [
        "late_usage 2027-02-01/2027-02-15 70.00 EUR",
        "true_up 2027-02-15/2027-03-15 50.00 EUR",
    ]


def test_seats_of_a_trial_are_billed_until_the_instant_at_which_it_ends(trial: Trial) -> None:
    sub = trial.sell(trial.calls(aggregation="time_weighted"))
    trial.use(sub, 3)
    trial.shop.time.advance(to=at("2027-02-08T12:00"))
    trial.shop.billing.subscriptions.cancel(sub.id, when="now")
    # Seven and a half of the 31 days from 15 January on.
    assert trial.billed() == ["late_usage 2027-02-01/2027-02-08 20.32 EUR"]


def test_usage_of_the_very_instant_of_the_start_is_billed_though_it_ends_then(
    trial: Trial,
) -> None:
    sub = trial.sell(trial.calls())
    trial.use(sub, 7)
    trial.shop.billing.subscriptions.cancel(sub.id, when="now")
    assert trial.billed() == ["late_usage 2027-02-01/2027-02-02 7.00 EUR"]


def test_a_percentage_off_counts_for_the_last_invoice_of_a_trial(trial: Trial) -> None:
    coupon = trial.shop.billing.coupons.create("half", percent_off=50)
    sub = trial.sell(trial.calls(), coupons=[coupon.id])
    trial.use(sub, 7)
    trial.shop.time.advance(to=date(2027, 2, 8))
    trial.shop.billing.subscriptions.cancel(sub.id, when="now")
    assert trial.shop.totals() == ["3.50 EUR"]


def test_a_stub_that_would_have_been_free_makes_no_trial_before_it_free(trial: Trial) -> None:
    sub = trial.sell(trial.calls(), align=Calendar(), first_stub="free")
    trial.use(sub, 7)
    trial.shop.time.advance(to=date(2027, 2, 8))
    trial.shop.billing.subscriptions.cancel(sub.id, when="now")
    assert trial.shop.totals() == ["7.00 EUR"]


def test_a_setup_fee_is_not_owed_by_who_leaves_within_the_trial(trial: Trial) -> None:
    sub = trial.sell(trial.calls(setup=eur("99.00")))
    trial.use(sub, 7)
    trial.shop.time.advance(to=date(2027, 2, 8))
    trial.shop.billing.subscriptions.cancel(sub.id, when="now")
    assert trial.shop.totals() == ["7.00 EUR"]


def test_what_a_trial_came_to_is_not_billed_again_to_who_is_brought_back(trial: Trial) -> None:
    shop = trial.shop
    sub = trial.sell(trial.calls(minimum=None))
    trial.use(sub, 7)
    shop.time.advance(to=date(2027, 2, 8))
    shop.billing.subscriptions.cancel(sub.id, when="now")
    shop.time.advance(to=date(2027, 2, 20))
    shop.billing.subscriptions.reactivate(sub.id)
    trial.use(sub, 2)
    shop.time.advance(to=date(2027, 4, 1))
    assert shop.totals() == ["7.00 EUR", "2.00 EUR"]


def test_the_next_invoice_of_a_trial_that_was_cancelled_is_what_it_came_to(trial: Trial) -> None:
    sub = trial.sell(trial.calls())
    trial.use(sub, 7)
    trial.shop.billing.subscriptions.cancel(sub.id)
    upcoming = trial.shop.billing.invoices.upcoming(sub.id)
    assert upcoming is not None
    assert upcoming.total == eur("7.00")
    preview = trial.shop.billing.preview.subscriptions.cancel(sub.id, when="now")
    assert [each.total for each in preview.invoices] == [eur("7.00")]
