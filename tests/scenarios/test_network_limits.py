"""However many invoices one card is retried for, it is never tried more often than it may be.

The limits are counted from the gateway's own list, by a window that slides over every attempt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from subscriptions import DunningPolicy, OneOff, Retries
from subscriptions.dunning import DunningPostponed, DunningStepTaken, Retry
from subscriptions.errors import TooManyAttempts
from subscriptions.gateways.fake.tokens import TOKENS
from subscriptions.payments import LIMITS, AttemptLimit
from tests.scenarios.shop import Shop, eur

Opened = Callable[..., Shop]
INVOICES = 9
RETRIES = (1, 2, 3, 4, 5, 6, 8, 10)
# Of Visa and Mastercard 21 and 35 in thirty days; what this library allows by itself is less.
DECLINED = "tok_insufficient_funds"


def in_force(shop: Shop, brand: str | None) -> list[AttemptLimit]:
    on = shop.time.now.date()
    return [
        limit
        for limit in LIMITS
        if limit.network in (None, brand)
        and limit.valid_from <= on
        and (limit.valid_until is None or on <= limit.valid_until)
    ]


def most_within(attempts: list[datetime], window: timedelta) -> int:
    """Return the most attempts that any window of that length holds."""
    return max(sum(1 for each in attempts if end - window < each <= end) for end in attempts)


def ladder(shop: Shop) -> None:
    """Owe for many invoices on one card, each with a ladder of many retries."""
    shop.billing.dunning.set_policy(DunningPolicy(retries=Retries.after_days(*RETRIES)))
    ada = shop.customer(DECLINED)
    for _ in range(INVOICES):
        shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("5.00"))])


def test_a_ladder_of_many_invoices_keeps_to_every_limit_and_loses_no_retry(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop()
    ladder(shop)
    happened = [*shop.time.advance(days=150)]
    attempts = [charge.created_at for charge in shop.gateway.charges]
    limits = in_force(shop, TOKENS[DECLINED].brand)
    assert len(limits) > 2
    for limit in limits:
        assert most_within(attempts, limit.window) <= limit.declines_max, limit.source
    postponed = [each for each in happened if isinstance(each, DunningPostponed)]
    assert postponed, "more was planned than may be"
    taken = Counter(
        each.invoice
        for each in happened
        if isinstance(each, DunningStepTaken) and isinstance(each.action, Retry)
    )
    skipped = [each for each in happened if isinstance(each, DunningStepTaken) and each.skipped]
    assert skipped == []
    assert set(taken.values()) == {len(RETRIES)}, "later, and none is lost"
    assert len(attempts) == INVOICES * (1 + len(RETRIES))


def test_by_hand_it_is_refused_with_the_instant_from_which_on_it_may_be(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop()
    ladder(shop)
    shop.time.advance(days=3)
    invoice = shop.invoices()[0]
    with pytest.raises(TooManyAttempts) as refused:
        shop.billing.invoices.pay(invoice.id)
    attempts = len(shop.gateway.charges)
    assert shop.time.now < refused.value.until <= shop.time.now + timedelta(days=30)
    for case in shop.billing.dunning.list(status="running"):
        shop.billing.dunning.hold(case.id, reason="by hand from now on")
    shop.time.advance(to=refused.value.until - timedelta(seconds=1))
    with pytest.raises(TooManyAttempts):
        shop.billing.invoices.pay(invoice.id)
    shop.time.advance(to=refused.value.until)
    shop.billing.invoices.pay(invoice.id)
    assert len(shop.gateway.charges) == attempts + 1
