"""Laws of charging: one charge for each key, and an honest answer to what became of it."""

from __future__ import annotations

import pytest
from attrs import evolve

from subscriptions.gateways import Found, PaymentGateway
from subscriptions.ids import derived_id
from subscriptions.payments import Outcome
from subscriptions.testing.gateway_laws.circumstances import (
    COLLECTS,
    DECLINES,
    Circumstances,
    Intents,
    succeeded,
)


class ChargingLaws(Circumstances, kit=True, needs=COLLECTS):
    """A charge happens once; a decline is an answer; silence is neither."""

    # ---- charging ---------------------------------------------------------------------------

    def test_a_charge_succeeds_and_is_listed_once(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A good method is charged, and the list has the charge."""
        assert gateway.charge(intend()).outcome is Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == [intend().attempt_id]

    def test_an_answer_names_attempt_amount_reference_and_instant(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The answer to a charge says what was charged, so that it can be compared."""
        answer = gateway.charge(intend())
        assert answer.attempt_id == intend().attempt_id
        assert answer.amount == intend().amount
        assert answer.gateway_ref
        assert answer.occurred_at.tzinfo is not None

    def test_the_same_intent_again_gives_the_same_answer_and_one_charge(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A repeat is a question, however often it comes."""
        answers = [gateway.charge(intend()) for _ in range(5)]
        assert answers == [answers[0]] * 5
        assert len(self.listed(gateway, intend)) == 1

    def test_repeats_may_come_in_any_order(self, gateway: PaymentGateway, intend: Intents) -> None:
        """The memory of keys is not only one of the last."""
        first = {ordinal: gateway.charge(intend(ordinal)) for ordinal in (1, 2, 3)}
        for ordinal in (2, 3, 1, 1, 3, 2):
            assert gateway.charge(intend(ordinal)) == first[ordinal]
        assert len(self.listed(gateway, intend)) == len(first)

    def test_two_attempts_are_two_charges(self, gateway: PaymentGateway, intend: Intents) -> None:
        """Another key is another charge, though all else is alike; their references differ."""
        one, other = gateway.charge(intend(1)), gateway.charge(intend(2))
        assert one.gateway_ref != other.gateway_ref
        assert len(succeeded(self.listed(gateway, intend))) == 2  # noqa: PLR2004 - two

    def test_keys_are_told_apart_by_their_last_character(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A key of 64 characters is not cut off: cut off, the second charge would be lost."""
        for ordinal in (1, 2):
            key = derived_id("key", intend.unique).ljust(63, "0") + str(ordinal)
            answer = gateway.charge(evolve(intend(ordinal), key=key))
            assert answer.attempt_id == intend(ordinal).attempt_id
        assert len(succeeded(self.listed(gateway, intend))) == 2  # noqa: PLR2004 - two

    def test_a_key_that_comes_with_another_amount_is_unknown_and_moves_nothing(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is a defect of the caller, never a decline, and never a second charge."""
        gateway.charge(intend())
        other = intend(amount=intend().amount * 2)
        assert gateway.charge(other).outcome is Outcome.UNKNOWN
        assert [found.amount for found in self.listed(gateway, intend)] == [intend().amount]

    def test_a_key_that_comes_with_another_method_is_unknown_and_moves_nothing(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The customer's new method belongs to a new attempt."""
        gateway.charge(intend())
        method = gateway.attach(self.token, f"{self.customer_ref}_2")
        other = evolve(intend(), method_ref=method.reference, customer_ref=f"{self.customer_ref}_2")
        assert gateway.charge(other).outcome is Outcome.UNKNOWN
        assert len(self.listed(gateway, intend)) == 1

    # ---- declines ---------------------------------------------------------------------------

    @pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
    def test_a_decline_is_an_answer_that_says_why(
        self, gateway: PaymentGateway, intend: Intents, *, hard: bool
    ) -> None:
        """It is returned, not raised; whether for good is part of it; no money moves."""
        self.decline(gateway, hard=hard)
        answer = gateway.charge(intend())
        assert answer.outcome is DECLINES[hard]
        assert answer.decline is not None
        assert answer.decline.code
        assert succeeded(self.listed(gateway, intend)) == []

    def test_a_declined_intent_stays_declined(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A repeat is a question, not another try; another try is another attempt."""
        self.decline(gateway, hard=False)
        answer = gateway.charge(intend(1))
        assert gateway.charge(intend(1)) == answer
        assert gateway.charge(intend(2)).outcome is Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == [intend(2).attempt_id]

    def test_reconcile_finds_a_decline(self, gateway: PaymentGateway, intend: Intents) -> None:
        """A decline whose answer was lost is known by asking."""
        self.decline(gateway, hard=True)
        answer = gateway.charge(intend())
        found = self.found(gateway, intend(), answer.gateway_ref)
        assert found.outcome is Outcome.DECLINED_HARD
        assert found.decline == answer.decline

    # ---- silence ----------------------------------------------------------------------------

    @pytest.mark.parametrize("executed", [False, True], ids=["lost", "executed"])
    def test_a_time_out_is_unknown(
        self, gateway: PaymentGateway, intend: Intents, *, executed: bool
    ) -> None:
        """After the first byte was sent, silence is neither a decline nor nothing."""
        self.time_out(gateway, executed=executed)
        answer = gateway.charge(intend())
        assert answer.outcome is Outcome.UNKNOWN
        assert (answer.attempt_id, answer.amount) == (intend().attempt_id, intend().amount)

    @pytest.mark.parametrize("executed", [False, True], ids=["lost", "executed"])
    def test_a_repeat_after_a_time_out_succeeds_and_charges_once(
        self, gateway: PaymentGateway, intend: Intents, *, executed: bool
    ) -> None:
        """Whether the first call had its effect or not, there is one charge in the end."""
        self.time_out(gateway, executed=executed)
        gateway.charge(intend())
        assert gateway.charge(intend()).outcome is Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == [intend().attempt_id]

    def test_reconcile_finds_a_charge_whose_answer_was_lost(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Without a reference, for the answer that would have told it was lost."""
        self.time_out(gateway, executed=True)
        gateway.charge(intend())
        found = self.found(gateway, intend(), None)
        assert found.outcome is Outcome.SUCCEEDED
        assert found.amount == intend().amount

    def test_reconcile_never_finds_a_call_that_was_lost(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """What did not happen is absent, or cannot be told yet."""
        self.time_out(gateway, executed=False)
        gateway.charge(intend())
        assert not isinstance(gateway.reconcile(intend(), None), Found)
        assert self.listed(gateway, intend) == []

    def test_a_refused_connection_is_not_executed_and_leaves_nothing(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is proof that nothing happened, and the same intent may be sent."""
        self.refuse_connection(gateway)
        assert gateway.charge(intend()).outcome is Outcome.NOT_EXECUTED
        assert self.listed(gateway, intend) == []
        assert gateway.charge(intend()).outcome is Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == [intend().attempt_id]
