"""Laws of charges that take days, or that wait for the customer."""

from __future__ import annotations

import pytest

from subscriptions.gateways import PaymentGateway
from subscriptions.payments import Outcome
from subscriptions.testing.gateway_laws.circumstances import (
    COLLECTS,
    DECLINES,
    Circumstances,
    Intents,
    succeeded,
)


class WaitingLaws(Circumstances, kit=True, needs=COLLECTS):
    """Nothing is taken until it is certain; what is voided takes nothing."""

    # ---- what takes days --------------------------------------------------------------------

    @pytest.mark.parametrize("succeed", [False, True], ids=["returned", "settled"])
    def test_a_slow_charge_is_processing_until_it_is_settled(
        self, gateway: PaymentGateway, intend: Intents, *, succeed: bool
    ) -> None:
        """While it is processing no money has arrived; then it has, or it was declined."""
        self.process(gateway)
        answer = gateway.charge(intend())
        assert answer.outcome is Outcome.PROCESSING
        assert succeeded(self.listed(gateway, intend)) == []
        self.settle(gateway, intend(), succeed=succeed)
        found = self.found(gateway, intend(), answer.gateway_ref)
        assert (found.outcome is Outcome.SUCCEEDED) == succeed
        assert (found.outcome in DECLINES) != succeed
        assert len(succeeded(self.listed(gateway, intend))) == int(succeed)

    def test_a_slow_charge_that_is_repeated_is_one_charge(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Before and after it is settled."""
        self.process(gateway)
        gateway.charge(intend())
        gateway.charge(intend())
        self.settle(gateway, intend(), succeed=True)
        gateway.charge(intend())
        assert len(self.listed(gateway, intend)) == 1

    # ---- what waits for the customer --------------------------------------------------------

    def test_a_charge_that_needs_the_customer_says_where(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is not a decline: it has an https address, and no money has moved."""
        self.require_action(gateway)
        answer = gateway.charge(intend())
        assert answer.outcome is Outcome.REQUIRES_ACTION
        assert (answer.action_url or "").startswith("https://")
        assert succeeded(self.listed(gateway, intend)) == []

    @pytest.mark.parametrize("succeed", [False, True], ids=["failed", "done"])
    def test_what_the_customer_did_is_found(
        self, gateway: PaymentGateway, intend: Intents, *, succeed: bool
    ) -> None:
        """The customer's act ends the attempt, one way or the other."""
        self.require_action(gateway)
        answer = gateway.charge(intend())
        self.act(gateway, intend(), succeed=succeed)
        found = self.found(gateway, intend(), answer.gateway_ref)
        assert found.outcome is Outcome.SUCCEEDED if succeed else found.outcome in DECLINES
        assert len(succeeded(self.listed(gateway, intend))) == int(succeed)

    def test_void_stops_a_charge_that_waits_for_the_customer(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Afterwards neither asking again nor repeating the intent takes money."""
        self.require_action(gateway)
        answer = gateway.charge(intend())
        for _ in range(2):
            voided = gateway.void(intend())
            assert voided.outcome is Outcome.DECLINED_SOFT
            assert voided.decline is not None
            assert voided.decline.code == "voided"
        assert gateway.charge(intend()).outcome is not Outcome.SUCCEEDED
        assert self.found(gateway, intend(), answer.gateway_ref).outcome in DECLINES
        assert succeeded(self.listed(gateway, intend)) == []

    def test_void_of_a_success_tells_the_success(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The customer was faster; void is not a refund."""
        gateway.charge(intend())
        assert gateway.void(intend()).outcome is Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == [intend().attempt_id]
