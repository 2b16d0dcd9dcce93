"""How the fake gateway gives money back: its books of refunds, and what was scripted for them.

The books are kept apart from the memory of keys, as those of charges are, so that whoever counts
them finds a second refund. Time is an argument; the gateway has it, and the lock.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import TypeAlias, assert_never

from attrs import define, evolve, field

from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.frozen import frozen
from subscriptions.gateways import AbsentForSure, CannotTell, FoundRefund, ReconciledRefund
from subscriptions.gateways.fake.ledger import Alert, LedgerRefund
from subscriptions.gateways.fake.outbox import Outbox
from subscriptions.gateways.fake.tokens import NoConnection, Silence, Succeed, TakeDays
from subscriptions.ids import PaymentId, RefundId
from subscriptions.refunds import RefundFailure, RefundIntent, RefundOutcome, RefundSnapshot

# What counts against a charge: given back, or on its way.
TAKEN = (RefundOutcome.SUCCEEDED, RefundOutcome.PENDING)
RETURNED = RefundFailure("account_closed", "The account is closed")


@frozen
class Fail:
    """The gateway refuses."""

    failure: RefundFailure


RefundFate: TypeAlias = Succeed | Fail | TakeDays
RefundScript: TypeAlias = RefundFate | Silence | NoConnection


@define
class RefundBooks:
    """The refunds of one fake gateway."""

    outbox: Outbox
    alerts: list[Alert]
    ledger: list[LedgerRefund] = field(factory=list[LedgerRefund])
    scripts: deque[RefundScript] = field(factory=deque[RefundScript])
    _answers: dict[str, LedgerRefund] = field(factory=dict[str, LedgerRefund])
    _settlements: list[tuple[datetime, int, bool]] = field(factory=list[tuple[datetime, int, bool]])
    _unanswered_at: dict[RefundId, datetime] = field(factory=dict[RefundId, datetime])

    def refund(
        self, intent: RefundIntent, captured_minor: int, *, window: timedelta, now: datetime
    ) -> RefundSnapshot:
        """Give back as the script says, once for each key in the window."""
        script = self._next_fault()
        if isinstance(script, NoConnection):
            return said(intent, RefundOutcome.NOT_EXECUTED, now)
        if isinstance(script, Silence):
            self._unanswered_at[intent.refund_id] = now
            if not script.executed:
                return said(intent, RefundOutcome.UNKNOWN, now)
        first = self._answers.get(intent.key)
        if first is not None and now - first.created_at < window:
            if first.intent != intent:
                self.alerts.append(Alert(now, intent.key, "the key came with other facts before"))
                return said(intent, RefundOutcome.UNKNOWN, now)
            answer = first.snapshot
        else:
            answer = self._execute(intent, captured_minor, now)
        return said(intent, RefundOutcome.UNKNOWN, now) if script is not None else answer

    def reconcile(
        self, intent: RefundIntent, gateway_ref: str | None, *, as_of: datetime
    ) -> ReconciledRefund:
        """Say what the books have of a refund: by its reference, else from the list."""
        position = self._position(intent.refund_id)
        if position is not None:
            found = self.ledger[position]
            if found.created_at <= as_of or found.reference == gateway_ref:
                return FoundRefund(found.snapshot)
            return CannotTell("the list lags behind")
        asked_at = self._unanswered_at.get(intent.refund_id, intent.created_at)
        if as_of < max(asked_at, intent.created_at):
            return CannotTell("the list lags behind")
        return AbsentForSure(as_of)

    def given_minor(self, attempt_id: PaymentId) -> int:
        """Return how much was given back of a charge for certain."""
        done = RefundOutcome.SUCCEEDED
        made = [each for each in self.ledger if each.attempt == attempt_id and each.outcome is done]
        return sum([each.amount.minor for each in made])

    def settle(self, refund_id: RefundId, now: datetime, *, succeed: bool) -> None:
        """End the wait of a refund that is pending; raises unless it is."""
        position = self._position(refund_id)
        if position is None:
            raise ValidationError("refund_id", refund_id, "a refund that was made")
        refund = self.ledger[position]
        if refund.outcome is not RefundOutcome.PENDING:
            raise InvalidTransition(f"refund {refund_id}", refund.outcome.value, "settle")
        self._finish(position, now, succeed=succeed)

    def send_back(self, refund_id: RefundId, now: datetime) -> None:
        """Let a bank send back what was given; raises unless the refund succeeded."""
        position = self._position(refund_id)
        if position is None or self.ledger[position].outcome is not RefundOutcome.SUCCEEDED:
            raise ValidationError("refund_id", refund_id, "a refund that succeeded")
        self._finish(position, now, succeed=False)

    def tick(self, now: datetime) -> None:
        """Settle what is due by now."""
        while self._settlements and self._settlements[0][0] <= now:
            due_at, position, succeed = heappop(self._settlements)
            if self.ledger[position].outcome is RefundOutcome.PENDING:
                self._finish(position, due_at, succeed=succeed)

    def _next_fault(self) -> Silence | NoConnection | None:
        """Take the next script if it is a fault of the line, which hits repeated calls too."""
        if self.scripts and isinstance(script := self.scripts[0], Silence | NoConnection):
            self.scripts.popleft()
            return script
        return None

    def _next_fate(self) -> RefundFate:
        if self.scripts and not isinstance(script := self.scripts[0], Silence | NoConnection):
            self.scripts.popleft()
            return script
        return Succeed()

    def _execute(self, intent: RefundIntent, captured_minor: int, now: datetime) -> RefundSnapshot:
        taken = sum(
            refund.amount.minor
            for refund in self.ledger
            if refund.attempt == intent.attempt_id and refund.outcome in TAKEN
        )
        position, failure = len(self.ledger), None
        if taken + intent.amount.minor > captured_minor:
            failure = RefundFailure("charge_already_refunded", "More than was charged")
            outcome = RefundOutcome.FAILED
        else:
            fate = self._next_fate()
            match fate:
                case Fail(failure=failure):
                    outcome = RefundOutcome.FAILED
                case TakeDays(days, succeed):
                    outcome = RefundOutcome.PENDING
                    due_at = now + timedelta(days=days)
                    heappush(self._settlements, (due_at, position, succeed))
                case Succeed():
                    outcome = RefundOutcome.SUCCEEDED
                case other:
                    assert_never(other)
        places = sum(refund.refund == intent.refund_id for refund in self.ledger)
        reference = f"re_{intent.refund_id.removeprefix('ref_')}"
        if places:
            reference = f"{reference}_{places + 1}"
        refund = LedgerRefund(reference, intent, outcome, now, now, failure)
        self.ledger.append(refund)
        self.outbox.put(refund)
        self._answers[intent.key] = refund
        return refund.snapshot

    def _finish(self, position: int, at: datetime, *, succeed: bool) -> None:
        outcome = RefundOutcome.SUCCEEDED if succeed else RefundOutcome.FAILED
        failure = None if succeed else RETURNED
        refund = evolve(self.ledger[position], outcome=outcome, changed_at=at, failure=failure)
        self.ledger[position] = refund
        self.outbox.put(refund)

    def _position(self, refund_id: RefundId) -> int | None:
        places = [place for place, each in enumerate(self.ledger) if each.refund == refund_id]
        return places[-1] if places else None


def said(intent: RefundIntent, outcome: RefundOutcome, at: datetime) -> RefundSnapshot:
    """Say what the line says: silence, or no connection."""
    return RefundSnapshot(outcome, intent.amount, at, intent.refund_id)
