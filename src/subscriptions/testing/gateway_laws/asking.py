"""Laws of asking: what became of an attempt, and which charges there are."""

from __future__ import annotations

from datetime import timedelta

from subscriptions.gateways import AbsentForSure, Found, PaymentGateway
from subscriptions.payments import Outcome
from subscriptions.testing.gateway_laws.circumstances import COLLECTS, Circumstances, Intents


class AskingLaws(Circumstances, kit=True, needs=COLLECTS):
    """Asking moves no money; absence is proven, never guessed; a list is complete."""

    # ---- reconciling ------------------------------------------------------------------------

    def test_reconcile_finds_a_charge_with_and_without_its_reference(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Both ways tell the same as the answer did."""
        answer = gateway.charge(intend())
        assert self.found(gateway, intend(), answer.gateway_ref) == answer
        assert self.found(gateway, intend(), None) == answer

    def test_reconcile_moves_no_money(self, gateway: PaymentGateway, intend: Intents) -> None:
        """Asking is not charging, before the charge and after it."""
        gateway.reconcile(intend(), None)
        assert self.listed(gateway, intend) == []
        answer = gateway.charge(intend())
        for _ in range(3):
            gateway.reconcile(intend(), answer.gateway_ref)
        assert len(self.listed(gateway, intend)) == 1

    def test_reconcile_never_says_absent_of_a_charge(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Not even at once, while the list may lag: absence lets the invoice be charged again."""
        answer = gateway.charge(intend())
        for reference in (None, answer.gateway_ref, "of_another_charge"):
            assert not isinstance(gateway.reconcile(intend(), reference), AbsentForSure)

    def test_absence_is_as_of_an_instant_after_the_intent(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """An older list proves nothing. An attempt is not taken for another of its invoice."""
        gateway.charge(intend(1))
        self.catch_up(gateway)
        answer = gateway.reconcile(intend(2), None)
        assert not isinstance(answer, Found)
        if isinstance(answer, AbsentForSure):
            assert answer.as_of >= intend(2).created_at

    # ---- the list ---------------------------------------------------------------------------

    def test_the_list_has_every_charge_once_and_names_its_attempt(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A charge whose answer was lost is found by it, also if it stands on page two."""
        asked = [intend(ordinal) for ordinal in range(30)]
        for intent in asked:
            gateway.charge(intent)
        listed = self.listed(gateway, intend)
        assert sorted(str(found.attempt_id) for found in listed) == sorted(
            intent.attempt_id for intent in asked
        )
        assert len({found.gateway_ref for found in listed}) == len(asked)

    def test_the_list_leaves_out_what_is_older(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It starts where it was asked to start."""
        gateway.charge(intend())
        self.catch_up(gateway)
        assert self.ours(gateway.list_since(self.now() + timedelta(days=1)), intend) == []

    def test_listing_changes_nothing(self, gateway: PaymentGateway, intend: Intents) -> None:
        """It may be asked as often as one likes."""
        gateway.charge(intend())
        assert self.listed(gateway, intend) == self.listed(gateway, intend)

    # ---- fidelity ---------------------------------------------------------------------------

    def test_the_answer_the_list_and_asking_say_the_same(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """However one learns of a charge, it is the same one."""
        answer = gateway.charge(intend())
        found = self.found(gateway, intend(), answer.gateway_ref)
        (listed,) = self.listed(gateway, intend)
        facts = [
            (each.attempt_id, each.gateway_ref, each.outcome, each.amount)
            for each in (answer, found, listed)
        ]
        assert facts == [facts[0]] * 3

    def test_metadata_survive_to_the_list(self, gateway: PaymentGateway, intend: Intents) -> None:
        """They are how a charge is known as ours, and whose it is, when all else was lost."""
        gateway.charge(intend())
        (listed,) = self.listed(gateway, intend)
        metadata = intend().metadata
        assert listed.attempt_id == metadata["attempt"]
        assert (listed.tenant, listed.invoice) == (metadata["tenant"], metadata["invoice"])

    def test_what_is_unknown_is_the_same_by_asking_and_by_repeating(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Whichever the engine does, it comes to one result."""
        self.time_out(gateway, executed=True)
        assert gateway.charge(intend()).outcome is Outcome.UNKNOWN
        found = self.found(gateway, intend(), None)
        repeated = gateway.charge(intend())
        assert (found.outcome, found.gateway_ref) == (repeated.outcome, repeated.gateway_ref)
        assert len(self.listed(gateway, intend)) == 1

    def test_what_was_not_executed_never_shows(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It was proof: neither later nor by asking is there a charge."""
        self.refuse_connection(gateway)
        assert gateway.charge(intend()).outcome is Outcome.NOT_EXECUTED
        self.pass_time(gateway, timedelta(days=2))
        self.catch_up(gateway)
        assert not isinstance(gateway.reconcile(intend(), None), Found)
        assert self.listed(gateway, intend) == []
