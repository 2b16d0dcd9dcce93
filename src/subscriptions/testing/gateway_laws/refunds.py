"""The laws of giving money back, for gateways that implement `Refunds`; skipped for all others.

`GatewayLaws` has them; nobody inherits them alone. The kit sees what was given back by asking about
it, and by what can be given back still: a refund that was made twice leaves less than it should.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from attrs import evolve

from subscriptions.gateways import (
    AbsentForSure,
    FoundRefund,
    PaymentGateway,
    Refunds,
)
from subscriptions.ids import RefundId, derived_id, gateway_key
from subscriptions.money import Money
from subscriptions.payments import ChargeIntent, Outcome
from subscriptions.refunds import RefundIntent, RefundOutcome, RefundSnapshot
from subscriptions.testing.gateway_laws.circumstances import Circumstances
from subscriptions.testing.kits import Need

Intend: TypeAlias = Callable[[], ChargeIntent]

SUCCEEDED, FAILED = RefundOutcome.SUCCEEDED, RefundOutcome.FAILED
PENDING, UNKNOWN = RefundOutcome.PENDING, RefundOutcome.UNKNOWN


GIVES_BACK = Need(
    lambda gateway: isinstance(gateway, Refunds),
    "not applicable: the gateway does not implement Refunds",
)


class RefundLaws(Circumstances, kit=True, needs=GIVES_BACK):
    """The laws that every gateway keeps which gives money back."""

    # ---- giving back ------------------------------------------------------------------------

    def test_a_refund_succeeds_and_says_what_was_given_back(
        self, gateway: PaymentGateway, intend: Intend
    ) -> None:
        """The answer names the refund, its amount, a reference and an instant."""
        intent = self.charged(gateway, intend)
        answer = able(gateway).refund(intent)
        assert answer.outcome is SUCCEEDED
        assert (answer.refund_id, answer.amount) == (intent.refund_id, intent.amount)
        assert answer.gateway_ref
        assert answer.occurred_at.tzinfo is not None

    def test_parts_are_given_back_one_by_one_and_never_more_than_was_charged(
        self, gateway: PaymentGateway, intend: Intend
    ) -> None:
        """Two parts that make the whole are two refunds; one cent more is refused, not raised."""
        first = self.charged(gateway, intend, part=True)
        second = another(first, 2, amount=intend().amount - first.amount)
        answers = [able(gateway).refund(each) for each in (first, second)]
        assert [answer.outcome for answer in answers] == [SUCCEEDED, SUCCEEDED]
        assert answers[0].gateway_ref != answers[1].gateway_ref
        self.nothing_left(gateway, first)

    def test_the_same_refund_again_gives_the_same_answer_and_one_refund(
        self, gateway: PaymentGateway, intend: Intend
    ) -> None:
        """A repeat is a question: all the rest can still be given back."""
        intent = self.charged(gateway, intend, part=True)
        answers = [able(gateway).refund(intent) for _ in range(4)]
        assert answers == [answers[0]] * 4
        self.only_the_rest_left(gateway, intend, intent)

    def test_a_refund_key_with_another_amount_is_unknown_and_moves_nothing(
        self, gateway: PaymentGateway, intend: Intend
    ) -> None:
        """It is a defect of the caller, and never a second refund."""
        intent = self.charged(gateway, intend, part=True)
        able(gateway).refund(intent)
        other = evolve(intent, amount=intent.amount * 2)
        assert able(gateway).refund(other).outcome is UNKNOWN
        self.only_the_rest_left(gateway, intend, intent)

    def test_a_charge_that_never_was_gives_nothing_back(
        self, gateway: PaymentGateway, intend: Intend
    ) -> None:
        """It is refused, which is an answer."""
        self.failed(able(gateway).refund(refund_of(intend())))

    # ---- failing ----------------------------------------------------------------------------

    def test_a_refund_that_fails_says_why_and_gives_nothing_back(
        self, gateway: PaymentGateway, intend: Intend
    ) -> None:
        """It stays failed however often it is asked about; another refund may succeed."""
        intent = self.charged(gateway, intend)
        self.fail_refund(gateway)
        answer = able(gateway).refund(intent)
        self.failed(answer)
        assert able(gateway).refund(intent) == answer
        assert self.found_refund(gateway, intent, answer.gateway_ref).failure == answer.failure
        assert able(gateway).refund(another(intent, 2)).outcome is SUCCEEDED

    # ---- silence ----------------------------------------------------------------------------

    @pytest.mark.parametrize("executed", [False, True], ids=["lost", "executed"])
    def test_a_refund_that_times_out_is_unknown_and_a_repeat_gives_back_once(
        self, gateway: PaymentGateway, intend: Intend, *, executed: bool
    ) -> None:
        """Whether the first call had its effect or not, there is one refund in the end."""
        intent = self.charged(gateway, intend, part=True)
        self.time_out_refund(gateway, executed=executed)
        answer = able(gateway).refund(intent)
        assert answer.outcome is UNKNOWN
        assert (answer.refund_id, answer.amount) == (intent.refund_id, intent.amount)
        assert able(gateway).refund(intent).outcome is SUCCEEDED
        self.only_the_rest_left(gateway, intend, intent)

    def test_a_refund_whose_answer_was_lost_is_found_by_asking(
        self, gateway: PaymentGateway, intend: Intend
    ) -> None:
        """Without a reference, for the answer that would have told it was lost."""
        intent = self.charged(gateway, intend)
        self.time_out_refund(gateway, executed=True)
        able(gateway).refund(intent)
        assert self.found_refund(gateway, intent, None).outcome is SUCCEEDED

    def test_a_refused_connection_gives_nothing_back(
        self, gateway: PaymentGateway, intend: Intend
    ) -> None:
        """It is proof that nothing happened, and the same refund may be sent."""
        intent = self.charged(gateway, intend)
        self.refuse_refund_connection(gateway)
        assert able(gateway).refund(intent).outcome is RefundOutcome.NOT_EXECUTED
        assert not isinstance(able(gateway).reconcile_refund(intent, None), FoundRefund)
        assert able(gateway).refund(intent).outcome is SUCCEEDED

    # ---- reconciling ------------------------------------------------------------------------

    def test_asking_about_a_refund_finds_it_and_gives_nothing_back(
        self, gateway: PaymentGateway, intend: Intend
    ) -> None:
        """Before there is one nothing is found; afterwards it is, with its reference or without."""
        intent = self.charged(gateway, intend, part=True)
        assert not isinstance(able(gateway).reconcile_refund(intent, None), FoundRefund)
        answer = able(gateway).refund(intent)
        for reference in (answer.gateway_ref, None):
            assert self.found_refund(gateway, intent, reference) == answer
        self.only_the_rest_left(gateway, intend, intent)

    def test_absence_is_never_claimed_of_a_refund(
        self, gateway: PaymentGateway, intend: Intend
    ) -> None:
        """Not even at once, while lists may lag: absence lets the refund be sent once more."""
        intent = self.charged(gateway, intend)
        answer = able(gateway).refund(intent)
        for reference in (None, answer.gateway_ref, "of_another_refund"):
            asked = able(gateway).reconcile_refund(intent, reference)
            assert not isinstance(asked, AbsentForSure)

    # ---- what takes days --------------------------------------------------------------------

    @pytest.mark.parametrize("succeed", [False, True], ids=["returned", "settled"])
    def test_a_slow_refund_is_pending_until_it_is_settled(
        self, gateway: PaymentGateway, intend: Intend, *, succeed: bool
    ) -> None:
        """While it is pending nothing else may have its part; then it succeeded, or it failed."""
        intent = self.charged(gateway, intend)
        self.pend_refund(gateway)
        answer = able(gateway).refund(intent)
        assert answer.outcome is PENDING
        self.nothing_left(gateway, intent)
        self.settle_refund(gateway, intent, succeed=succeed)
        found = self.found_refund(gateway, intent, answer.gateway_ref)
        assert found.outcome is (SUCCEEDED if succeed else FAILED)
        assert (found.failure is None) == succeed

    # ---- messages ---------------------------------------------------------------------------

    def test_a_message_about_a_refund_names_it(
        self, gateway: PaymentGateway, intend: Intend
    ) -> None:
        """It is told from one about a payment."""
        intent = self.charged(gateway, intend)
        able(gateway).refund(intent)
        event = self.refund_event(gateway, intent)
        assert event.id
        assert event.snapshot is None
        assert event.refund is not None
        assert event.refund.refund_id == intent.refund_id
        assert event.refund.amount == intent.amount

    # ---- what laws are told with ------------------------------------------------------------

    def charged(
        self, gateway: PaymentGateway, intend: Intend, *, part: bool = False
    ) -> RefundIntent:
        """Charge, and return the intent to give it back, or a part of it."""
        able(gateway)
        charge = intend()
        answer = gateway.charge(charge)
        assert answer.outcome is Outcome.SUCCEEDED
        intent = evolve(refund_of(charge), charge_ref=answer.gateway_ref)
        return evolve(intent, amount=intent.amount.split(3)[0]) if part else intent

    def found_refund(
        self, gateway: PaymentGateway, intent: RefundIntent, reference: str | None
    ) -> RefundSnapshot:
        """Return what `reconcile_refund` finds, once lists have caught up; fail for nothing."""
        self.catch_up(gateway)
        answer = able(gateway).reconcile_refund(intent, reference)
        assert isinstance(answer, FoundRefund), f"not found: {answer}"
        return answer.snapshot

    def only_the_rest_left(
        self, gateway: PaymentGateway, intend: Intend, intent: RefundIntent
    ) -> None:
        """Assert that a part was given back once: the rest can be, and then no more."""
        rest = another(intent, 2, amount=intend().amount - intent.amount)
        assert able(gateway).refund(rest).outcome is SUCCEEDED
        self.nothing_left(gateway, intent)

    def nothing_left(self, gateway: PaymentGateway, intent: RefundIntent) -> None:
        """Assert that the least amount is refused."""
        least = Money(1, intent.amount.currency)
        self.failed(able(gateway).refund(another(intent, 9, amount=least)))

    def failed(self, answer: RefundSnapshot) -> None:
        """Assert that a refund failed and says why."""
        assert answer.outcome is FAILED
        assert answer.failure is not None
        assert answer.failure.code


def able(gateway: PaymentGateway) -> Refunds:
    """Return the gateway as one that gives money back; the law is for no other."""
    assert isinstance(gateway, Refunds)
    return gateway


def refund_of(charge: ChargeIntent) -> RefundIntent:
    """Return the intent to give back all of a charge."""
    id = RefundId(derived_id("ref", charge.attempt_id, "1"))
    return RefundIntent(
        id,
        gateway_key("laws", "refund", id),
        charge.amount,
        charge.attempt_id,
        None,
        charge.customer_ref,
        {"tenant": "laws", "refund": id, "payment": charge.attempt_id},
        charge.created_at,
    )


def another(intent: RefundIntent, ordinal: int, *, amount: Money | None = None) -> RefundIntent:
    """Return the intent of another refund of the same charge."""
    id = RefundId(derived_id("ref", intent.attempt_id, str(ordinal)))
    return evolve(
        intent,
        refund_id=id,
        key=gateway_key("laws", "refund", id),
        amount=intent.amount if amount is None else amount,
        metadata={**intent.metadata, "refund": id},
    )
