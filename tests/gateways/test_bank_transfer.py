from datetime import UTC, datetime

import pytest

from subscriptions.errors import ValidationError
from subscriptions.gateways import AbsentForSure, PaymentGateway, WebhookRefused
from subscriptions.gateways.bank_transfer import BankTransfer
from subscriptions.ids import PaymentId
from subscriptions.money import EUR, Money
from subscriptions.payment_methods import MethodDetails
from subscriptions.payments import ChargeIntent, Outcome
from subscriptions.testing.gateway_laws import GatewayLaws

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
INTENT = ChargeIntent(
    PaymentId("pay_1"), "v1:pay_1", Money(1999, EUR), "transfer.cus_1", "cus_1", {}, NOON
)


class TestBankTransfer(GatewayLaws):
    applied = 10
    token = "anything"  # noqa: S105 - it opens nothing

    @pytest.fixture
    def gateway(self) -> PaymentGateway:
        return BankTransfer()


def test_it_does_not_collect() -> None:
    assert not BankTransfer().capabilities.collects


def test_a_charge_is_certain_not_to_have_happened() -> None:
    gateway = BankTransfer()
    answer = gateway.charge(INTENT)
    assert answer.outcome is Outcome.NOT_EXECUTED
    assert (answer.attempt_id, answer.amount) == (INTENT.attempt_id, INTENT.amount)
    assert gateway.reconcile(INTENT, None) == AbsentForSure(NOON)
    assert list(gateway.list_since(NOON)) == []


def test_void_is_sure() -> None:
    answer = BankTransfer().void(INTENT)
    assert answer.outcome is Outcome.DECLINED_SOFT
    assert answer.decline is not None
    assert answer.decline.code == "voided"


def test_any_text_attaches_a_method_that_is_not_automatic() -> None:
    assert BankTransfer().attach("anything", "cus_1") == MethodDetails(
        "transfer.cus_1", type="bank_transfer", automatic=False
    )


@pytest.mark.parametrize("token", ["", "4242-4242-4242-4242", "a\x00"])
def test_no_text_and_no_card_number_is_a_token(token: str) -> None:
    with pytest.raises(ValidationError):
        BankTransfer().attach(token, "cus_1")


def test_every_webhook_is_refused() -> None:
    with pytest.raises(WebhookRefused):
        BankTransfer().parse_webhook(b"{}", {}, secrets=[], now=NOON)
