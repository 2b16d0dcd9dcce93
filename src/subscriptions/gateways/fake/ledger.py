"""The books of the fake gateway: what was charged and given back, whatever key it came with."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from subscriptions.ids import PaymentId, RefundId
from subscriptions.money import Money
from subscriptions.payments import ChargeIntent, Decline, Outcome, PaymentSnapshot
from subscriptions.refunds import RefundFailure, RefundIntent, RefundOutcome, RefundSnapshot


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

    @property
    def attempt(self) -> PaymentId:
        """The payment that it was made for."""
        return self.intent.attempt_id

    @property
    def invoice(self) -> str:
        """The invoice that its metadata names, or an empty text."""
        return self.intent.metadata.get("invoice", "")

    @property
    def key(self) -> str:
        """The idempotency key that it was asked with."""
        return self.intent.key

    @property
    def amount(self) -> Money:
        """What was to be charged; it was, if `outcome` is `SUCCEEDED`."""
        return self.intent.amount

    @property
    def snapshot(self) -> PaymentSnapshot:
        """What the gateway says of it now."""
        return PaymentSnapshot(
            self.outcome,
            self.intent.amount,
            self.changed_at,
            self.intent.attempt_id,
            self.reference,
            self.decline,
            self.action_url,
        )


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
        )
