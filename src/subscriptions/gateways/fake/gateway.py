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
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from threading import RLock

from subscriptions.disputes import DisputeKind, DisputeSnapshot, DisputeStatus
from subscriptions.errors import GatewayError, ValidationError
from subscriptions.gateways import (
    CannotTell,
    Capabilities,
    GatewayEvent,
    Reconciled,
    ReconciledRefund,
    Secret,
)
from subscriptions.gateways.fake.captures import CaptureBooks, CaptureScript
from subscriptions.gateways.fake.charges import ChargeBooks, Lost, Script, said
from subscriptions.gateways.fake.disputes import DisputeBooks
from subscriptions.gateways.fake.ledger import (
    Alert,
    LedgerCapture,
    LedgerCharge,
    LedgerDispute,
    LedgerRefund,
)
from subscriptions.gateways.fake.messages import WebhookMessage, read
from subscriptions.gateways.fake.outbox import Outbox
from subscriptions.gateways.fake.refunds import Fail, RefundBooks, RefundScript
from subscriptions.gateways.fake.tokens import (
    TOKENS,
    AskCustomer,
    NoConnection,
    Silence,
    TakeDays,
    refusal,
)
from subscriptions.gateways.signatures import verify
from subscriptions.ids import PaymentId, RefundId
from subscriptions.money import Money
from subscriptions.payment_methods import MethodDetails, refuse_card_number
from subscriptions.payments import CaptureIntent, ChargeIntent, Outcome, PaymentSnapshot
from subscriptions.records import aware, plain_text
from subscriptions.refunds import RefundFailure, RefundIntent, RefundSnapshot

KEY_LENGTH_MAX = 64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The same for every fake gateway, so that processes of one test agree; it protects nothing.
WEBHOOK_SECRET = Secret("whsec_" + b64encode(sha256(b"a fake gateway").digest()).decode())


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
        partial_capture: bool = True,
        multi_capture: bool = False,
        authorization_validity: timedelta = timedelta(days=7),
        webhook_secret: Secret = WEBHOOK_SECRET,
    ) -> None:
        self.capabilities: Capabilities = Capabilities(
            replay_window,
            in_flight_max=in_flight_max,
            partial_capture=partial_capture,
            multi_capture=multi_capture,
            authorization_validity=authorization_validity,
        )
        self.list_lag = list_lag
        self.webhook_secret = webhook_secret
        self._clock = clock
        self._now = EPOCH
        self._lock = RLock()
        self._attached: dict[tuple[str, str], int] = {}
        self._ignored = 0
        self._alerts: list[Alert] = []
        self._outbox = Outbox()
        self._charges = ChargeBooks(self._outbox, self._alerts)
        self._captures = CaptureBooks(self._charges, self._alerts, multi_capture)
        self._refunds = RefundBooks(self._outbox, self._alerts)
        self._disputes = DisputeBooks(self._outbox, self._charges)

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
            return self._charges.charge(intent, window=self.capabilities.replay_window, now=now)

    def void(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Stop a charge that waits for the customer, or one that never arrived.

        What is settled or on its way through the banks cannot be stopped; its outcome is returned.
        """
        with self._lock:
            now = self._tick(intent.created_at)
            if self._ignores():
                return said(intent, Outcome.UNKNOWN, now)
            return self._charges.void(intent, now)

    def authorize(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Hold an amount as `charge` would take it: by the same tokens and the same scripts."""
        _check(intent)
        with self._lock:
            now = self._tick(intent.created_at)
            return self._charges.charge(
                intent,
                window=self.capabilities.replay_window,
                now=now,
                validity=self.capabilities.authorization_validity,
            )

    def capture(self, intent: CaptureIntent, /) -> PaymentSnapshot:
        """Take what is held, or a part of it, once for each key in the window.

        More than is held is declined with code `capture_not_possible`, what is too late with
        `authorization_expired`. A repeated call returns the first answer; a key that comes back
        with other facts moves nothing: it is `UNKNOWN` and an `Alert`.
        """
        _check(intent)
        with self._lock:
            now = self._tick(intent.created_at)
            return self._captures.capture(intent, window=self.capabilities.replay_window, now=now)

    def release(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Hold no more of an authorisation; what was captured stays captured."""
        with self._lock:
            now = self._tick(intent.created_at)
            if self._ignores():
                return said(intent, Outcome.UNKNOWN, now)
            return self._captures.release(intent, now)

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        """Say what the books have of an attempt: read by its reference, else from the list.

        The list lags, so absence is proven only by a list that is newer than every call.
        """
        with self._lock:
            now = self._tick(intent.created_at)
            if self._ignores():
                return CannotTell("no answer")
            return self._charges.reconcile(intent, gateway_ref, as_of=now - self.list_lag)

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        """Give back a part of what an attempt took, once for each key in the window.

        More than it took, over all refunds, is `FAILED`. A repeated call returns the first answer;
        a key that comes back with other facts moves nothing: it is `UNKNOWN` and an `Alert`.
        """
        _check(intent)
        with self._lock:
            now = self._tick(intent.created_at)
            captured = self._charges.captured_minor(intent.attempt_id)
            captured -= self._disputes.taken_minor(intent.attempt_id)
            window = self.capabilities.replay_window
            return self._refunds.refund(intent, captured, window=window, now=now)

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
            self._charges.detached.add(method_ref)

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        """List the charges made at or after an instant, oldest first, as the list has them now."""
        with self._lock:
            as_of = self._tick() - self.list_lag
            recent = self._charges.since(instant)
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

    def list_disputes_since(self, instant: datetime, /) -> Iterator[DisputeSnapshot]:
        """List the disputes that changed at or after an instant, as the list has them now."""
        with self._lock:
            as_of = self._tick() - self.list_lag
            recent = self._disputes.since(instant)
        return (each.snapshot for each in recent if each.changed_at <= as_of)

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
        self._script(Lost(Silence(executed), fate), times)

    def refuse_connection_next(self, times: int = 1) -> None:
        """Refuse the next calls of `charge` before anything is sent: `NOT_EXECUTED`."""
        self._script(NoConnection(), times)

    def require_action_next(self, times: int = 1) -> None:
        """Let the next new charges wait for the customer, until `complete_action`."""
        self._script(AskCustomer(), times)

    def process_next(self, *, days: int = 3, succeed: bool = True, times: int = 1) -> None:
        """Let the next new charges take days, as direct debits do; `settle` ends the wait early."""
        self._script(TakeDays(days, succeed), times)

    def decline_capture_next(self, code: str = "processor_error", *, times: int = 1) -> None:
        """Decline the next new captures."""
        self._script_capture(refusal(code), times)

    def time_out_capture_next(self, *, executed: bool, times: int = 1) -> None:
        """Do not answer the next calls of `capture`, new or repeated, with or without an effect."""
        self._script_capture(Silence(executed), times)

    def refuse_capture_connection_next(self, times: int = 1) -> None:
        """Refuse the next calls of `capture` before anything is sent: `NOT_EXECUTED`."""
        self._script_capture(NoConnection(), times)

    def ignore_next(self, times: int = 1) -> None:
        """Do not answer the next calls of `reconcile`, `reconcile_refund`, `void`, `release`."""
        with self._lock:
            self._ignored += times

    def forget_scripts(self) -> None:
        """Forget all that was scripted: from now on calls are answered as the tokens say."""
        with self._lock:
            self._charges.scripts.clear()
            self._captures.scripts.clear()
            self._refunds.scripts.clear()
            self._ignored = 0

    def complete_action(self, attempt_id: PaymentId, *, succeed: bool = True) -> None:
        """Act as the customer: authenticate, or fail to; raises unless the charge waits for it."""
        with self._lock:
            waits, refused = Outcome.REQUIRES_ACTION, refusal("authentication_failed")
            self._charges.finish(attempt_id, waits, refused, self._tick(), succeed=succeed)

    def settle(
        self, attempt_id: PaymentId, *, succeed: bool = True, code: str = "insufficient_funds"
    ) -> None:
        """Act as the bank: end the processing of a charge now; raises unless it is processing."""
        with self._lock:
            waits, refused = Outcome.PROCESSING, refusal(code)
            self._charges.finish(attempt_id, waits, refused, self._tick(), succeed=succeed)

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

    def open_dispute(
        self,
        attempt_id: PaymentId,
        amount: Money | None = None,
        *,
        reason: str = "fraudulent",
        kind: DisputeKind = DisputeKind.CHARGEBACK,
        evidence_days: int = 7,
        funds_withdrawn: bool | None = None,
        fee: Money | None = None,
    ) -> str:
        """Act as the payer's bank: dispute a charge, or a part; returns the dispute's reference.

        A chargeback takes the money at once unless told otherwise, an inquiry never does.
        """
        withdrawn = kind is DisputeKind.CHARGEBACK if funds_withdrawn is None else funds_withdrawn
        with self._lock:
            opened = self._disputes.open(
                attempt_id,
                amount,
                self._tick(),
                reason=reason,
                kind=kind,
                evidence_days=evidence_days,
                funds_withdrawn=withdrawn,
                fee=fee,
            )
            return opened.reference

    def escalate_dispute(self, reference: str) -> None:
        """Act as the payer's bank: make an inquiry a chargeback, which takes the money."""
        with self._lock:
            status, kind = DisputeStatus.OPENED, DisputeKind.CHARGEBACK
            self._disputes.move(reference, status, self._tick(), kind=kind)

    def win_dispute(self, reference: str) -> None:
        """Decide a dispute for the seller: he has the money again."""
        self._close(reference, DisputeStatus.WON)

    def lose_dispute(self, reference: str) -> None:
        """Decide a dispute for the payer: the money is gone."""
        self._close(reference, DisputeStatus.LOST)

    def withdraw_dispute(self, reference: str) -> None:
        """Act as the payer: give a dispute up."""
        self._close(reference, DisputeStatus.WITHDRAWN)

    def return_debit(
        self, attempt_id: PaymentId, code: str = "AM04", amount: Money | None = None
    ) -> str:
        """Act as the payer's bank: let a debit come back that had succeeded."""
        with self._lock:
            return self._disputes.returned(attempt_id, amount, self._tick(), code=code).reference

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
            return tuple(self._charges.ledger)

    def charges_for(self, invoice: str) -> tuple[LedgerCharge, ...]:
        """Return the charges whose metadata name an invoice, oldest first."""
        with self._lock:
            self._tick()
            return self._charges.of_invoice(invoice)

    def succeeded_minor(self, invoice: str) -> int:
        """Return how much was taken for an invoice, in minor units, over all charges."""
        return sum(
            charge.amount.minor
            for charge in self.charges_for(invoice)
            if charge.outcome is Outcome.SUCCEEDED
        )

    @property
    def captures(self) -> tuple[LedgerCapture, ...]:
        """The books of captures: every one that took money, oldest first."""
        with self._lock:
            self._tick()
            return tuple(self._captures.ledger)

    @property
    def refunds(self) -> tuple[LedgerRefund, ...]:
        """The books of refunds: every one that took place, failed or not, oldest first."""
        with self._lock:
            self._tick()
            return tuple(self._refunds.ledger)

    @property
    def disputes(self) -> tuple[LedgerDispute, ...]:
        """The books of disputes and returned debits, as each stands now, oldest first."""
        with self._lock:
            self._tick()
            return tuple(self._disputes.ledger)

    def kept_minor(self, attempt_id: PaymentId) -> int:
        """Return what the seller has of a charge: less what was given back and what is disputed."""
        with self._lock:
            self._tick()
            gone = self._disputes.taken_minor(attempt_id) + self._refunds.given_minor(attempt_id)
            return self._charges.captured_minor(attempt_id) - gone

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
            return self._outbox.take(self._tick(), self.webhook_secret)

    def send_again(self, id: str) -> WebhookMessage:
        """Sign a message again that was taken before, as a gateway does days later."""
        with self._lock:
            return self._outbox.again(id, self._tick(), self.webhook_secret)

    # ---- within -----------------------------------------------------------------------------

    def _tick(self, told: datetime = EPOCH) -> datetime:
        """Return the present time, having settled whatever was due by then."""
        now = max(self._now, told)
        if self._clock is not None:
            now = max(now, self._clock())
        self._now = now
        self._charges.tick(now)
        self._refunds.tick(now)
        return now

    def _script(self, script: Script, times: int) -> None:
        with self._lock:
            self._charges.scripts.extend([script] * times)

    def _script_capture(self, script: CaptureScript, times: int) -> None:
        with self._lock:
            self._captures.scripts.extend([script] * times)

    def _script_refund(self, script: RefundScript, times: int) -> None:
        with self._lock:
            self._refunds.scripts.extend([script] * times)

    def _close(self, reference: str, status: DisputeStatus) -> None:
        with self._lock:
            self._disputes.move(reference, status, self._tick())

    def _ignores(self) -> bool:
        if self._ignored:
            self._ignored -= 1
            return True
        return False

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = RLock()


def _check(intent: ChargeIntent | CaptureIntent | RefundIntent) -> None:
    if not (0 < len(intent.key) <= KEY_LENGTH_MAX and intent.key.isascii()):
        raise GatewayError(f"a key has at most {KEY_LENGTH_MAX} ASCII characters")
    if intent.amount.minor <= 0:
        raise GatewayError("an amount is more than zero")
