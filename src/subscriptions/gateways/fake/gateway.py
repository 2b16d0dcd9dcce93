"""The fake gateway: a model of a real one, not a stub.

It has books of its own (`charges`), kept apart from the memory of keys
by which it recognises a repeated call, so that whoever counts the books finds a double charge. It
forgets keys after its replay window, its lists may lag behind its writes, its answers may get lost,
and each change of state waits as a signed message (`webhooks`) that a test may lose, repeat and
reorder.

What happens to a charge is decided by its token (`TOKENS`), or by what was scripted for the next
one. Nothing is random and no clock is read: the gateway's time is the latest instant that it was
told, by its `clock`, by `at`, or by an intent.
"""

from __future__ import annotations

from base64 import b64encode
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from heapq import heappop, heappush
from threading import RLock
from typing import TypeAlias, assert_never

from attrs import evolve, frozen

from subscriptions.errors import GatewayError, InvalidTransition, ValidationError
from subscriptions.gateways import (
    AbsentForSure,
    CannotTell,
    Capabilities,
    Found,
    GatewayEvent,
    Reconciled,
    ReconciledRefund,
    Secret,
)
from subscriptions.gateways.fake.ledger import LedgerCharge, LedgerRefund
from subscriptions.gateways.fake.messages import WebhookMessage, read, write, write_refund
from subscriptions.gateways.fake.refunds import Fail, RefundBooks, RefundScript
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
from subscriptions.gateways.signatures import verify
from subscriptions.ids import PaymentId, RefundId, derived_id
from subscriptions.payment_methods import MethodDetails, refuse_card_number
from subscriptions.payments import Advice, ChargeIntent, Decline, Outcome, PaymentSnapshot
from subscriptions.records import aware, plain_text
from subscriptions.refunds import RefundFailure, RefundIntent, RefundSnapshot

KEY_LENGTH_MAX = 64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VOIDED = Decline("voided", "Stopped before the customer acted", Advice.RETRY_AFTER)
# The same for every fake gateway, so that processes of one test agree; it protects nothing.
WEBHOOK_SECRET = Secret("whsec_" + b64encode(sha256(b"a fake gateway").digest()).decode())


@frozen
class Alert:
    """A defect of the caller that the gateway noticed, such as a key that came with other facts."""

    at: datetime
    key: str
    reason: str


@frozen
class _Lost:
    """A scripted silence; `fate` overrides what the token would do."""

    silence: Silence
    fate: Fate | None


_Script: TypeAlias = Fate | _Lost | NoConnection


class FakeGateway:
    """A scripted model of a payment gateway, for one process; it may be used by several threads.

    `list_lag` is how far its lists lag behind its writes. It survives pickling, if `clock` does.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] | None = None,
        *,
        replay_window: timedelta = timedelta(hours=24),
        list_lag: timedelta = timedelta(0),
        in_flight_max: int = 1,
        webhook_secret: Secret = WEBHOOK_SECRET,
    ) -> None:
        self.capabilities = Capabilities(replay_window, in_flight_max=in_flight_max)
        self.list_lag = list_lag
        self.webhook_secret = webhook_secret
        self._clock = clock
        self._now = EPOCH
        self._lock = RLock()
        # The books, in order of time, and where to find a charge in them.
        self._ledger: list[LedgerCharge] = []
        self._by_attempt: dict[PaymentId, tuple[int, ...]] = {}
        self._by_invoice: dict[str, tuple[int, ...]] = {}
        # The memory of keys: each with the charge as it was first answered. The books are never
        # searched for a key, nor this memory for a charge.
        self._answers: dict[str, LedgerCharge] = {}
        self._unanswered_at: dict[PaymentId, datetime] = {}
        self._voided_at: dict[PaymentId, datetime] = {}
        self._settlements: list[tuple[datetime, int, bool]] = []
        self._attached: dict[tuple[str, str], int] = {}
        self._detached: set[str] = set()
        self._scripts: deque[_Script] = deque()
        self._ignored = 0
        self._outbox: deque[LedgerCharge] = deque()
        self._sent: dict[str, LedgerCharge | LedgerRefund] = {}
        self._refunds = RefundBooks()
        self._alerts: list[Alert] = []

    # ---- the port ---------------------------------------------------------------------------

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Charge a method as its token or the script says, once for each key in the window.

        A repeated call returns the first answer, whatever became of the charge since. A key that
        comes back with other facts moves nothing: it is `UNKNOWN` and an `Alert`. Raises
        `GatewayError` for what no gateway takes: a malformed key, an amount that is not positive.
        """
        _check(intent)
        with self._lock:
            now = self._tick(intent.created_at)
            script = self._next_fault()
            if isinstance(script, NoConnection):
                return _said(intent, Outcome.NOT_EXECUTED, now)
            if intent.attempt_id in self._voided_at:
                answer = self._voided(intent)
            elif (first := self._remembered(intent, now)) is not None:
                answer = first
            else:
                answer, script = self._charge_anew(intent, script, now)
            return _said(intent, Outcome.UNKNOWN, now) if script is not None else answer

    def void(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Stop a charge that waits for the customer, or one that never arrived.

        What is settled or on its way through the banks cannot be stopped; its outcome is returned.
        """
        with self._lock:
            now = self._tick(intent.created_at)
            if self._ignores():
                return _said(intent, Outcome.UNKNOWN, now)
            position = self._position(intent.attempt_id)
            if position is None:
                self._voided_at.setdefault(intent.attempt_id, now)
                return self._voided(intent)
            if self._ledger[position].outcome is Outcome.REQUIRES_ACTION:
                self._voided_at[intent.attempt_id] = now
                self._change(position, Outcome.DECLINED_SOFT, now, VOIDED)
            return self._ledger[position].snapshot

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        """Say what the books have of an attempt: read by its reference, else from the list.

        The list lags, so absence is proven only by a list that is newer than every call.
        """
        with self._lock:
            now = self._tick(intent.created_at)
            if self._ignores():
                return CannotTell("no answer")
            as_of = now - self.list_lag
            position = self._position(intent.attempt_id)
            if position is not None:
                charge = self._ledger[position]
                if charge.created_at <= as_of or charge.reference == gateway_ref:
                    return Found(charge.snapshot)
                return CannotTell("the list lags behind")
            asked_at = self._unanswered_at.get(intent.attempt_id, intent.created_at)
            if as_of < max(asked_at, intent.created_at):
                return CannotTell("the list lags behind")
            return AbsentForSure(as_of)

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        """Give back a part of what an attempt took, once for each key in the window.

        More than it took, over all refunds, is `FAILED`. A repeated call returns the first answer;
        a key that comes back with other facts moves nothing: it is `UNKNOWN` and an `Alert`.
        """
        _check(intent)
        with self._lock:
            now = self._tick(intent.created_at)
            position = self._position(intent.attempt_id)
            captured = 0
            if position is not None and self._ledger[position].outcome is Outcome.SUCCEEDED:
                captured = self._ledger[position].amount.minor
            window = self.capabilities.replay_window
            answer = self._refunds.refund(intent, captured, window=window, now=now)
            for key in self._refunds.mismatches:
                self._alerts.append(Alert(now, key, "the key came with other facts before"))
            self._refunds.mismatches.clear()
            return answer

    def reconcile_refund(
        self, intent: RefundIntent, gateway_ref: str | None, /
    ) -> ReconciledRefund:
        """Say what the books have of a refund, with the lag of the gateway's lists."""
        with self._lock:
            now = self._tick(intent.created_at)
            if self._ignores():
                return CannotTell("no answer")
            return self._refunds.reconcile(intent, gateway_ref, as_of=now - self.list_lag)

    def attach(self, token: str, customer_ref: str, /) -> MethodDetails:
        """Exchange a token of `TOKENS` for a method of the customer, a new one each time."""
        self.check_token(token)
        known = TOKENS[token]
        with self._lock:
            ordinal = self._attached.get((token, customer_ref), 0) + 1
            self._attached[token, customer_ref] = ordinal
        # The name of the token stays in front, so that a gateway of a later process knows it.
        reference = f"{token.replace('tok_', 'pm_', 1)}.{customer_ref}"
        if ordinal > 1:
            reference = f"{reference}.{ordinal}"
        return MethodDetails(reference, known.type, known.brand, known.last4, known.expires_on)

    def check_token(self, token: str, /) -> None:
        """Raise `ValidationError` unless it is a token of `TOKENS`; nothing is changed."""
        refuse_card_number("token", plain_text("token", token))
        if token not in TOKENS:
            raise ValidationError("token", token, f"one of {', '.join(TOKENS)}")

    def detach(self, method_ref: str, /) -> None:
        """Forget a method: what is charged to it from now on is declined for good."""
        with self._lock:
            self._detached.add(method_ref)

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        """List the charges made at or after an instant, oldest first, as the list has them now."""
        with self._lock:
            as_of = self._tick() - self.list_lag
            start = bisect_left(self._ledger, instant, key=_created_at)
            recent = self._ledger[start:]
        return (charge.snapshot for charge in recent if charge.created_at <= as_of)

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        """Verify a message as Standard Webhooks says, then read it; raises `WebhookRefused`."""
        return read(verify(raw, headers, secrets=secrets, now=now), raw)

    # ---- what a test scripts ----------------------------------------------------------------

    def decline_next(
        self, code: str = "insufficient_funds", *, hard: bool | None = None, times: int = 1
    ) -> None:
        """Decline the next new charges; whether for good is what `DECLINES` says, unless given."""
        self._script(refusal(code, hard=hard), times)

    def time_out_next(self, *, executed: bool, code: str | None = None, times: int = 1) -> None:
        """Do not answer the next calls of `charge`, new or repeated.

        With `executed` a new charge takes place all the same, as its token says, or is declined if
        a `code` of `DECLINES` is given.
        """
        fate = refusal(code) if code is not None else None
        self._script(_Lost(Silence(executed), fate), times)

    def refuse_connection_next(self, times: int = 1) -> None:
        """Refuse the next calls of `charge` before anything is sent: `NOT_EXECUTED`."""
        self._script(NoConnection(), times)

    def require_action_next(self, times: int = 1) -> None:
        """Let the next new charges wait for the customer, until `complete_action`."""
        self._script(AskCustomer(), times)

    def process_next(self, *, days: int = 3, succeed: bool = True, times: int = 1) -> None:
        """Let the next new charges take days, as direct debits do; `settle` ends the wait early."""
        self._script(TakeDays(days, succeed), times)

    def ignore_next(self, times: int = 1) -> None:
        """Do not answer the next calls of `reconcile`, `reconcile_refund` and `void`."""
        with self._lock:
            self._ignored += times

    def complete_action(self, attempt_id: PaymentId, *, succeed: bool = True) -> None:
        """Act as the customer: authenticate, or fail to; raises unless the charge waits for it."""
        with self._lock:
            position = self._waiting(attempt_id, Outcome.REQUIRES_ACTION, "complete_action")
            self._finish(position, self._tick(), refusal("authentication_failed"), succeed=succeed)

    def settle(
        self, attempt_id: PaymentId, *, succeed: bool = True, code: str = "insufficient_funds"
    ) -> None:
        """Act as the bank: end the processing of a charge now; raises unless it is processing."""
        with self._lock:
            position = self._waiting(attempt_id, Outcome.PROCESSING, "settle")
            self._finish(position, self._tick(), refusal(code), succeed=succeed)

    def fail_refund_next(
        self, code: str = "refund_declined", *, message: str = "", times: int = 1
    ) -> None:
        """Refuse the next new refunds."""
        self._script_refund(Fail(RefundFailure(code, message)), times)

    def pend_refund_next(self, *, days: int = 3, succeed: bool = True, times: int = 1) -> None:
        """Let the next new refunds take days; `settle_refund` ends the wait early."""
        self._script_refund(TakeDays(days, succeed), times)

    def time_out_refund_next(self, *, executed: bool, times: int = 1) -> None:
        """Do not answer the next calls of `refund`, new or repeated, with or without an effect."""
        self._script_refund(Silence(executed), times)

    def refuse_refund_connection_next(self, times: int = 1) -> None:
        """Refuse the next calls of `refund` before anything is sent: `NOT_EXECUTED`."""
        self._script_refund(NoConnection(), times)

    def settle_refund(self, refund_id: RefundId, *, succeed: bool = True) -> None:
        """Act as the bank: end the wait of a refund now; raises unless it is pending."""
        with self._lock:
            self._refunds.settle(refund_id, self._tick(), succeed=succeed)

    def send_back(self, refund_id: RefundId) -> None:
        """Act as the bank: send back what was given back; raises unless the refund succeeded."""
        with self._lock:
            self._refunds.send_back(refund_id, self._tick())

    # ---- what a test looks at ---------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The gateway's time: the latest instant it was told."""
        with self._lock:
            return self._tick()

    def at(self, instant: datetime) -> None:
        """Let the gateway's time go on to an instant, and settle what is due; never back."""
        with self._lock:
            self._tick(aware("instant", instant))

    @property
    def charges(self) -> tuple[LedgerCharge, ...]:
        """The books: every charge that took place, declined or not, oldest first."""
        with self._lock:
            self._tick()
            return tuple(self._ledger)

    def charges_for(self, invoice: str) -> tuple[LedgerCharge, ...]:
        """Return the charges whose metadata name an invoice, oldest first."""
        with self._lock:
            self._tick()
            return tuple(self._ledger[place] for place in self._by_invoice.get(invoice, ()))

    def succeeded_minor(self, invoice: str) -> int:
        """Return how much was taken for an invoice, in minor units, over all charges."""
        return sum(
            charge.amount.minor
            for charge in self.charges_for(invoice)
            if charge.outcome is Outcome.SUCCEEDED
        )

    @property
    def refunds(self) -> tuple[LedgerRefund, ...]:
        """The books of refunds: every one that took place, failed or not, oldest first."""
        with self._lock:
            self._tick()
            return tuple(self._refunds.ledger)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The defects of the caller that were noticed, oldest first."""
        with self._lock:
            return tuple(self._alerts)

    def webhooks(self) -> list[WebhookMessage]:
        """Take the messages that wait to be delivered, oldest first, signed at the present time.

        They are handed out once: to lose one, drop it; to repeat one, deliver it twice.
        """
        with self._lock:
            now = self._tick()
            messages: list[WebhookMessage] = []
            while self._outbox:
                charge = self._outbox.popleft()
                # The id is derived: no two states of a charge are alike.
                id = derived_id("evt", charge.reference, charge.outcome.value)
                self._sent[id] = charge
                messages.append(write(charge, id=id, at=now, secret=self.webhook_secret))
            for refund in self._refunds.outbox:
                id = derived_id("evt", refund.reference, refund.outcome.value)
                self._sent[id] = refund
                messages.append(write_refund(refund, id=id, at=now, secret=self.webhook_secret))
            self._refunds.outbox.clear()
            return messages

    def send_again(self, id: str) -> WebhookMessage:
        """Sign a message again that was taken before, as a gateway does days later."""
        with self._lock:
            if id not in self._sent:
                raise ValidationError("id", id, "a message that was taken before")
            sent, now = self._sent[id], self._tick()
            if isinstance(sent, LedgerRefund):
                return write_refund(sent, id=id, at=now, secret=self.webhook_secret)
            return write(sent, id=id, at=now, secret=self.webhook_secret)

    # ---- within -----------------------------------------------------------------------------

    def _tick(self, told: datetime = EPOCH) -> datetime:
        """Return the present time, having settled whatever was due by then."""
        now = max(self._now, told)
        if self._clock is not None:
            now = max(now, self._clock())
        self._now = now
        while self._settlements and self._settlements[0][0] <= now:
            due_at, position, succeed = heappop(self._settlements)
            if self._ledger[position].outcome is Outcome.PROCESSING:
                self._finish(position, due_at, refusal("insufficient_funds"), succeed=succeed)
        self._refunds.tick(now)
        return now

    def _script(self, script: _Script, times: int) -> None:
        with self._lock:
            self._scripts.extend([script] * times)

    def _script_refund(self, script: RefundScript, times: int) -> None:
        with self._lock:
            self._refunds.scripts.extend([script] * times)

    def _next_fault(self) -> _Lost | NoConnection | None:
        """Take the next script if it is a fault of the line, which hits repeated calls too."""
        if self._scripts and isinstance(script := self._scripts[0], _Lost | NoConnection):
            self._scripts.popleft()
            return script
        return None

    def _next_fate(self) -> Fate | None:
        if self._scripts and not isinstance(script := self._scripts[0], _Lost | NoConnection):
            self._scripts.popleft()
            return script
        return None

    def _ignores(self) -> bool:
        if self._ignored:
            self._ignored -= 1
            return True
        return False

    def _remembered(self, intent: ChargeIntent, now: datetime) -> PaymentSnapshot | None:
        """Return the answer to a key that is still known; forget it once the window has passed."""
        first = self._answers.get(intent.key)
        if first is None or now - first.created_at >= self.capabilities.replay_window:
            return None
        if _facts(first.intent) != _facts(intent):
            self._alerts.append(Alert(now, intent.key, "the key came with other facts before"))
            return _said(intent, Outcome.UNKNOWN, now)
        return first.snapshot

    def _charge_anew(
        self, intent: ChargeIntent, lost: _Lost | None, now: datetime
    ) -> tuple[PaymentSnapshot, _Lost | None]:
        """Execute a charge that is new to the gateway, unless the call is lost on the way."""
        token = _token_of(intent.method_ref)
        own = token.first_answer_lost if token is not None else None
        if lost is None and own is not None and intent.attempt_id not in self._unanswered_at:
            lost = _Lost(own, None)
        if lost is not None:
            self._unanswered_at[intent.attempt_id] = now
            if not lost.silence.executed:
                return _said(intent, Outcome.UNKNOWN, now), lost
            if lost.fate is not None:
                return self._execute(intent, lost.fate, now), lost
        return self._execute(intent, self._fate(intent, token), now), lost

    def _fate(self, intent: ChargeIntent, token: Token | None) -> Fate:
        if intent.method_ref in self._detached:
            return refusal("method_detached")
        if token is None:
            return refusal("unknown_method")
        if (scripted := self._next_fate()) is not None:
            return scripted
        if isinstance(token.fate, Refuse) and token.fate.times is not None:
            tried = sum(
                self._ledger[place].intent.method_ref == intent.method_ref
                for place in self._by_invoice.get(intent.metadata.get("invoice", ""), ())
            )
            return token.fate if tried < token.fate.times else Succeed()
        return token.fate

    def _execute(self, intent: ChargeIntent, fate: Fate, now: datetime) -> PaymentSnapshot:
        """Write a charge into the books and remember the answer: two things, kept apart."""
        position = len(self._ledger)
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
        charge = LedgerCharge(reference, intent, outcome, now, now, decline, action_url)
        self._ledger.append(charge)
        self._by_attempt[intent.attempt_id] = (*places, position)
        if invoice := charge.invoice:
            self._by_invoice[invoice] = (*self._by_invoice.get(invoice, ()), position)
        self._outbox.append(charge)
        self._answers[intent.key] = charge
        return charge.snapshot

    def _finish(self, position: int, at: datetime, refused: Refuse, *, succeed: bool) -> None:
        if succeed:
            self._change(position, Outcome.SUCCEEDED, at, None)
        else:
            outcome = Outcome.DECLINED_HARD if refused.hard else Outcome.DECLINED_SOFT
            self._change(position, outcome, at, refused.decline)

    def _change(
        self, position: int, outcome: Outcome, at: datetime, decline: Decline | None
    ) -> None:
        charge = evolve(
            self._ledger[position],
            outcome=outcome,
            changed_at=at,
            decline=decline,
            action_url=None,
        )
        self._ledger[position] = charge
        self._outbox.append(charge)

    def _position(self, attempt_id: PaymentId) -> int | None:
        """Find the charge of an attempt; should there be several, one that took money."""
        places = self._by_attempt.get(attempt_id, ())
        if not places:
            return None
        took = (place for place in places if self._ledger[place].outcome is Outcome.SUCCEEDED)
        return next(took, places[-1])

    def _waiting(self, attempt_id: PaymentId, outcome: Outcome, command: str) -> int:
        self._tick()
        position = self._position(attempt_id)
        if position is None:
            raise ValidationError("attempt_id", attempt_id, "an attempt that was charged")
        if self._ledger[position].outcome is not outcome:
            state = self._ledger[position].outcome.value
            raise InvalidTransition(f"charge of {attempt_id}", state, command)
        return position

    def _voided(self, intent: ChargeIntent) -> PaymentSnapshot:
        return PaymentSnapshot(
            Outcome.DECLINED_SOFT,
            intent.amount,
            self._voided_at[intent.attempt_id],
            intent.attempt_id,
            decline=VOIDED,
        )

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = RLock()


def _check(intent: ChargeIntent | RefundIntent) -> None:
    if not (0 < len(intent.key) <= KEY_LENGTH_MAX and intent.key.isascii()):
        raise GatewayError(f"a key has at most {KEY_LENGTH_MAX} ASCII characters")
    if intent.amount.minor <= 0:
        raise GatewayError("an amount is more than zero")


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


def _said(intent: ChargeIntent, outcome: Outcome, at: datetime) -> PaymentSnapshot:
    """Say what the line says, not the bank: silence, or no connection."""
    return PaymentSnapshot(outcome, intent.amount, at, intent.attempt_id)


def _token_of(method_ref: str) -> Token | None:
    """Return what a method was attached with; the plain token names it as well."""
    name = method_ref.partition(".")[0]
    return TOKENS.get(name.replace("pm_", "tok_", 1) if name.startswith("pm_") else name)
