"""Laws of time and of threads: how long a key is known, and what many callers at once come to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

from subscriptions.gateways import PaymentGateway
from subscriptions.payments import MARGIN, Outcome, PaymentSnapshot
from subscriptions.testing.gateway_laws.circumstances import (
    COLLECTS,
    SKEW,
    Circumstances,
    Intents,
    succeeded,
)

THREADS = 8
PATIENCE_SECONDS = 60.0


class TimeLaws(Circumstances, kit=True, needs=COLLECTS):
    """A key is good as long as is said; what was charged is known for ever."""

    def test_a_key_is_known_until_the_end_of_its_window(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is repeated until an hour before, and then it is still a question."""
        first = gateway.charge(intend())
        self.pass_time(gateway, gateway.capabilities.replay_window - MARGIN)
        assert gateway.charge(intend()) == first
        assert len(self.listed(gateway, intend)) == 1

    def test_a_key_whose_answer_was_lost_is_known_as_long(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The window begins with the first call, whoever heard the answer."""
        self.time_out(gateway, executed=True)
        gateway.charge(intend())
        self.pass_time(gateway, gateway.capabilities.replay_window - MARGIN)
        assert gateway.charge(intend()).outcome is Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == [intend().attempt_id]

    def test_what_was_charged_is_found_long_after_its_key_is_forgotten(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Two months later, by its reference and without."""
        answer = gateway.charge(intend())
        self.pass_time(gateway, timedelta(days=60))
        assert self.found(gateway, intend(), answer.gateway_ref) == answer
        assert self.found(gateway, intend(), None) == answer

    def test_a_list_begins_with_the_instant_that_is_asked_for(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A sweep that goes on where the last one ended loses nothing."""
        answer = gateway.charge(intend())
        self.catch_up(gateway)
        listed = self.ours(gateway.list_since(answer.occurred_at), intend)
        assert [found.attempt_id for found in listed] == [intend().attempt_id]

    def test_an_answer_is_of_its_time(self, gateway: PaymentGateway, intend: Intents) -> None:
        """It is neither older than the intent nor from the future, but for the two clocks."""
        occurred_at = gateway.charge(intend()).occurred_at
        assert intend().created_at - SKEW <= occurred_at <= self.now() + SKEW

    def test_one_intent_from_eight_threads_is_one_charge(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Each caller hears what became of it, or that it is under way; the money moves once."""
        barrier = Barrier(THREADS)

        def charge(_: int) -> PaymentSnapshot:
            barrier.wait(PATIENCE_SECONDS)
            return gateway.charge(intend())

        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(charge, range(THREADS)))
        assert {answer.outcome for answer in answers} <= {Outcome.SUCCEEDED, Outcome.UNKNOWN}
        assert gateway.charge(intend()).outcome is Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == [intend().attempt_id]

    def test_as_many_charges_at_once_as_are_said_are_as_many_charges(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """None gets lost, and none hears the answer to another."""
        with ThreadPoolExecutor(min(THREADS, gateway.capabilities.in_flight_max)) as pool:
            intents = [intend(ordinal) for ordinal in range(THREADS)]
            answers = list(pool.map(gateway.charge, intents))
        assert [answer.attempt_id for answer in answers] == [each.attempt_id for each in intents]
        taken = succeeded(self.listed(gateway, intend))
        assert sorted(map(str, taken)) == sorted(each.attempt_id for each in intents)
