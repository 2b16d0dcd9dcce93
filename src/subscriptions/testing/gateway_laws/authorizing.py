"""The laws of holding an amount first and taking it later, for gateways that `Authorizes`.

The kit sees what was taken by asking about the attempt and in the list: a capture that was made
twice shows in the amount.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from subscriptions.gateways import Authorizes, PaymentGateway
from subscriptions.ids import gateway_key
from subscriptions.money import Money
from subscriptions.payments import (
    MARGIN,
    CaptureIntent,
    ChargeIntent,
    Outcome,
    PaymentSnapshot,
)
from subscriptions.testing.gateway_laws.circumstances import (
    DECLINES,
    Circumstances,
    Intents,
    succeeded,
)
from subscriptions.testing.kits import Need, only_if

HOLDS = Need(
    lambda gateway: isinstance(gateway, Authorizes),
    "not applicable: the gateway does not implement Authorizes",
)
TAKES_PARTS = Need(
    lambda gateway: gateway.capabilities.partial_capture,
    "not applicable: the gateway captures all or nothing",
)
CAPTURES_ONCE = Need(
    lambda gateway: not gateway.capabilities.multi_capture,
    "not applicable: the gateway captures several times",
)
CAPTURES_OFTEN = Need(
    lambda gateway: gateway.capabilities.multi_capture,
    "not applicable: the gateway captures once",
)


class AuthorizationLaws(Circumstances, kit=True, needs=HOLDS):
    """What is held is no money yet; no more is taken than was held, and that once."""

    # ---- holding ----------------------------------------------------------------------------

    def test_an_authorisation_holds_an_amount_and_takes_nothing(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The answer names attempt, amount, reference and until when; asking says the same."""
        validity = gateway.capabilities.authorization_validity
        assert validity is not None
        answer = holding(gateway).authorize(intend())
        assert answer.outcome is Outcome.AUTHORIZED
        assert (answer.attempt_id, answer.amount) == (intend().attempt_id, intend().amount)
        assert answer.gateway_ref
        assert answer.expires_at is not None
        assert answer.expires_at >= intend().created_at + validity
        assert self.found(gateway, intend(), answer.gateway_ref) == answer
        assert succeeded(self.listed(gateway, intend)) == []

    def test_the_same_authorisation_again_gives_the_same_answer_and_holds_once(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A repeat is a question, also when the first answer was lost."""
        self.time_out(gateway, executed=True)
        assert holding(gateway).authorize(intend()).outcome is Outcome.UNKNOWN
        answers = [holding(gateway).authorize(intend()) for _ in range(3)]
        assert answers == [answers[0]] * 3
        assert len(self.listed(gateway, intend)) == 1

    def test_an_authorisation_that_is_declined_holds_nothing(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is an answer, and nothing can be captured of it."""
        self.decline(gateway, hard=False)
        assert holding(gateway).authorize(intend()).outcome in DECLINES
        self.takes_nothing(gateway, intend, capture_of(intend()))

    def test_an_authorisation_that_needs_the_customer_holds_when_he_has_acted(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """And not before."""
        self.require_action(gateway)
        answer = holding(gateway).authorize(intend())
        assert answer.outcome is Outcome.REQUIRES_ACTION
        self.act(gateway, intend(), succeed=True)
        found = self.found(gateway, intend(), answer.gateway_ref)
        assert found.outcome is Outcome.AUTHORIZED
        self.takes(gateway, intend, capture_of(intend()))

    # ---- capturing --------------------------------------------------------------------------

    def test_all_that_is_held_can_be_captured(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The money is taken once, and nothing is left to capture."""
        intent = self.held(gateway, intend)
        answer = self.takes(gateway, intend, intent)
        assert answer.attempt_id == intend().attempt_id
        self.takes_nothing(gateway, intend, another_capture(intent), taken=intent.amount)

    @only_if(TAKES_PARTS)
    def test_a_part_of_what_is_held_can_be_captured(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """That much is taken, and no more."""
        self.takes(gateway, intend, self.held(gateway, intend, part=True))

    @only_if(TAKES_PARTS)
    def test_no_more_is_captured_than_is_held(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """One cent more is declined, not raised, and takes nothing."""
        intent = self.held(gateway, intend)
        cent = Money(1, intent.amount.currency)
        self.takes_nothing(gateway, intend, evolve(intent, amount=intent.amount + cent))

    def test_what_was_never_authorised_cannot_be_captured(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is declined, which is an answer."""
        assert holding(gateway).capture(capture_of(intend())).outcome in DECLINES
        assert self.listed(gateway, intend) == []

    @only_if(TAKES_PARTS)
    def test_the_same_capture_again_gives_the_same_answer_and_takes_once(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A repeat is a question, until an hour before its window ends."""
        intent = self.held(gateway, intend, part=True)
        first = self.takes(gateway, intend, intent)
        assert holding(gateway).capture(intent) == first
        self.pass_time(gateway, gateway.capabilities.replay_window - MARGIN)
        assert holding(gateway).capture(intent) == first
        assert self.taken(gateway, intend) == [intent.amount]

    @only_if(TAKES_PARTS, CAPTURES_ONCE)
    def test_where_one_capture_is_possible_a_second_takes_nothing(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Another key is another capture, and the first was the only one."""
        intent = self.held(gateway, intend, part=True)
        self.takes(gateway, intend, intent)
        self.takes_nothing(gateway, intend, another_capture(intent), taken=intent.amount)

    @only_if(TAKES_PARTS, CAPTURES_OFTEN)
    def test_where_several_captures_are_possible_they_never_exceed_what_is_held(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Two parts that make the whole are taken; one cent more is not."""
        whole = intend().amount
        first = self.held(gateway, intend, part=True)
        self.takes(gateway, intend, first)
        rest = evolve(another_capture(first), amount=whole - first.amount)
        assert holding(gateway).capture(rest).outcome is Outcome.SUCCEEDED
        assert self.taken(gateway, intend) == [whole]
        cent = evolve(another_capture(first, 3), amount=Money(1, whole.currency))
        self.takes_nothing(gateway, intend, cent, taken=whole)

    @only_if(TAKES_PARTS)
    def test_a_capture_key_that_comes_with_another_amount_is_unknown_and_takes_nothing(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is a defect of the caller, never a decline, and never a second capture."""
        intent = self.held(gateway, intend, part=True)
        self.takes(gateway, intend, intent)
        other = evolve(intent, amount=intent.amount * 2)
        assert holding(gateway).capture(other).outcome is Outcome.UNKNOWN
        assert self.taken(gateway, intend) == [intent.amount]

    # ---- silence ----------------------------------------------------------------------------

    @pytest.mark.parametrize("executed", [False, True], ids=["lost", "executed"])
    def test_a_capture_that_times_out_is_unknown_and_a_repeat_takes_once(
        self, gateway: PaymentGateway, intend: Intents, *, executed: bool
    ) -> None:
        """Whether the first call had its effect or not; asking tells which."""
        intent = self.held(gateway, intend)
        self.time_out_capture(gateway, executed=executed)
        answer = holding(gateway).capture(intent)
        assert answer.outcome is Outcome.UNKNOWN
        assert (answer.attempt_id, answer.amount) == (intent.attempt_id, intent.amount)
        found = self.found(gateway, intend(), intent.authorization_ref)
        assert found.outcome is (Outcome.SUCCEEDED if executed else Outcome.AUTHORIZED)
        self.takes(gateway, intend, intent)

    def test_a_refused_connection_captures_nothing(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is proof that nothing happened, and the same capture may be sent."""
        intent = self.held(gateway, intend)
        self.refuse_capture_connection(gateway)
        assert holding(gateway).capture(intent).outcome is Outcome.NOT_EXECUTED
        assert self.taken(gateway, intend) == []
        self.takes(gateway, intend, intent)

    # ---- releasing --------------------------------------------------------------------------

    def test_what_is_released_is_held_no_more(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is void, however often that is asked for, and cannot be captured."""
        intent = self.held(gateway, intend)
        for _ in range(2):
            released = holding(gateway).release(intend())
            assert released.outcome is Outcome.DECLINED_SOFT
            assert released.decline is not None
            assert released.decline.code == "voided"
        assert self.found(gateway, intend(), intent.authorization_ref).outcome in DECLINES
        self.takes_nothing(gateway, intend, intent)

    @only_if(TAKES_PARTS)
    def test_what_was_not_captured_is_released_and_what_was_stays(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The rest is free; releasing is not giving back."""
        intent = self.held(gateway, intend, part=True)
        self.takes(gateway, intend, intent)
        for _ in range(2):
            released = holding(gateway).release(intend())
            assert (released.outcome, released.amount) == (Outcome.SUCCEEDED, intent.amount)
            assert released.capturable == Money(0, intent.amount.currency)
        self.takes_nothing(gateway, intend, another_capture(intent), taken=intent.amount)

    # ---- time -------------------------------------------------------------------------------

    def test_what_is_held_can_be_captured_until_its_end(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The last hour counts."""
        intent = self.held(gateway, intend)
        self.pass_time(gateway, self.validity(gateway) - timedelta(hours=1))
        self.takes(gateway, intend, intent)

    def test_a_capture_that_comes_too_late_is_declined_as_expired(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The host is told why: he may ask the customer once more."""
        intent = self.held(gateway, intend)
        self.pass_time(gateway, self.validity(gateway) * 2)
        answer = self.takes_nothing(gateway, intend, intent)
        assert answer.decline is not None
        assert answer.decline.code == "authorization_expired"

    # ---- what laws are told with ------------------------------------------------------------

    def held(
        self, gateway: PaymentGateway, intend: Intents, *, part: bool = False
    ) -> CaptureIntent:
        """Have an amount held, and return the intent to capture it, or a part of it."""
        answer = holding(gateway).authorize(intend())
        assert answer.outcome is Outcome.AUTHORIZED
        intent = evolve(capture_of(intend()), authorization_ref=answer.gateway_ref)
        return evolve(intent, amount=intent.amount.split(3)[0]) if part else intent

    def takes(
        self, gateway: PaymentGateway, intend: Intents, intent: CaptureIntent
    ) -> PaymentSnapshot:
        """Assert that a capture takes its amount, and return the answer."""
        answer = holding(gateway).capture(intent)
        assert (answer.outcome, answer.amount) == (Outcome.SUCCEEDED, intent.amount)
        assert self.taken(gateway, intend) == [intent.amount]
        found = self.found(gateway, intend(), intent.authorization_ref)
        assert (found.outcome, found.amount) == (Outcome.SUCCEEDED, intent.amount)
        return answer

    def takes_nothing(
        self,
        gateway: PaymentGateway,
        intend: Intents,
        intent: CaptureIntent,
        *,
        taken: Money | None = None,
    ) -> PaymentSnapshot:
        """Assert that a capture is declined and takes nothing more; return the answer."""
        answer = holding(gateway).capture(intent)
        assert answer.outcome in DECLINES
        assert self.taken(gateway, intend) == ([] if taken is None else [taken])
        return answer

    def taken(self, gateway: PaymentGateway, intend: Intents) -> list[Money]:
        """Return what the list says was taken."""
        listed = self.listed(gateway, intend)
        return [found.amount for found in listed if found.outcome is Outcome.SUCCEEDED]

    def validity(self, gateway: PaymentGateway) -> timedelta:
        """Return how long an authorisation is good at least."""
        validity = gateway.capabilities.authorization_validity
        assert validity is not None
        return validity


def holding(gateway: PaymentGateway) -> Authorizes:
    """Return the gateway as one that holds amounts; the law is for no other."""
    assert isinstance(gateway, Authorizes)
    return gateway


def capture_of(charge: ChargeIntent, ordinal: int = 1) -> CaptureIntent:
    """Return the intent to capture all of an authorisation."""
    return CaptureIntent(
        charge.attempt_id,
        gateway_key("laws", "capture", charge.attempt_id, str(ordinal)),
        charge.amount,
        charge.amount,
        None,
        charge.customer_ref,
        charge.metadata,
        charge.created_at,
    )


def another_capture(intent: CaptureIntent, ordinal: int = 2) -> CaptureIntent:
    """Return the intent of another capture of the same authorisation."""
    key = gateway_key("laws", "capture", intent.attempt_id, str(ordinal))
    return evolve(intent, key=key)
