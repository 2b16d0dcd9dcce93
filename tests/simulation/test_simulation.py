"""Seeded stories of commands, faults and crashes, with the invariants after every step.

A failure names its seed: `Simulation(seed, MemoryStorage()).story(STEPS)` tells the story again.
The invariants are only worth what they catch, so bugs are planted, and each must be found.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from subscriptions import MemoryStorage, SqlStorage, balance, inbox, payments
from subscriptions.balance import Cause
from subscriptions.customers import Customer
from subscriptions.decisions import Change, Decision
from subscriptions.events import Recorded, record
from subscriptions.gateways.fake.tokens import DECLINES
from subscriptions.ids import PaymentId, RefundId
from subscriptions.inbox import INBOUND, Inbound
from subscriptions.money import Money
from subscriptions.payments import Advice, Decline, Outcome, Payment, PaymentSnapshot
from subscriptions.records import Ref
from subscriptions.storage import Storage
from subscriptions.usecases.flows import Command, Context, Flow, Maybe
from tests.simulation.invariants import ALWAYS, WHEN_QUIET
from tests.simulation.simulator import COMMANDS, Simulation

STEPS = 60
BATCHES, BATCH = 6, 20
SEEDS_TO_CATCH_A_BUG = 150


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Silence the log: that calls are not answered and crash is the point of it all."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _told(seed: int, storage: Storage, steps: int = STEPS, theme: str = "") -> Simulation:
    simulation = Simulation(seed, storage, theme)
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
    for seed in range(3 * BATCH):
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
        "BankLineBooked",
        "CreditNoteIssued",
        "DebitReturned",
        "DisputeLost",
        "DisputeWon",
        "GrantExpired",
        "GrantReturned",
        "GrantRolledOver",
        "PaymentAdopted",
        "PaymentCaptureIntended",
        "PaymentRestReleased",
        "PaymentRestored",
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


def _a_dispute_that_was_won_restores_twice(patch: pytest.MonkeyPatch) -> None:
    right = payments.shares_of

    def wrong(payment: Payment, wanted_minor: int, **how: int) -> payments.Shares:
        shares = right(payment, wanted_minor, **how)
        back_minor = payment.disputed_minor - shares.disputed_minor
        if back_minor <= 0:
            return shares
        return evolve(shares, disputed_minor=max(0, shares.disputed_minor - back_minor))

    patch.setattr(payments, "shares_of", wrong)


def _a_void_invoice_returns_nothing_to_grants(patch: pytest.MonkeyPatch) -> None:
    def wrong(decision: Decision, *_: object) -> Flow[Decision]:
        yield from ()
        return decision

    patch.setattr("subscriptions.usecases.invoices.returned", wrong)


def _a_new_capture_key_for_each_call(patch: pytest.MonkeyPatch) -> None:
    numbers = count()

    def fresh(*_: str) -> str:
        return f"key-{next(numbers)}"

    patch.setattr("subscriptions.payments.authorizing.gateway_key", fresh)


def _an_orphan_adopted_under_a_new_id(patch: pytest.MonkeyPatch) -> None:
    right = payments.adopt
    numbers = count()

    def wrong(snapshot: PaymentSnapshot, **about: Any) -> Change | None:  # noqa: ANN401 - whatever there is
        change = right(snapshot, **about)
        if change is None:
            return None
        adopted = change.after
        assert isinstance(adopted, Payment)
        after = evolve(adopted, id=PaymentId(f"{adopted.id}-{next(numbers)}"))
        return Change(change.kind, None, after, change.events)

    patch.setattr(payments, "adopt", wrong)


def _a_message_has_its_effect_each_time_it_comes(patch: pytest.MonkeyPatch) -> None:
    def wrong(messages: Sequence[Inbound], at: datetime) -> Command[Inbound]:
        def flow(context: Context) -> Flow[Decision]:
            changes: list[Change] = []
            for message in messages:
                known = yield from Maybe(INBOUND, message.id)
                if known is None:
                    changes.append(inbox.received(message, at=context.at))
                else:
                    changes.append(inbox.again(known, at=context.at))
            return Decision(tuple(changes), about=Ref(INBOUND, messages[0].id))

        return Command(INBOUND, flow, at)

    patch.setattr("subscriptions.usecases.inbox.take_in", wrong)


def _a_bank_line_kept_each_time_it_is_read(patch: pytest.MonkeyPatch) -> None:
    numbers = count()

    def fresh(*identity: str) -> str:
        return f"bkl_{next(numbers):06}"

    patch.setattr("subscriptions.statements.line.derived_id", fresh)


def _what_is_paid_too_much_is_lost(patch: pytest.MonkeyPatch) -> None:
    right = balance.move

    def wrong(customer: Customer, amount: Money, **how: Any) -> tuple[Change, ...]:  # noqa: ANN401 - whatever there is
        if how["cause"] is Cause.OVERPAYMENT and amount.minor > 0:
            return ()
        return right(customer, amount, **how)

    patch.setattr(balance, "move", wrong)


PLANTED: dict[str, tuple[Plant, str, str]] = {
    "a new key for each call": (_a_new_key_for_each_call, "i9_", "anything"),
    "silence taken for a decline": (_silence_taken_for_a_decline, "i6_", "anything"),
    "an event dropped now and then": (_an_event_dropped_now_and_then, "i15_", "anything"),
    "a key sent again for ever": (_a_key_sent_again_for_ever, "i8_", "anything"),
    "the age of a key taken from the work alone": (
        _the_age_of_a_key_taken_from_the_work_alone,
        "i8_",
        "anything",
    ),
    "a new refund key for each call": (_a_new_refund_key_for_each_call, "i20_", "anything"),
    "nothing is reserved for a refund": (_nothing_is_reserved_for_a_refund, "i19_", "anything"),
    "nobody asks whether it is still owed": (
        _nobody_asks_whether_it_is_still_owed,
        "i7_",
        "anything",
    ),
    "a dispute that was won restores twice": (
        _a_dispute_that_was_won_restores_twice,
        "i24_",
        "disputes",
    ),
    "a void invoice returns nothing to grants": (
        _a_void_invoice_returns_nothing_to_grants,
        "i23_",
        "credit",
    ),
    "a new capture key for each call": (_a_new_capture_key_for_each_call, "i27_", "captures"),
    "an orphan adopted under a new id": (
        _an_orphan_adopted_under_a_new_id,
        "i10_",
        "lost charges",
    ),
    "a message has its effect each time it comes": (
        _a_message_has_its_effect_each_time_it_comes,
        "i28_",
        "disputes",
    ),
    "a bank line kept each time it is read": (
        _a_bank_line_kept_each_time_it_is_read,
        "i25_",
        "bank",
    ),
    "what is paid too much is lost": (_what_is_paid_too_much_is_lost, "i21_", "bank"),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_caught(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, invariant, theme = PLANTED[bug]
    plant(monkeypatch)
    caught: set[str] = set()
    for seed in range(SEEDS_TO_CATCH_A_BUG):
        story = _told(seed, MemoryStorage(), theme=theme)
        caught |= {finding.partition(":")[0] for finding in story.findings}
        if any(name.startswith(invariant) for name in caught):
            return
    pytest.fail(f"{SEEDS_TO_CATCH_A_BUG} stories did not catch it; found {sorted(caught)}")
