"""Laws of methods: attached for a token, told without a card number, and forgotten."""

from __future__ import annotations

import re

import pytest

from subscriptions.errors import ValidationError
from subscriptions.gateways import PaymentGateway
from subscriptions.payment_methods import luhn_valid
from subscriptions.payments import Outcome
from subscriptions.testing.gateway_laws.circumstances import (
    COLLECTS,
    Circumstances,
    Intents,
    succeeded,
)
from subscriptions.testing.kits import only_if

CARD_NUMBER = "4242 4242 4242 4242"


class MethodLaws(Circumstances, kit=True):
    """A token becomes a method; what is detached is not charged."""

    # ---- methods ----------------------------------------------------------------------------

    def test_a_method_tells_no_card_number(self, gateway: PaymentGateway) -> None:
        """What is stored of a card is a reference and four digits."""
        method = gateway.attach(self.token, self.customer_ref)
        assert method.reference
        for text in (method.reference, method.type, method.brand, method.last4):
            for digits in re.findall(r"\d{13,19}", re.sub(r"[ -]", "", text)):
                assert not luhn_valid(digits)

    @only_if(COLLECTS)
    def test_an_unknown_token_is_refused(self, gateway: PaymentGateway) -> None:
        """It is the caller's mistake, and named as such."""
        with pytest.raises(ValidationError) as refused:
            gateway.attach(self.unknown_token, self.customer_ref)
        assert refused.value.field == "token"

    def test_a_card_number_is_refused_and_not_repeated(self, gateway: PaymentGateway) -> None:
        """It belongs neither here nor into a log."""
        with pytest.raises(ValidationError) as refused:
            gateway.attach(CARD_NUMBER, self.customer_ref)
        assert CARD_NUMBER not in str(refused.value)

    def test_detaching_twice_or_the_unknown_is_no_error(self, gateway: PaymentGateway) -> None:
        """What is to be gone is gone."""
        method = gateway.attach(self.token, self.customer_ref)
        gateway.detach(method.reference)
        gateway.detach(method.reference)
        gateway.detach(f"{method.reference}_that_never_was")

    @only_if(COLLECTS)
    def test_a_detached_method_is_not_charged(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The customer took it away."""
        gateway.detach(intend.method_ref)
        assert gateway.charge(intend()).outcome is not Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == []
