"""How the fake gateway captures what it holds, and how it releases the rest.

The books of captures are kept apart from the memory of keys, as those of charges are, so that
whoever counts them finds a second capture. Time is an argument; the gateway has it, and the lock.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TypeAlias

from attrs import define, evolve, field

from subscriptions.frozen import frozen
from subscriptions.gateways.fake.charges import EXPIRED, VOIDED, ChargeBooks
from subscriptions.gateways.fake.ledger import Alert, LedgerCapture, LedgerCharge
from subscriptions.gateways.fake.tokens import NoConnection, Refuse, Silence
from subscriptions.ids import PaymentId
from subscriptions.money import Money
from subscriptions.payments import (
    AUTHORIZATION_EXPIRED,
    CaptureIntent,
    ChargeIntent,
    Decline,
    Outcome,
    PaymentSnapshot,
)

NOT_HELD = Decline("capture_not_possible", "So much is not held")

CaptureScript: TypeAlias = Refuse | Silence | NoConnection


@frozen
class _Answered:
    """A key, with what came with it first and what was answered."""

    intent: CaptureIntent
    snapshot: PaymentSnapshot
    at: datetime


@define
class CaptureBooks:
    """The captures of one fake gateway; what is held is in the books of charges."""

    charges: ChargeBooks
    alerts: list[Alert]
    multi: bool
    ledger: list[LedgerCapture] = field(factory=list[LedgerCapture])
    scripts: deque[CaptureScript] = field(factory=deque[CaptureScript])
    _answers: dict[str, _Answered] = field(factory=dict[str, _Answered])

    def capture(
        self, intent: CaptureIntent, *, window: timedelta, now: datetime
    ) -> PaymentSnapshot:
        """Capture as the script says, once for each key in the window."""
        script = self._next_fault()
        if isinstance(script, NoConnection):
            return _said(intent, Outcome.NOT_EXECUTED, now)
        if isinstance(script, Silence) and not script.executed:
            return _said(intent, Outcome.UNKNOWN, now)
        first = self._answers.get(intent.key)
        if first is not None and now - first.at < window:
            if first.intent != intent:
                self.alerts.append(Alert(now, intent.key, "the key came with other facts before"))
                return _said(intent, Outcome.UNKNOWN, now)
            answer = first.snapshot
        else:
            answer = self._execute(intent, now)
            self._answers[intent.key] = _Answered(intent, answer, now)
        return _said(intent, Outcome.UNKNOWN, now) if script is not None else answer

    def release(self, intent: ChargeIntent, now: datetime) -> PaymentSnapshot:
        """Hold nothing more of an authorisation; say what became of it."""
        position = self.charges.position(intent.attempt_id)
        if position is None:
            return self.charges.void(intent, now)
        held = self.charges.ledger[position]
        if held.outcome is Outcome.AUTHORIZED:
            self.charges.put(
                position,
                evolve(
                    held,
                    outcome=Outcome.DECLINED_SOFT,
                    changed_at=now,
                    decline=VOIDED,
                    released=True,
                ),
            )
        elif held.capturable_minor:
            # What is told in a message is what was captured; that the rest is free is no news.
            self.charges.ledger[position] = evolve(held, released=True)
        return self.charges.ledger[position].snapshot

    def taken(self, attempt_id: PaymentId) -> tuple[LedgerCapture, ...]:
        """Return the captures of an authorisation, oldest first."""
        return tuple(each for each in self.ledger if each.intent.attempt_id == attempt_id)

    def _next_fault(self) -> Silence | NoConnection | None:
        """Take the next script if it is a fault of the line, which hits repeated calls too."""
        if self.scripts and isinstance(script := self.scripts[0], Silence | NoConnection):
            self.scripts.popleft()
            return script
        return None

    def _execute(self, intent: CaptureIntent, now: datetime) -> PaymentSnapshot:
        position = self.charges.position(intent.attempt_id)
        if position is None:
            return _declined(intent, NOT_HELD, now)
        held = self.charges.ledger[position]
        if held.decline is not None and held.decline.code == AUTHORIZATION_EXPIRED:
            return _declined(intent, EXPIRED, now, held)
        if self.scripts and isinstance(script := self.scripts[0], Refuse):
            self.scripts.popleft()
            return _declined(intent, script.decline, now, held, hard=script.hard)
        if held.captured_minor and not self.multi:
            return _declined(intent, NOT_HELD, now, held)
        if intent.amount.currency != held.intent.amount.currency:
            return _declined(intent, NOT_HELD, now, held)
        if intent.amount.minor > held.capturable_minor:
            return _declined(intent, NOT_HELD, now, held)
        self.ledger.append(LedgerCapture(held.reference, intent, now))
        captured = evolve(
            held,
            outcome=Outcome.SUCCEEDED,
            changed_at=now,
            captured_minor=held.captured_minor + intent.amount.minor,
            captured_for=intent.metadata.get("invoice", ""),
        )
        self.charges.put(position, captured)
        return evolve(captured.snapshot, amount=intent.amount)


def _declined(
    intent: CaptureIntent,
    decline: Decline,
    at: datetime,
    held: LedgerCharge | None = None,
    *,
    hard: bool = False,
) -> PaymentSnapshot:
    return PaymentSnapshot(
        Outcome.DECLINED_HARD if hard else Outcome.DECLINED_SOFT,
        intent.amount,
        at,
        intent.attempt_id,
        None if held is None else held.reference,
        decline,
        capturable=Money(0 if held is None else held.capturable_minor, intent.amount.currency),
    )


def _said(intent: CaptureIntent, outcome: Outcome, at: datetime) -> PaymentSnapshot:
    """Say what the line says: silence, or no connection."""
    return PaymentSnapshot(outcome, intent.amount, at, intent.attempt_id)
