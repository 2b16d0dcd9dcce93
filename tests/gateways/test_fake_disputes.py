"""What the fake gateway's bank may do with a charge that succeeded, and its books of that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from subscriptions.disputes import DisputeKind, DisputeSnapshot, DisputeStatus
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.gateways import WebhookRefused
from subscriptions.gateways.fake import FakeGateway
from subscriptions.gateways.fake.messages import read
from subscriptions.ids import PaymentId, RefundId
from subscriptions.money import Money
from subscriptions.payments import ChargeIntent
from subscriptions.refunds import RefundIntent, RefundOutcome

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
PAID = Money.of("50.00", "EUR")
PAYMENT = PaymentId("pay_1")


def charged(token: str = "tok_visa") -> FakeGateway:  # noqa: S107 - it opens nothing
    gateway = FakeGateway()
    gateway.at(NOON)
    method = gateway.attach(token, "cus_1")
    metadata = {"tenant": "default", "attempt": PAYMENT, "invoice": "inv_1"}
    gateway.charge(ChargeIntent(PAYMENT, "v1:1", PAID, method.reference, "cus_1", metadata, NOON))
    gateway.webhooks()
    return gateway


def give_back(gateway: FakeGateway, amount: str, ordinal: int = 1) -> RefundOutcome:
    id = RefundId(f"ref_{ordinal}")
    money = Money.of(amount, "EUR")
    intent = RefundIntent(id, f"v1:r{ordinal}", money, PAYMENT, None, "cus_1", {}, NOON)
    return gateway.refund(intent).outcome


def told(gateway: FakeGateway) -> list[DisputeSnapshot]:
    """Return what the messages that wait say of disputes."""
    said = [
        gateway.parse_webhook(
            each.raw, each.headers, secrets=[gateway.webhook_secret], now=gateway.now
        ).dispute
        for each in gateway.webhooks()
    ]
    return [each for each in said if each is not None]


def test_a_chargeback_takes_the_money_and_its_message_says_all_of_it() -> None:
    gateway = charged()
    fee = Money.of("15.00", "EUR")
    reference = gateway.open_dispute(PAYMENT, reason="fraudulent", evidence_days=9, fee=fee)
    (said,) = told(gateway)
    assert said == DisputeSnapshot(
        reference,
        PAYMENT,
        "ch_1",
        PAID,
        DisputeKind.CHARGEBACK,
        DisputeStatus.OPENED,
        "fraudulent",
        NOON,
        NOON + timedelta(days=9),
        funds_withdrawn=True,
        fee=fee,
    )
    assert gateway.kept_minor(PAYMENT) == 0


@pytest.mark.parametrize(
    ("end", "kept"),
    [("win_dispute", 5000), ("withdraw_dispute", 5000), ("lose_dispute", 2000)],
)
def test_each_end_of_a_dispute_leaves_what_the_seller_keeps(end: str, kept: int) -> None:
    gateway = charged()
    reference = gateway.open_dispute(PAYMENT, Money.of("30.00", "EUR"))
    assert gateway.kept_minor(PAYMENT) == 2000
    getattr(gateway, end)(reference)
    assert gateway.kept_minor(PAYMENT) == kept
    assert [each.status for each in told(gateway)] == [
        DisputeStatus.OPENED,
        gateway.disputes[0].status,
    ]
    with pytest.raises(InvalidTransition):
        getattr(gateway, end)(reference)


def test_an_inquiry_takes_nothing_before_it_is_escalated() -> None:
    gateway = charged()
    reference = gateway.open_dispute(PAYMENT, kind=DisputeKind.INQUIRY)
    assert gateway.kept_minor(PAYMENT) == 5000
    gateway.escalate_dispute(reference)
    assert gateway.kept_minor(PAYMENT) == 0
    kinds = [(each.kind, each.funds_withdrawn) for each in told(gateway)]
    assert kinds == [(DisputeKind.INQUIRY, False), (DisputeKind.CHARGEBACK, True)]


def test_a_second_dispute_has_what_is_left_and_a_reference_of_its_own() -> None:
    gateway = charged()
    first = gateway.open_dispute(PAYMENT, Money.of("30.00", "EUR"))
    second = gateway.open_dispute(PAYMENT)
    assert first != second
    assert gateway.disputes[1].amount == Money.of("20.00", "EUR")


def test_what_is_disputed_is_not_given_back_and_what_was_won_is() -> None:
    gateway = charged()
    reference = gateway.open_dispute(PAYMENT, Money.of("30.00", "EUR"))
    assert give_back(gateway, "20.01") is RefundOutcome.FAILED
    assert give_back(gateway, "20.00", 2) is RefundOutcome.SUCCEEDED
    gateway.win_dispute(reference)
    assert give_back(gateway, "30.00", 3) is RefundOutcome.SUCCEEDED
    assert gateway.kept_minor(PAYMENT) == 0


def test_a_debit_comes_back_with_the_banks_code() -> None:
    gateway = charged()
    gateway.return_debit(PAYMENT, "AC04")
    (said,) = told(gateway)
    assert (said.kind, said.status, said.reason) == (
        DisputeKind.RETURN,
        DisputeStatus.LOST,
        "AC04",
    )
    assert gateway.kept_minor(PAYMENT) == 0


def test_only_what_took_money_is_disputed_and_only_a_dispute_ends() -> None:
    gateway = charged("tok_lost_card")
    with pytest.raises(InvalidTransition):
        gateway.open_dispute(PAYMENT)
    with pytest.raises(ValidationError):
        gateway.return_debit(PaymentId("pay_none"))
    with pytest.raises(ValidationError):
        gateway.win_dispute("dp_none")


def test_a_list_shows_what_changed_since_and_lags_like_all_lists() -> None:
    gateway = charged()
    gateway.list_lag = timedelta(minutes=5)
    reference = gateway.open_dispute(PAYMENT)
    assert list(gateway.list_disputes_since(NOON)) == []
    gateway.at(NOON + timedelta(hours=1))
    assert len(list(gateway.list_disputes_since(NOON))) == 1
    assert list(gateway.list_disputes_since(NOON + timedelta(minutes=1))) == []
    gateway.win_dispute(reference)
    gateway.at(NOON + timedelta(hours=2))
    (said,) = gateway.list_disputes_since(NOON + timedelta(minutes=1))
    assert said.status is DisputeStatus.WON


def test_a_message_can_be_sent_again_as_it_was() -> None:
    gateway = charged()
    reference = gateway.open_dispute(PAYMENT)
    (message,) = gateway.webhooks()
    gateway.win_dispute(reference)
    again = gateway.send_again(message.id)
    assert again.raw == message.raw


def test_a_message_that_is_none_is_refused() -> None:
    gateway = charged()
    gateway.open_dispute(PAYMENT)
    (message,) = gateway.webhooks()
    for wrong in (
        message.raw.replace(b'"funds_withdrawn":true', b'"funds_withdrawn":1'),
        message.raw.replace(b'"kind":"chargeback"', b'"kind":"theft"'),
        message.raw.replace(b'"amount_minor":5000', b'"amount_minor":-1'),
        message.raw.replace(b'"evidence_due_at":"', b'"evidence_due_at":"x'),
    ):
        assert wrong != message.raw
        with pytest.raises(WebhookRefused):
            read("evt_1", wrong)
