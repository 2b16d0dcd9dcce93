"""Seeded stories of commands, faults and crashes, with the invariants after every step.

A failure names its seed: `Simulation(seed, MemoryStorage()).story(STEPS)` tells the story again.
The invariants are only worth what they catch, so bugs are planted, and each must be found.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
from attrs import evolve

from subscriptions import MemoryStorage, SqlStorage, payments
from subscriptions.decisions import Change
from subscriptions.events import Recorded, record
from subscriptions.gateways.fake.tokens import DECLINES
from subscriptions.ids import RefundId
from subscriptions.money import Money
from subscriptions.payments import Advice, Decline, Outcome, Payment, PaymentSnapshot
from subscriptions.storage import Storage
from tests.simulation.invariants import ALWAYS, WHEN_QUIET
from tests.simulation.simulator import COMMANDS, Simulation

STEPS = 60
BATCHES, BATCH = 12, 25
SEEDS_TO_CATCH_A_BUG = 150


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Silence the log: that calls are not answered and crash is the point of it all."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _told(seed: int, storage: Storage, steps: int = STEPS) -> Simulation:
    simulation = Simulation(seed, storage)
    simulation.story(steps)
    return simulation


def _report(simulation: Simulation) -> str:
    lines = [f"seed {simulation.seed}, after {len(simulation.steps)} steps:"]
    return "\n".join(
        [*lines, *simulation.findings[:20], "The last steps:", *simulation.steps[-15:]]
    )


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_story_breaks_an_invariant(batch: int) -> None:
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        simulation = _told(seed, MemoryStorage())
        assert not simulation.findings, _report(simulation)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_story_is_the_same_on_sqlite(seed: int, tmp_path: Path) -> None:
    storage = SqlStorage(f"sqlite:///{tmp_path / 'billing.db'}")
    on_sqlite = _told(seed, storage, 40)
    assert not on_sqlite.findings, _report(on_sqlite)
    in_memory = _told(seed, MemoryStorage(), 40)
    assert on_sqlite.steps == in_memory.steps
    assert on_sqlite.view() == in_memory.view()
    storage.close()


def test_a_seed_tells_the_same_story_each_time() -> None:
    first, second = _told(7, MemoryStorage()), _told(7, MemoryStorage())
    assert first.steps == second.steps
    assert first.view() == second.view()


def test_in_some_story_everything_happens() -> None:
    happened: set[str] = set()
    for seed in range(BATCH):
        simulation = _told(seed, MemoryStorage())
        happened |= {step.split(" ", 2)[2] for step in simulation.steps}
        happened |= {type(event.body).__name__ for event in simulation.view().events}
        happened |= {charge.outcome.value for charge in simulation.gateway.charges}
    assert {*COMMANDS} <= happened
    assert any("died" in each for each in happened)
    assert any("refused" in each for each in happened)
    assert {
        "DunningExhausted",
        "InvoiceMarkedUncollectible",
        "InvoicePartlyPaid",
        "PaymentNotExecuted",
        "PaymentOutcomeUnknown",
        "PaymentVoided",
        "PaymentWithdrawn",
        "BalanceMoved",
        "RefundFailed",
        "RefundNotExecuted",
        "RefundPending",
        "RefundSucceeded",
        "RefundUnknown",
        "SubscriptionRecovered",
        "SubscriptionUnpaid",
        "declined_hard",
        "declined_soft",
    } <= happened


def test_the_invariants_are_numbered_in_order_and_each_is_a_sentence() -> None:
    assert WHEN_QUIET[: len(ALWAYS)] == ALWAYS
    for number, invariant in enumerate(WHEN_QUIET, start=1):
        assert invariant.__name__.startswith(f"i{number}_")
        assert (invariant.__doc__ or "").splitlines()[0].endswith(".")


# ---- planted bugs ---------------------------------------------------------------------------

Plant = Callable[[pytest.MonkeyPatch], None]


def _always(*_: object, **__: object) -> bool:
    return True


def _a_new_key_for_each_call(patch: pytest.MonkeyPatch) -> None:
    numbers = count()

    def fresh(*_: str) -> str:
        return f"key-{next(numbers)}"

    patch.setattr("subscriptions.payments.deciding.gateway_key", fresh)


def _silence_taken_for_a_decline(patch: pytest.MonkeyPatch) -> None:
    right = payments.merge
    decline = Decline("try_again_later", DECLINES["try_again_later"].message, Advice.RETRY_AFTER)

    def wrong(payment: Payment, snapshot: PaymentSnapshot, *, at: datetime) -> Change | None:
        if snapshot.outcome is Outcome.UNKNOWN:
            snapshot = evolve(snapshot, outcome=Outcome.DECLINED_SOFT, decline=decline)
        return right(payment, snapshot, at=at)

    patch.setattr(payments, "merge", wrong)


def _an_event_dropped_now_and_then(patch: pytest.MonkeyPatch) -> None:
    numbers = count()

    def forgetful(change: Change, *, at: datetime) -> list[Recorded]:
        return [event for event in record(change, at=at) if next(numbers) % 50 != 49]

    patch.setattr("subscriptions.engine.commit.record", forgetful)


def _a_key_sent_again_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("subscriptions.engine.charging.replayable", _always)


def _the_age_of_a_key_taken_from_the_work_alone(patch: pytest.MonkeyPatch) -> None:
    def young(payment: Payment, *, at: datetime, now: datetime, window: object) -> bool:
        return payments.replayable(payment, at=at, now=at, window=window)  # type: ignore[arg-type]

    patch.setattr("subscriptions.engine.charging.replayable", young)


def _nobody_asks_whether_it_is_still_owed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("subscriptions.engine.work._wanted", _always)


def _a_new_refund_key_for_each_call(patch: pytest.MonkeyPatch) -> None:
    numbers = count()

    def fresh(*_: str) -> str:
        return f"key-{next(numbers)}"

    patch.setattr("subscriptions.refunds.deciding.gateway_key", fresh)


def _nothing_is_reserved_for_a_refund(patch: pytest.MonkeyPatch) -> None:
    right = payments.reserve_refund

    def wrong(payment: Payment, amount: Money, *, refund: RefundId) -> Change:
        change = right(payment, amount, refund=refund)
        assert isinstance(change.after, Payment)
        after = evolve(change.after, refunding_minor=payment.refunding_minor)
        return evolve(change, after=after)

    patch.setattr(payments, "reserve_refund", wrong)


PLANTED: dict[str, tuple[Plant, str]] = {
    "a new key for each call": (_a_new_key_for_each_call, "i9_"),
    "silence taken for a decline": (_silence_taken_for_a_decline, "i6_"),
    "an event dropped now and then": (_an_event_dropped_now_and_then, "i15_"),
    "a key sent again for ever": (_a_key_sent_again_for_ever, "i8_"),
    "the age of a key taken from the work alone": (
        _the_age_of_a_key_taken_from_the_work_alone,
        "i8_",
    ),
    "a new refund key for each call": (_a_new_refund_key_for_each_call, "i20_"),
    "nothing is reserved for a refund": (_nothing_is_reserved_for_a_refund, "i19_"),
    "nobody asks whether it is still owed": (_nobody_asks_whether_it_is_still_owed, "i7_"),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_caught(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, invariant = PLANTED[bug]
    plant(monkeypatch)
    caught: set[str] = set()
    for seed in range(SEEDS_TO_CATCH_A_BUG):
        caught |= {finding.partition(":")[0] for finding in _told(seed, MemoryStorage()).findings}
        if any(name.startswith(invariant) for name in caught):
            return
    pytest.fail(f"{SEEDS_TO_CATCH_A_BUG} stories did not catch it; found {sorted(caught)}")
