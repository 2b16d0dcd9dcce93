"""How the fake gateway charges: its books, its memory of keys, and what was scripted for them.

The books are kept apart from the memory of keys: the books are never searched for a key, nor the
memory for a charge, so that whoever counts the books finds a second charge. Time is an argument;
the gateway has it, and the lock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import TypeAlias, assert_never

from attrs import define, evolve, field

from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.frozen import frozen
from subscriptions.gateways import AbsentForSure, CannotTell, Found, Reconciled
from subscriptions.gateways.fake.ledger import Alert, LedgerCharge
from subscriptions.gateways.fake.outbox import Outbox
from subscriptions.gateways.fake.tokens import (
    TOKENS,
    AskCustomer,
    Fate,
    NoConnection,
    Refuse,
    Silence,
    Succeed,
    TakeDays,
    Token,
    refusal,
)
from subscriptions.ids import PaymentId
from subscriptions.payments import (
    AUTHORIZATION_EXPIRED,
    Advice,
    ChargeIntent,
    Decline,
    Outcome,
    PaymentSnapshot,
)

VOIDED = Decline("voided", "Stopped before the customer acted", Advice.RETRY_AFTER)
EXPIRED = Decline(AUTHORIZATION_EXPIRED, "The authorisation is over", Advice.RETRY_AFTER)


@frozen
class Lost:
    """A scripted silence; `fate` overrides what the token would do."""

    silence: Silence
    fate: Fate | None


Script: TypeAlias = Fate | Lost | NoConnection


@define
class ChargeBooks:
    """The charges of one fake gateway."""

    outbox: Outbox
    alerts: list[Alert]
    ledger: list[LedgerCharge] = field(factory=list[LedgerCharge])
    scripts: deque[Script] = field(factory=deque[Script])
    detached: set[str] = field(factory=set[str])
    _by_attempt: dict[PaymentId, tuple[int, ...]] = field(factory=dict[PaymentId, tuple[int, ...]])
    _by_invoice: dict[str, tuple[int, ...]] = field(factory=dict[str, tuple[int, ...]])
    # Each key with the charge as it was first answered.
    _answers: dict[str, LedgerCharge] = field(factory=dict[str, LedgerCharge])
    _unanswered_at: dict[PaymentId, datetime] = field(factory=dict[PaymentId, datetime])
    _voided_at: dict[PaymentId, datetime] = field(factory=dict[PaymentId, datetime])
    _expiries: list[tuple[datetime, int]] = field(factory=list[tuple[datetime, int]])
    _settlements: list[tuple[datetime, int, bool]] = field(factory=list[tuple[datetime, int, bool]])

    def charge(
        self,
        intent: ChargeIntent,
        *,
        window: timedelta,
        now: datetime,
        validity: timedelta | None = None,
    ) -> PaymentSnapshot:
        """Charge as the script or the token says, once for each key in the window.

        With a `validity` the amount is not taken but held for so long.
        """
        script = self._next_fault()
        if isinstance(script, NoConnection):
            return said(intent, Outcome.NOT_EXECUTED, now)
        if intent.attempt_id in self._voided_at:
            answer = self._voided(intent)
        elif (first := self._remembered(intent, window, now)) is not None:
            answer = first
        else:
            answer, script = self._charge_anew(intent, script, validity, now)
        return said(intent, Outcome.UNKNOWN, now) if script is not None else answer

    def void(self, intent: ChargeIntent, now: datetime) -> PaymentSnapshot:
        """Stop what waits for the customer, or never arrived; tell the outcome of all else."""
        position = self.position(intent.attempt_id)
        if position is None:
            self._voided_at.setdefault(intent.attempt_id, now)
            return self._voided(intent)
        if self.ledger[position].outcome is Outcome.REQUIRES_ACTION:
            self._voided_at[intent.attempt_id] = now
            self._change(position, Outcome.DECLINED_SOFT, now, VOIDED)
        return self.ledger[position].snapshot

    def reconcile(
        self, intent: ChargeIntent, gateway_ref: str | None, *, as_of: datetime
    ) -> Reconciled:
        """Say what the books have of an attempt: by its reference, else from the list."""
        position = self.position(intent.attempt_id)
        if position is not None:
            charge = self.ledger[position]
            if charge.created_at <= as_of or charge.reference == gateway_ref:
                return Found(charge.snapshot)
            return CannotTell("the list lags behind")
        asked_at = self._unanswered_at.get(intent.attempt_id, intent.created_at)
        if as_of < max(asked_at, intent.created_at):
            return CannotTell("the list lags behind")
        return AbsentForSure(as_of)

    def since(self, instant: datetime) -> list[LedgerCharge]:
        """Return the charges made at or after an instant, oldest first."""
        return self.ledger[bisect_left(self.ledger, instant, key=_created_at) :]

    def of_invoice(self, invoice: str) -> tuple[LedgerCharge, ...]:
        """Return the charges whose metadata name an invoice, oldest first."""
        found = [self.ledger[place] for place in self._by_invoice.get(invoice, ())]
        return tuple(charge for charge in found if charge.invoice == invoice)

    def captured_minor(self, attempt_id: PaymentId) -> int:
        """Return how much was taken for an attempt, in minor units."""
        position = self.position(attempt_id)
        if position is None or self.ledger[position].outcome is not Outcome.SUCCEEDED:
            return 0
        return self.ledger[position].amount.minor

    def finish(
        self,
        attempt_id: PaymentId,
        waits: Outcome,
        refused: Refuse,
        now: datetime,
        *,
        succeed: bool,
    ) -> None:
        """End what an attempt waits for; raises unless it waits for that."""
        position = self.position(attempt_id)
        if position is None:
            raise ValidationError("attempt_id", attempt_id, "an attempt that was charged")
        if self.ledger[position].outcome is not waits:
            state = self.ledger[position].outcome.value
            raise InvalidTransition(f"charge of {attempt_id}", state, f"end {waits.value}")
        self._finish(position, now, refused, succeed=succeed)

    def tick(self, now: datetime) -> None:
        """Settle what is due by now."""
        while self._settlements and self._settlements[0][0] <= now:
            due_at, position, succeed = heappop(self._settlements)
            if self.ledger[position].outcome is Outcome.PROCESSING:
                self._finish(position, due_at, refusal("insufficient_funds"), succeed=succeed)
        while self._expiries and self._expiries[0][0] <= now:
            due_at, position = heappop(self._expiries)
            held = self.ledger[position]
            if held.outcome is Outcome.AUTHORIZED:
                self._change(position, Outcome.DECLINED_SOFT, due_at, EXPIRED)
            elif held.capturable_minor:
                self.ledger[position] = evolve(held, released=True)

    def put(self, position: int, charge: LedgerCharge) -> None:
        """Write a later state of a charge into the books, and let a message tell of it."""
        self.ledger[position] = charge
        self.outbox.put(charge)
        places = self._by_invoice.get(charge.invoice, ())
        if charge.invoice and position not in places:
            self._by_invoice[charge.invoice] = (*places, position)

    def position(self, attempt_id: PaymentId) -> int | None:
        """Find the charge of an attempt; should there be several, one that took money."""
        places = self._by_attempt.get(attempt_id, ())
        if not places:
            return None
        took = (place for place in places if self.ledger[place].outcome is Outcome.SUCCEEDED)
        return next(took, places[-1])

    def _next_fault(self) -> Lost | NoConnection | None:
        """Take the next script if it is a fault of the line, which hits repeated calls too."""
        if self.scripts and isinstance(script := self.scripts[0], Lost | NoConnection):
            self.scripts.popleft()
            return script
        return None

    def _next_fate(self) -> Fate | None:
        if self.scripts and not isinstance(script := self.scripts[0], Lost | NoConnection):
            self.scripts.popleft()
            return script
        return None

    def _remembered(
        self, intent: ChargeIntent, window: timedelta, now: datetime
    ) -> PaymentSnapshot | None:
        """Return the answer to a key that is still known; forget it once the window has passed."""
        first = self._answers.get(intent.key)
        if first is None or now - first.created_at >= window:
            return None
        if _facts(first.intent) != _facts(intent):
            self.alerts.append(Alert(now, intent.key, "the key came with other facts before"))
            return said(intent, Outcome.UNKNOWN, now)
        return first.snapshot

    def _charge_anew(
        self, intent: ChargeIntent, lost: Lost | None, validity: timedelta | None, now: datetime
    ) -> tuple[PaymentSnapshot, Lost | None]:
        """Execute a charge that is new to the gateway, unless the call is lost on the way."""
        token = _token_of(intent.method_ref)
        own = token.first_answer_lost if token is not None else None
        if lost is None and own is not None and intent.attempt_id not in self._unanswered_at:
            lost = Lost(own, None)
        if lost is not None:
            self._unanswered_at[intent.attempt_id] = now
            if not lost.silence.executed:
                return said(intent, Outcome.UNKNOWN, now), lost
            if lost.fate is not None:
                return self._execute(intent, lost.fate, validity, now), lost
        return self._execute(intent, self._fate(intent, token), validity, now), lost

    def _fate(self, intent: ChargeIntent, token: Token | None) -> Fate:
        if intent.method_ref in self.detached:
            return refusal("method_detached")
        if token is None:
            return refusal("unknown_method")
        if (scripted := self._next_fate()) is not None:
            return scripted
        if isinstance(token.fate, Refuse) and token.fate.times is not None:
            tried = sum(
                charge.intent.method_ref == intent.method_ref
                for charge in self.of_invoice(intent.metadata.get("invoice", ""))
            )
            return token.fate if tried < token.fate.times else Succeed()
        return token.fate

    def _execute(
        self, intent: ChargeIntent, fate: Fate, validity: timedelta | None, now: datetime
    ) -> PaymentSnapshot:
        """Write a charge into the books and remember the answer: two things, kept apart."""
        position = len(self.ledger)
        places = self._by_attempt.get(intent.attempt_id, ())
        reference = f"ch_{intent.attempt_id.removeprefix('pay_')}"
        if places:
            reference = f"{reference}_{len(places) + 1}"
        decline: Decline | None = None
        action_url: str | None = None
        match fate:
            case Succeed():
                outcome = Outcome.SUCCEEDED
            case Refuse(why, hard):
                outcome = Outcome.DECLINED_HARD if hard else Outcome.DECLINED_SOFT
                decline = why
            case AskCustomer():
                outcome = Outcome.REQUIRES_ACTION
                action_url = f"https://gateway.example/authenticate/{reference}"
            case TakeDays(days, succeed):
                outcome = Outcome.PROCESSING
                heappush(self._settlements, (now + timedelta(days=days), position, succeed))
            case other:
                assert_never(other)
        charge = LedgerCharge(
            reference, intent, outcome, now, now, decline, action_url, validity=validity
        )
        if outcome is Outcome.SUCCEEDED:
            charge = self._held(position, charge, now)
        self.ledger.append(charge)
        self._by_attempt[intent.attempt_id] = (*places, position)
        if invoice := charge.invoice:
            self._by_invoice[invoice] = (*self._by_invoice.get(invoice, ()), position)
        self.outbox.put(charge)
        self._answers[intent.key] = charge
        return charge.snapshot

    def _finish(self, position: int, at: datetime, refused: Refuse, *, succeed: bool) -> None:
        if succeed:
            taken = evolve(
                self.ledger[position], outcome=Outcome.SUCCEEDED, changed_at=at, action_url=None
            )
            self.put(position, self._held(position, taken, at))
        else:
            outcome = Outcome.DECLINED_HARD if refused.hard else Outcome.DECLINED_SOFT
            self._change(position, outcome, at, refused.decline)

    def _change(
        self, position: int, outcome: Outcome, at: datetime, decline: Decline | None
    ) -> None:
        charge = evolve(
            self.ledger[position],
            outcome=outcome,
            changed_at=at,
            decline=decline,
            action_url=None,
        )
        self.put(position, charge)

    def _held(self, position: int, charge: LedgerCharge, at: datetime) -> LedgerCharge:
        """Return a charge as it is after the bank's yes: what is only authorised is held."""
        if charge.validity is None:
            return charge
        expires_at = at + charge.validity
        heappush(self._expiries, (expires_at, position))
        return evolve(charge, outcome=Outcome.AUTHORIZED, expires_at=expires_at)

    def _voided(self, intent: ChargeIntent) -> PaymentSnapshot:
        return PaymentSnapshot(
            Outcome.DECLINED_SOFT,
            intent.amount,
            self._voided_at[intent.attempt_id],
            intent.attempt_id,
            decline=VOIDED,
        )


def _created_at(charge: LedgerCharge) -> datetime:
    return charge.created_at


def _facts(intent: ChargeIntent) -> tuple[object, ...]:
    """Return what is sent to a gateway, which must be the same each time."""
    return (
        intent.attempt_id,
        intent.amount,
        intent.method_ref,
        intent.customer_ref,
        dict(intent.metadata),
    )


def said(intent: ChargeIntent, outcome: Outcome, at: datetime) -> PaymentSnapshot:
    """Say what the line says, not the bank: silence, or no connection."""
    return PaymentSnapshot(outcome, intent.amount, at, intent.attempt_id)


def _token_of(method_ref: str) -> Token | None:
    """Return what a method was attached with; the plain token names it as well."""
    name = method_ref.partition(".")[0]
    return TOKENS.get(name.replace("pm_", "tok_", 1) if name.startswith("pm_") else name)
