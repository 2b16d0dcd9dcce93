"""A worker that was down catches up at past times; what the clock says still counts for money."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import pytest
from attrs import define, field

from subscriptions import (
    Billing,
    DunningPolicy,
    Interval,
    InvalidTransition,
    MemoryStorage,
    Reminder,
    Retries,
    ValidationError,
)
from subscriptions.gateways import (
    AbsentForSure,
    Capabilities,
    Found,
    GatewayEvent,
    Reconciled,
    Secret,
    WebhookRefused,
)
from subscriptions.lifecycle import Ended, EndReason
from subscriptions.payment_methods import MethodDetails
from subscriptions.payments import ChargeIntent, Outcome, PaymentSnapshot
from subscriptions.testing import TestClock, counting_ids
from tests.engine.worker import START, invoice_once, later, open_with_a_worker
from tests.scenarios.shop import MONTHLY, audit, eur

UNTIL = date(2027, 6, 1)


# ---- charges -------------------------------------------------------------------------------------


def test_a_charge_whose_answer_was_lost_is_not_sent_again_after_the_window() -> None:
    shop = open_with_a_worker()
    ada = shop.customer()
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(ada)
    later(shop, days=2)
    invoice = shop.only_invoice()
    assert shop.gateway.succeeded_minor(invoice.id) == invoice.total_minor
    assert len(shop.gateway.charges) == 1
    later(shop, days=2)
    assert shop.statuses() == ["paid"]
    assert len(shop.gateway.charges) == 1
    assert audit(shop) == []


def test_a_replay_that_would_be_declined_never_cancels_a_customer_who_paid() -> None:
    shop = open_with_a_worker()
    shop.gateway.time_out_next(executed=True)
    subscription = shop.subscribe(shop.customer())
    shop.gateway.decline_next("insufficient_funds", times=9)
    for _ in range(20):
        later(shop, days=2 if shop.clock.now == START else 1)
    assert shop.subscription(subscription).status == "active"
    assert shop.statuses() == ["paid"]
    assert shop.gateway.succeeded_minor(shop.only_invoice().id) == 2900
    assert audit(shop) == []


def test_a_charge_that_never_arrived_is_made_once_however_late_the_worker_comes() -> None:
    shop = open_with_a_worker()
    shop.gateway.time_out_next(executed=False)
    shop.subscribe(shop.customer())
    for _ in range(3):
        later(shop, days=2)
    assert shop.statuses() == ["paid"]
    assert [each.outcome for each in shop.gateway.charges] == [Outcome.SUCCEEDED]


@define
class LaggingGateway:
    """An honest gateway in real time: keys are kept for a day, its list is five minutes old."""

    clock: TestClock
    silent: bool = False
    capabilities: Capabilities = Capabilities()
    books: list[tuple[datetime, ChargeIntent]] = field(factory=list[tuple[datetime, ChargeIntent]])
    keys: dict[str, datetime] = field(factory=dict[str, datetime])

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        self.clock.now += timedelta(seconds=30)
        now = self.clock.now
        if now - self.keys.get(intent.key, now - timedelta(days=9)) >= timedelta(days=1):
            self.keys[intent.key] = now
            self.books.append((now, intent))
        outcome = Outcome.UNKNOWN if self.silent else Outcome.SUCCEEDED
        return PaymentSnapshot(outcome, intent.amount, now, intent.attempt_id)

    def void(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        return PaymentSnapshot(Outcome.UNKNOWN, intent.amount, self.clock.now, intent.attempt_id)

    def reconcile(self, intent: ChargeIntent, _: str | None, /) -> Reconciled:
        as_of = self.clock.now - timedelta(minutes=5)
        for at, known in self.books:
            if known.attempt_id == intent.attempt_id and at <= as_of:
                return Found(self._taken(at, intent))
        return AbsentForSure(as_of)

    def _taken(self, at: datetime, intent: ChargeIntent) -> PaymentSnapshot:
        return PaymentSnapshot(Outcome.SUCCEEDED, intent.amount, at, intent.attempt_id)

    def attach(self, token: str, customer_ref: str, /) -> MethodDetails:
        return MethodDetails(f"{token}.{customer_ref}")

    def detach(self, method_ref: str, /) -> None:
        pass

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        return (self._taken(at, intent) for at, intent in self.books if at >= instant)

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        raise WebhookRefused(raw, headers, secrets, now)


def test_a_list_that_lags_behind_proves_no_absence() -> None:
    clock = TestClock(START)
    gateway = LaggingGateway(clock)
    billing = Billing(gateways={"card": gateway}, clock=clock, ids=counting_ids())
    pro = billing.catalog.add_price("Pro", eur("29.00"), every=MONTHLY)
    ada = billing.customers.create(name="Ada")
    billing.payment_methods.attach(ada.id, "token")
    billing.subscriptions.create(ada.id, [pro.id], start=date(2027, 1, 2))
    # Down over the weekend; back on Monday, and just then the gateway's answers get lost.
    clock.now = datetime(2027, 1, 4, 9, tzinfo=UTC)
    gateway.silent = True
    billing.run()
    gateway.silent = False
    billing.run()
    assert len(gateway.books) == 1
    for _ in range(3):
        clock.now += timedelta(days=1)
        billing.run()
    assert len(gateway.books) == 1
    assert [invoice.status for invoice in billing.invoices.list()] == ["paid"]


@pytest.mark.parametrize("minutes", [1, 30, 60, 90, 119])
def test_a_replay_window_that_is_too_short_to_ask_again_is_refused(minutes: int) -> None:
    with pytest.raises(ValidationError) as refused:
        Capabilities(replay_window=timedelta(minutes=minutes))
    assert refused.value.field == "replay_window"


# ---- subscriptions -------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["now", "period_end", date(2027, 3, 20)])
def test_a_cancellation_before_or_after_a_late_run_bills_and_ends_the_same(
    when: Literal["now", "period_end"] | date,
) -> None:
    at = datetime(2027, 3, 15, 12, tzinfo=UTC)
    outcomes: list[tuple[object, list[str]]] = []
    for run_first in (True, False):
        shop = open_with_a_worker(MemoryStorage())
        subscription = shop.subscribe(shop.customer(), start=date(2027, 1, 1))
        if run_first:
            shop.billing.run(until=at)
        shop.billing.subscriptions.cancel(subscription.id, when=when, at=at)
        shop.billing.run(until=UNTIL)
        outcomes.append((shop.subscription(subscription).contract, shop.periods()))
    assert outcomes[0] == outcomes[1]
    assert isinstance(outcomes[0][0], Ended)
    assert len(outcomes[0][1]) == 3


@pytest.mark.parametrize("when", ["now", "period_end"])
def test_a_cancellation_in_a_transaction_bills_what_was_due_before_it(
    when: Literal["now", "period_end"],
) -> None:
    at = datetime(2027, 3, 15, 12, tzinfo=UTC)
    shop = open_with_a_worker(MemoryStorage())
    subscription = shop.subscribe(shop.customer(), start=date(2027, 1, 1))
    with shop.billing.transaction():
        shop.billing.subscriptions.cancel(subscription.id, when=when, at=at)
    assert len(shop.periods()) == 3
    assert shop.statuses() == ["paid", "paid", "paid"]


def test_a_plan_to_cancel_is_refused_while_something_else_is_due_before_it() -> None:
    at = datetime(2027, 3, 15, 12, tzinfo=UTC)
    shop = open_with_a_worker(MemoryStorage())
    subscription = shop.subscribe(shop.customer(), start=date(2027, 1, 1))
    with pytest.raises(ValidationError) as refused:
        shop.billing.preview.subscriptions.cancel(subscription.id, when="now", at=at)
    assert refused.value.field == "at"
    shop.billing.run(until=at)
    plan = shop.billing.preview.subscriptions.cancel(subscription.id, when="now", at=at)
    assert shop.billing.commit(plan).status == "canceled"


def test_a_cancellation_now_before_the_start_is_refused() -> None:
    shop = open_with_a_worker()
    subscription = shop.subscribe(shop.customer())
    with pytest.raises(ValidationError) as refused:
        shop.billing.subscriptions.cancel(
            subscription.id, when="now", at=datetime(2020, 1, 1, tzinfo=UTC)
        )
    assert refused.value.field == "at"
    assert shop.subscription(subscription) == subscription


@pytest.mark.parametrize(
    ("every", "start"),
    [(Interval.days(1), date(2026, 11, 26)), (MONTHLY, date(2024, 1, 1))],
)
def test_a_start_more_than_36_periods_ago_is_refused(every: Interval, start: date) -> None:
    shop = open_with_a_worker()
    ada, price = shop.customer(), shop.price(every=every)
    with pytest.raises(ValidationError) as refused:
        shop.subscribe(ada, price, start=start)
    assert refused.value.field == "start"
    assert shop.invoices() == []
    assert shop.billing.subscriptions.list().total == 0


def test_a_start_36_periods_ago_is_billed_in_full() -> None:
    shop = open_with_a_worker()
    shop.subscribe(shop.customer(), shop.price(every=Interval.days(1)), start=date(2026, 11, 27))
    shop.billing.run()
    assert len(shop.invoices()) == 36


# ---- the time of commands ------------------------------------------------------------------------


def test_the_time_of_a_command_is_how_far_a_run_has_come() -> None:
    shop = open_with_a_worker()
    subscription = shop.subscribe(shop.customer(), start=date(2027, 1, 1))
    shop.billing.run(until=date(2027, 3, 1))
    ended = shop.billing.subscriptions.cancel(subscription.id, when="now")
    assert ended.contract == Ended(datetime(2027, 3, 1, tzinfo=UTC), EndReason.CANCELED)


def test_the_time_of_a_command_is_the_clock_when_that_is_ahead() -> None:
    shop = open_with_a_worker()
    ada = shop.customer()
    shop.subscribe(ada)
    shop.clock.now = datetime(2027, 7, 4, 9, tzinfo=UTC)
    assert invoice_once(shop, ada).issued_on == date(2027, 7, 4)


# ---- dunning -------------------------------------------------------------------------------------


def test_a_hold_until_a_naive_instant_is_refused_and_changes_nothing() -> None:
    shop = open_with_a_worker()
    shop.subscribe(shop.customer("tok_insufficient_funds"))
    (case,) = shop.billing.dunning.list()
    before = shop.events()
    with pytest.raises(ValidationError) as refused:
        shop.billing.dunning.hold(case.id, reason="promised", until=datetime(2027, 2, 1))  # noqa: DTZ001 - the very slip
    assert refused.value.field == "until"
    assert [*shop.billing.dunning.list()] == [case]
    assert shop.events() == before
    later(shop, days=60)
    assert audit(shop) == []


def test_releasing_a_hold_puts_the_rest_of_the_ladder_off_by_the_time_it_was_held() -> None:
    shop = open_with_a_worker()
    shop.billing.dunning.set_policy(
        DunningPolicy(retries=Retries.after_days(1, 3), steps=[Reminder(2)])
    )
    subscription = shop.subscribe(shop.customer("tok_insufficient_funds"))
    (case,) = shop.billing.dunning.list()
    shop.billing.dunning.hold(case.id, reason="promised to pay")
    later(shop, days=15)
    shop.billing.dunning.release(case.id)
    assert len(shop.gateway.charges) == 1, "nobody is charged in the second of the release"
    assert shop.subscription(subscription).status == "past_due"
    charged: list[datetime] = []
    for _ in range(5):
        later(shop, days=1)
        charged.append(shop.gateway.charges[-1].created_at)
    assert sorted(set(charged)) == [START + timedelta(days=16), START + timedelta(days=18)]
    assert shop.subscription(subscription).status == "canceled"


def test_a_hold_that_ends_by_itself_puts_the_ladder_off_too() -> None:
    shop = open_with_a_worker()
    shop.subscribe(shop.customer("tok_insufficient_funds"))
    (case,) = shop.billing.dunning.list()
    until = START + timedelta(days=10)
    shop.billing.dunning.hold(case.id, reason="promised to pay", until=until)
    later(shop, days=10)
    assert len(shop.gateway.charges) == 1
    later(shop, days=1)
    assert len(shop.gateway.charges) == 2


def test_a_case_that_is_not_held_cannot_be_released() -> None:
    shop = open_with_a_worker()
    shop.subscribe(shop.customer("tok_insufficient_funds"))
    (case,) = shop.billing.dunning.list()
    with pytest.raises(InvalidTransition):
        shop.billing.dunning.release(case.id)
