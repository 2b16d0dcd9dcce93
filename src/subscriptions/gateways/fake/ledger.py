"""The books of the fake gateway: what was charged, given back and disputed, by whatever key."""

from __future__ import annotations

from datetime import datetime, timedelta

from subscriptions.disputes import DisputeKind, DisputeSnapshot, DisputeStatus
from subscriptions.frozen import frozen
from subscriptions.ids import PaymentId, RefundId
from subscriptions.money import Money
from subscriptions.payments import CaptureIntent, ChargeIntent, Decline, Outcome, PaymentSnapshot
from subscriptions.refunds import RefundFailure, RefundIntent, RefundOutcome, RefundSnapshot


@frozen
class Alert:
    """A defect of the caller that the gateway noticed, such as a key that came with other facts."""

    at: datetime
    key: str
    reason: str


@frozen
class LedgerCharge:
    """One line of the gateway's own books; a later state replaces it in place."""

    reference: str
    intent: ChargeIntent
    outcome: Outcome
    created_at: datetime
    changed_at: datetime
    decline: Decline | None = None
    action_url: str | None = None
    validity: timedelta | None = None
    expires_at: datetime | None = None
    captured_minor: int = 0
    captured_for: str = ""
    released: bool = False

    @property
    def attempt(self) -> PaymentId:
        """The payment that it was made for."""
        return self.intent.attempt_id

    @property
    def invoice(self) -> str:
        """The invoice that its metadata names, or an empty text."""
        return self.captured_for or self.intent.metadata.get("invoice", "")

    @property
    def key(self) -> str:
        """The idempotency key that it was asked with."""
        return self.intent.key

    @property
    def amount(self) -> Money:
        """What was to be charged or held; what was taken, if `outcome` is `SUCCEEDED`."""
        if self.captured_minor:
            return Money(self.captured_minor, self.intent.amount.currency)
        return self.intent.amount

    @property
    def capturable_minor(self) -> int:
        """What is held of an authorisation and may be captured, in minor units."""
        if self.outcome not in (Outcome.AUTHORIZED, Outcome.SUCCEEDED) or self.expires_at is None:
            return 0
        return 0 if self.released else self.intent.amount.minor - self.captured_minor

    @property
    def snapshot(self) -> PaymentSnapshot:
        """What the gateway says of it now."""
        return PaymentSnapshot(
            self.outcome,
            self.amount,
            self.changed_at,
            self.intent.attempt_id,
            self.reference,
            self.decline,
            self.action_url,
            expires_at=self.expires_at,
            capturable=None
            if self.validity is None
            else Money(self.capturable_minor, self.intent.amount.currency),
            tenant=self.intent.metadata.get("tenant"),
            invoice=self.intent.metadata.get("invoice"),
        )


@frozen
class LedgerCapture:
    """One capture in the gateway's own books; each moved money."""

    reference: str
    intent: CaptureIntent
    captured_at: datetime


@frozen
class LedgerRefund:
    """One refund in the gateway's own books; a later state replaces it in place."""

    reference: str
    intent: RefundIntent
    outcome: RefundOutcome
    created_at: datetime
    changed_at: datetime
    failure: RefundFailure | None = None

    @property
    def refund(self) -> RefundId:
        """The refund that it was made for."""
        return self.intent.refund_id

    @property
    def attempt(self) -> PaymentId:
        """The payment of which it gives money back."""
        return self.intent.attempt_id

    @property
    def amount(self) -> Money:
        """What was to be given back; it was, if `outcome` is `SUCCEEDED`."""
        return self.intent.amount

    @property
    def snapshot(self) -> RefundSnapshot:
        """What the gateway says of it now."""
        return RefundSnapshot(
            self.outcome,
            self.intent.amount,
            self.changed_at,
            self.intent.refund_id,
            self.reference,
            self.failure,
            self.intent.metadata.get("tenant"),
        )


@frozen
class LedgerDispute:
    """One dispute in the gateway's own books; a later state replaces it in place.

    `changes` counts its states, for a dispute may come to stand as it did before.
    """

    reference: str
    attempt: PaymentId
    charge: str
    amount: Money
    kind: DisputeKind
    status: DisputeStatus
    reason: str
    created_at: datetime
    changed_at: datetime
    evidence_due_at: datetime | None = None
    funds_withdrawn: bool = False
    fee: Money | None = None
    changes: int = 1

    @property
    def outcome(self) -> DisputeStatus:
        """Where it stands."""
        return self.status

    @property
    def taken_minor(self) -> int:
        """How much it has taken of the charge, in minor units."""
        gone = self.status is DisputeStatus.LOST
        held = self.status is DisputeStatus.OPENED and self.funds_withdrawn
        return self.amount.minor if gone or held else 0

    @property
    def snapshot(self) -> DisputeSnapshot:
        """What the gateway says of it now."""
        return DisputeSnapshot(
            self.reference,
            self.attempt,
            self.charge,
            self.amount,
            self.kind,
            self.status,
            self.reason,
            self.changed_at,
            self.evidence_due_at,
            self.funds_withdrawn,
            self.fee,
        )
