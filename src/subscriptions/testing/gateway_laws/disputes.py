"""The laws of telling what came back, for gateways that implement `ReportsDisputes`.

The engine believes a gateway as to what a dispute has taken, so what it lists and what its messages
say must agree, and each word must name the payment that it is about.
"""

from __future__ import annotations

import pytest

from subscriptions.disputes import DisputeKind, DisputeSnapshot, DisputeStatus
from subscriptions.gateways import PaymentGateway, Refunds, ReportsDisputes
from subscriptions.money import Money
from subscriptions.payments import ChargeIntent, Outcome
from subscriptions.refunds import RefundOutcome
from subscriptions.testing.gateway_laws.circumstances import SKEW, Circumstances, Intents
from subscriptions.testing.gateway_laws.refunds import GIVES_BACK, refund_of
from subscriptions.testing.kits import Need, only_if

REPORTS = Need(
    lambda gateway: isinstance(gateway, ReportsDisputes),
    "not applicable: the gateway does not implement ReportsDisputes",
)


class DisputeLaws(Circumstances, kit=True, needs=REPORTS):
    """What a gateway says of a dispute names its payment, agrees with its list, and can be told."""

    def test_a_charge_that_nobody_disputes_is_in_no_list(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """What is listed is what somebody wants back."""
        self.took(gateway, intend())
        assert self.disputes(gateway, intend) == []

    def test_a_dispute_is_listed_with_its_payment_and_what_it_has_taken(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A chargeback by default has the whole amount, and a reference of its own."""
        said = self.disputed(gateway, intend)
        assert (said.status, said.kind) == (DisputeStatus.OPENED, DisputeKind.CHARGEBACK)
        assert said.amount == intend().amount
        assert said.dispute_ref
        assert said.dispute_ref != said.gateway_ref
        assert said.occurred_at.tzinfo is not None
        assert self.disputes(gateway, intend) == [said], "asking again says the same"

    def test_disputes_are_listed_from_when_they_last_changed(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """What changed before is left out, so that a sweep need not hear everything again."""
        said = self.disputed(gateway, intend)
        listing = reporting(gateway).list_disputes_since(said.occurred_at + SKEW)
        assert said.dispute_ref not in [each.dispute_ref for each in listing]

    @pytest.mark.parametrize("won", [True, False], ids=["won", "lost"])
    def test_a_dispute_that_ends_says_how_under_the_same_reference(
        self, gateway: PaymentGateway, intend: Intents, *, won: bool
    ) -> None:
        """There is one dispute still, and its later word does not come from an earlier time."""
        opened = self.disputed(gateway, intend)
        self.close_dispute(gateway, intend(), won=won)
        (closed,) = self.disputes(gateway, intend)
        assert closed.status is (DisputeStatus.WON if won else DisputeStatus.LOST)
        assert (closed.dispute_ref, closed.amount) == (opened.dispute_ref, opened.amount)
        assert closed.occurred_at >= opened.occurred_at

    def test_a_message_about_a_dispute_says_what_the_list_says(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """And it is told from one about a payment or a refund."""
        said = self.disputed(gateway, intend)
        event = self.dispute_event(gateway, intend())
        assert event.id
        assert event.snapshot is None
        assert event.refund is None
        assert event.dispute == said

    def test_a_dispute_does_not_undo_the_charge(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The charge succeeded and stays so: a success is never followed by a decline."""
        said = self.disputed(gateway, intend)
        assert self.found(gateway, intend(), said.gateway_ref).outcome is Outcome.SUCCEEDED
        self.close_dispute(gateway, intend(), won=False)
        assert self.found(gateway, intend(), said.gateway_ref).outcome is Outcome.SUCCEEDED

    @only_if(GIVES_BACK)
    def test_what_a_dispute_has_taken_is_not_given_back_as_well(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Else it would go to the payer twice."""
        self.disputed(gateway, intend)
        assert isinstance(gateway, Refunds)
        answer = gateway.refund(refund_of(intend()))
        assert answer.outcome is RefundOutcome.FAILED
        assert answer.failure is not None

    # ---- what laws are told with ------------------------------------------------------------

    def disputes(self, gateway: PaymentGateway, intend: Intents) -> list[DisputeSnapshot]:
        """Return the disputes of the law's own charges, once the list has caught up."""
        self.catch_up(gateway)
        attempts = {intend(ordinal).attempt_id for ordinal in range(40)}
        references = {each.gateway_ref for each in self.listed(gateway, intend)}
        return [
            each
            for each in reporting(gateway).list_disputes_since(intend.at - SKEW)
            if each.attempt_id in attempts or each.gateway_ref in references
        ]

    def disputed(self, gateway: PaymentGateway, intend: Intents) -> DisputeSnapshot:
        """Charge, let all of it be disputed, and return what the gateway lists of that."""
        self.took(gateway, intend())
        self.open_dispute(gateway, intend())
        (said,) = self.disputes(gateway, intend)
        return said

    def took(self, gateway: PaymentGateway, intent: ChargeIntent) -> Money:
        """Charge, and return what was taken."""
        answer = gateway.charge(intent)
        assert answer.outcome is Outcome.SUCCEEDED
        return answer.amount


def reporting(gateway: PaymentGateway) -> ReportsDisputes:
    """Return the gateway as one that lists disputes."""
    assert isinstance(gateway, ReportsDisputes)
    return gateway
