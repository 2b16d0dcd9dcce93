"""How the fake gateway gives money back, beyond the laws of the kit."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from subscriptions.errors import GatewayError, InvalidTransition, ValidationError
from subscriptions.gateways import AbsentForSure, CannotTell, FoundRefund, Refunds, WebhookRefused
from subscriptions.gateways.bank_transfer import BankTransfer
from subscriptions.gateways.fake import FakeGateway
from subscriptions.gateways.fake.messages import read
from subscriptions.ids import PaymentId, RefundId
from subscriptions.money import EUR, Money
from subscriptions.payments import ChargeIntent
from subscriptions.refunds import RefundIntent, RefundOutcome

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CHARGE = ChargeIntent(
    PaymentId("pay_1"), "v1:pay_1", Money(1999, EUR), "pm_visa.cus_1", "cus_1", {}, NOON
)
REFUND = RefundIntent(
    RefundId("ref_1"),
    "v1:ref_1",
    Money(1999, EUR),
    CHARGE.attempt_id,
    "ch_1",
    "cus_1",
    {"refund": "ref_1"},
    NOON,
)


@pytest.fixture
def gateway() -> FakeGateway:
    charged = FakeGateway(lambda: NOON, list_lag=timedelta(0))
    charged.charge(CHARGE)
    return charged


def outcomes(gateway: FakeGateway) -> list[RefundOutcome]:
    return [each.outcome for each in gateway.refunds]


def test_a_gateway_says_by_its_methods_whether_it_gives_back() -> None:
    assert isinstance(FakeGateway(), Refunds)
    assert not isinstance(BankTransfer(), Refunds)


def test_a_key_that_came_with_other_facts_is_an_alert(gateway: FakeGateway) -> None:
    gateway.refund(evolve(REFUND, amount=Money(1, EUR)))
    assert gateway.refund(REFUND).outcome is RefundOutcome.UNKNOWN
    assert [alert.key for alert in gateway.alerts] == [REFUND.key]
    assert gateway.refund(REFUND).outcome is RefundOutcome.UNKNOWN
    assert len(gateway.alerts) == 2
    assert [each.amount.minor for each in gateway.refunds] == [1]


def test_past_its_window_a_key_is_forgotten_and_the_books_show_it(gateway: FakeGateway) -> None:
    part = evolve(REFUND, amount=Money(500, EUR))
    first = gateway.refund(part)
    gateway.at(NOON + timedelta(hours=24))
    second = gateway.refund(part)
    assert first.gateway_ref != second.gateway_ref
    assert outcomes(gateway) == [RefundOutcome.SUCCEEDED] * 2


@pytest.mark.parametrize(
    "intent", [evolve(REFUND, key=""), evolve(REFUND, amount=Money(0, EUR))], ids=["key", "amount"]
)
def test_what_no_gateway_takes_is_an_error(gateway: FakeGateway, intent: RefundIntent) -> None:
    with pytest.raises(GatewayError):
        gateway.refund(intent)


def test_scripts_come_in_order_and_those_of_charges_are_others(gateway: FakeGateway) -> None:
    gateway.fail_refund_next("no", message="Not now")
    gateway.pend_refund_next()
    charge = evolve(CHARGE, attempt_id=PaymentId("pay_2"), key="v1:pay_2")
    assert gateway.charge(charge).decline is None
    first = gateway.refund(REFUND)
    assert first.failure is not None
    assert (first.failure.code, first.failure.message) == ("no", "Not now")
    second = gateway.refund(evolve(REFUND, refund_id=RefundId("ref_2"), key="v1:ref_2"))
    assert second.outcome is RefundOutcome.PENDING
    gateway.at(NOON + timedelta(days=3))
    assert outcomes(gateway) == [RefundOutcome.FAILED, RefundOutcome.SUCCEEDED]


def test_a_fault_of_the_line_is_no_fate(gateway: FakeGateway) -> None:
    gateway.time_out_refund_next(executed=True)
    gateway.refuse_refund_connection_next()
    assert gateway.refund(REFUND).outcome is RefundOutcome.UNKNOWN
    assert gateway.refund(REFUND).outcome is RefundOutcome.NOT_EXECUTED
    assert gateway.refund(REFUND).outcome is RefundOutcome.SUCCEEDED
    assert len(gateway.refunds) == 1


def test_only_what_waits_can_be_settled_and_only_what_was_done_comes_back(
    gateway: FakeGateway,
) -> None:
    with pytest.raises(ValidationError):
        gateway.settle_refund(REFUND.refund_id)
    with pytest.raises(ValidationError):
        gateway.send_back(REFUND.refund_id)
    gateway.refund(REFUND)
    with pytest.raises(InvalidTransition):
        gateway.settle_refund(REFUND.refund_id)
    gateway.send_back(REFUND.refund_id)
    assert outcomes(gateway) == [RefundOutcome.FAILED]
    again = evolve(REFUND, refund_id=RefundId("ref_2"), key="v1:ref_2")
    assert gateway.refund(again).outcome is RefundOutcome.SUCCEEDED


def test_what_was_settled_by_hand_is_not_settled_by_time(gateway: FakeGateway) -> None:
    gateway.pend_refund_next(days=1, succeed=True)
    gateway.refund(REFUND)
    gateway.settle_refund(REFUND.refund_id, succeed=False)
    gateway.at(NOON + timedelta(days=2))
    assert outcomes(gateway) == [RefundOutcome.FAILED]


def test_a_lagging_list_tells_neither_presence_nor_absence() -> None:
    gateway = FakeGateway(lambda: NOON, list_lag=HOUR)
    gateway.charge(CHARGE)
    assert isinstance(gateway.reconcile_refund(REFUND, None), CannotTell)
    answer = gateway.refund(REFUND)
    assert isinstance(gateway.reconcile_refund(REFUND, None), CannotTell)
    assert gateway.reconcile_refund(REFUND, answer.gateway_ref) == FoundRefund(answer)
    gateway.at(NOON + HOUR)
    assert gateway.reconcile_refund(REFUND, None) == FoundRefund(answer)
    other = evolve(REFUND, refund_id=RefundId("ref_2"))
    assert gateway.reconcile_refund(other, None) == AbsentForSure(NOON)
    gateway.ignore_next()
    assert isinstance(gateway.reconcile_refund(REFUND, None), CannotTell)


def test_absence_waits_for_a_list_that_is_newer_than_the_call_that_was_lost() -> None:
    gateway = FakeGateway(lambda: NOON, list_lag=HOUR)
    gateway.at(NOON + HOUR)
    gateway.time_out_refund_next(executed=False)
    gateway.refund(REFUND)
    assert isinstance(gateway.reconcile_refund(REFUND, None), CannotTell)
    gateway.at(NOON + 2 * HOUR)
    assert gateway.reconcile_refund(REFUND, None) == AbsentForSure(NOON + HOUR)


def test_messages_about_refunds_come_after_those_of_charges_and_can_be_sent_again(
    gateway: FakeGateway,
) -> None:
    gateway.pend_refund_next()
    gateway.refund(REFUND)
    gateway.settle_refund(REFUND.refund_id, succeed=False)
    messages = gateway.webhooks()
    events = [read(each.id, each.raw) for each in messages]
    assert [event.type for event in events] == [
        "payment.succeeded",
        "refund.pending",
        "refund.failed",
    ]
    assert gateway.webhooks() == []
    assert gateway.send_again(messages[1].id) == messages[1]
    assert events[2].refund is not None
    assert events[2].refund.failure is not None
    assert events[2].refund.gateway_ref == gateway.refunds[0].reference


@pytest.mark.parametrize("name", ["refund", "outcome", "amount_minor", "failure", "reference"])
def test_a_message_about_a_refund_that_says_nonsense_is_refused(
    gateway: FakeGateway, name: str
) -> None:
    gateway.refund(REFUND)
    body = json.loads(gateway.webhooks()[1].raw)
    body["data"][name] = ["nonsense"]
    with pytest.raises(WebhookRefused):
        read("evt_1", json.dumps(body).encode())


def test_its_books_survive_pickling(gateway: FakeGateway) -> None:
    told = FakeGateway()
    told.charge(CHARGE)
    told.pend_refund_next()
    told.refund(REFUND)
    copy: FakeGateway = pickle.loads(pickle.dumps(told))  # noqa: S301 - it is our own
    assert copy.refunds == told.refunds
    copy.at(NOON + timedelta(days=3))
    assert outcomes(copy) == [RefundOutcome.SUCCEEDED]
    assert outcomes(told) == [RefundOutcome.PENDING]
