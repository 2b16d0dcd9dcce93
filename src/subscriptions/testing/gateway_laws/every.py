"""Laws that every gateway keeps, also one that never charges; and those of money that is sent."""

from __future__ import annotations

import pytest

from subscriptions.gateways import AbsentForSure, PaymentGateway, WebhookRefused
from subscriptions.payments import MARGIN, Outcome
from subscriptions.testing.gateway_laws.circumstances import IS_SENT, Circumstances, Intents


class EveryGatewayLaws(Circumstances, kit=True):
    """What a gateway says of itself is true, and it believes nobody."""

    def test_capabilities_never_change_and_leave_time_to_repeat(
        self, gateway: PaymentGateway
    ) -> None:
        """What a gateway can do is a fact; a key that is forgotten within the margin is useless."""
        capabilities = gateway.capabilities
        assert capabilities == gateway.capabilities
        assert capabilities.in_flight_max >= 1
        assert capabilities.replay_window > MARGIN or not capabilities.collects

    def test_a_body_that_is_no_message_is_refused(self, gateway: PaymentGateway) -> None:
        """Whatever the internet sends, without a signature."""
        bodies = (b"", b"null", b"[]", b'"text"', b"\x00", b"[" * 100_000, b'{"id":NaN}')
        for raw in bodies:
            with pytest.raises(WebhookRefused):
                gateway.parse_webhook(raw, {}, secrets=[self.other_secret], now=self.now())


class SentMoneyLaws(Circumstances, kit=True, needs=IS_SENT):
    """A gateway that does not collect takes nothing, has nothing, and says so for certain."""

    def test_what_is_not_collected_is_not_executed(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Should anybody ask for a charge all the same, it is certain that there is none."""
        answer = gateway.charge(intend())
        assert answer.outcome is Outcome.NOT_EXECUTED
        assert (answer.attempt_id, answer.amount) == (intend().attempt_id, intend().amount)
        assert self.listed(gateway, intend) == []

    def test_what_is_not_collected_is_absent_for_sure(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Nobody waits for a charge that cannot be."""
        answer = gateway.reconcile(intend(), None)
        assert isinstance(answer, AbsentForSure)
        assert answer.as_of >= intend().created_at

    def test_what_is_not_collected_is_void_for_sure(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It takes no money, now and later."""
        voided = gateway.void(intend())
        assert voided.outcome is Outcome.DECLINED_SOFT
        assert voided.decline is not None
        assert voided.decline.code == "voided"

    def test_a_method_that_is_not_charged_is_not_automatic(self, gateway: PaymentGateway) -> None:
        """Else an invoice would wait for a charge instead of for its customer."""
        assert not gateway.attach(self.token, self.customer_ref).automatic
