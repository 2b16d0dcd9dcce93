"""Laws of amounts: currencies without minor units and with three, the least and the most."""

from __future__ import annotations

import pytest

from subscriptions.gateways import PaymentGateway
from subscriptions.money import Money
from subscriptions.payments import Outcome
from subscriptions.testing.gateway_laws.circumstances import COLLECTS, Circumstances, Intents


class AmountLaws(Circumstances, kit=True, needs=COLLECTS):
    """No amount changes on its way: whole minor units there, in the list, and back."""

    def test_amounts_cross_exactly(self, gateway: PaymentGateway, intend: Intents) -> None:
        """No amount changes on its way there, into the list, or back."""
        asked = [intend(number, amount=amount) for number, amount in enumerate(self.amounts)]
        for intent in asked:
            assert gateway.charge(intent).amount == intent.amount
        listed = {found.attempt_id: found.amount for found in self.listed(gateway, intend)}
        assert listed == {intent.attempt_id: intent.amount for intent in asked}

    def test_a_currency_without_minor_units_crosses_exactly(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """1999 yen are neither 19.99 nor 199900."""
        self.crosses(gateway, intend, self.without_minor_units)

    def test_a_currency_of_three_decimals_crosses_exactly(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A dinar has a thousand parts, and the last of them counts."""
        self.crosses(gateway, intend, self.of_three_decimals)

    def test_the_least_amount_crosses_exactly(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is not rounded to nothing."""
        self.crosses(gateway, intend, self.least)

    def test_the_largest_amount_crosses_exactly(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """No float on the way loses its last digit."""
        self.crosses(gateway, intend, self.largest)

    @pytest.mark.parametrize("minor", [1, -1], ids=["more", "less"])
    def test_a_neighbouring_amount_is_another_one(
        self, gateway: PaymentGateway, intend: Intents, minor: int
    ) -> None:
        """A key that comes with one cent more or less is a defect, and moves nothing."""
        gateway.charge(intend())
        cent = Money(minor, intend().amount.currency)
        other = intend(amount=intend().amount + cent)
        assert gateway.charge(other).outcome is Outcome.UNKNOWN
        assert [found.amount for found in self.listed(gateway, intend)] == [intend().amount]

    def crosses(self, gateway: PaymentGateway, intend: Intents, amount: Money) -> None:
        """Assert that an amount is the same in the answer, in the list and when asked for."""
        intent = intend(amount=amount)
        answer = gateway.charge(intent)
        assert (answer.outcome, answer.amount) == (Outcome.SUCCEEDED, amount)
        assert [found.amount for found in self.listed(gateway, intend)] == [amount]
        assert self.found(gateway, intent, answer.gateway_ref).amount == amount
