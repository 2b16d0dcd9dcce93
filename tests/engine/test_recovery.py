"""Who could not be charged comes back: what was owed, drafted and given up is settled."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from subscriptions import (
    CancelSubscription,
    DunningPolicy,
    MarkUncollectible,
    MarkUnpaid,
    Retries,
    ValidationError,
)
from subscriptions.dunning import FinalAction
from subscriptions.lifecycle import Subscription
from tests.engine.worker import later, open_with_a_worker
from tests.scenarios.shop import Shop, audit, eur

LETS_GO_ON = DunningPolicy(retries=Retries.after_days(1), final=MarkUnpaid())


def _unpaid_for_months() -> tuple[Shop, Subscription]:
    """Return a subscription of January that is unpaid, with drafts of February to April."""
    shop = open_with_a_worker()
    shop.billing.dunning.set_policy(LETS_GO_ON)
    ada = shop.customer("tok_insufficient_funds")
    subscription = shop.subscribe(ada, start=date(2027, 1, 1))
    later(shop, days=91)
    assert shop.subscription(subscription).status == "unpaid"
    assert shop.statuses() == ["open", "draft", "draft", "draft"]
    return shop, subscription


def test_a_new_card_pays_what_dunning_has_exhausted() -> None:
    shop, subscription = _unpaid_for_months()
    shop.billing.payment_methods.attach(subscription.customer, "tok_visa", default=True)
    assert shop.statuses()[0] == "paid"
    assert shop.subscription(subscription).status == "active"


def test_a_card_that_is_made_the_default_pays_what_dunning_has_exhausted() -> None:
    shop, subscription = _unpaid_for_months()
    attach = shop.billing.payment_methods.attach
    method = attach(subscription.customer, "tok_visa", default=False)
    assert shop.statuses()[0] == "open"
    shop.billing.payment_methods.set_default(method.id)
    assert shop.statuses()[0] == "paid"


def test_drafts_of_an_unpaid_subscription_are_invoiced_and_charged_when_it_recovers() -> None:
    shop, subscription = _unpaid_for_months()
    shop.billing.payment_methods.attach(subscription.customer, "tok_visa", default=True)
    later(shop, days=1)
    assert shop.statuses() == ["paid"] * 4
    assert [shop.gateway.succeeded_minor(each.id) for each in shop.invoices()] == [2900] * 4
    assert len({*shop.periods()}) == 4
    later(shop, days=30)
    assert shop.statuses() == ["paid"] * 5
    assert audit(shop) == []


def test_drafts_are_invoiced_when_a_transfer_pays_the_debt() -> None:
    shop, subscription = _unpaid_for_months()
    debt = shop.invoices()[0]
    shop.billing.payments.record(subscription.customer, eur("29.00"), invoice=debt.id)
    assert shop.statuses()[0] == "paid"
    assert "draft" not in shop.statuses()
    assert audit(shop) == []


def test_drafts_are_invoiced_when_the_debt_is_written_off() -> None:
    shop, _ = _unpaid_for_months()
    shop.billing.invoices.mark_uncollectible(shop.invoices()[0].id, reason="goodwill")
    assert shop.statuses()[0] == "uncollectible"
    assert "draft" not in shop.statuses()
    assert audit(shop) == []


@pytest.mark.parametrize(
    "final",
    [
        (MarkUncollectible(), CancelSubscription()),
        (MarkUncollectible(), MarkUnpaid()),
        (MarkUnpaid(), MarkUncollectible()),
        (CancelSubscription(), MarkUnpaid()),
        (CancelSubscription(), CancelSubscription()),
        (),
    ],
)
def test_final_actions_that_contradict_each_other_are_refused(
    final: tuple[FinalAction, ...],
) -> None:
    with pytest.raises(ValidationError) as refused:
        DunningPolicy(final=final)
    assert refused.value.field == "final"


def test_cancelling_and_then_writing_off_does_both() -> None:
    shop = open_with_a_worker()
    final = (CancelSubscription(), MarkUncollectible())
    shop.billing.dunning.set_policy(DunningPolicy(retries=Retries.after_days(1), final=final))
    subscription = shop.subscribe(shop.customer("tok_insufficient_funds"))
    for _ in range(4):
        later(shop, days=1)
    assert shop.subscription(subscription).status == "canceled"
    assert shop.statuses() == ["uncollectible"]
    assert [case.status for case in shop.billing.dunning.list()] == ["exhausted"]


def test_recovering_twice_over_invoices_nothing_twice() -> None:
    shop, subscription = _unpaid_for_months()
    shop.billing.payment_methods.attach(subscription.customer, "tok_visa", default=True)
    shop.billing.payment_methods.attach(subscription.customer, "tok_mastercard", default=True)
    for _ in range(3):
        shop.clock.now += timedelta(hours=1)
        shop.billing.run()
    assert len(shop.gateway.charges) == 2 + 4, "twice declined, then each invoice once"
    assert audit(shop) == []
