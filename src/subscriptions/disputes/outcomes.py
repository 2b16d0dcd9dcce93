"""What crosses the gateway port about a dispute: what the gateway says of it now."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import PaymentId
from subscriptions.money import Money
from subscriptions.records import aware, plain_text


class DisputeKind(StrEnum):
    """What it is that came back, or may."""

    INQUIRY = "inquiry"
    """A bank asks; no money moves yet."""
    CHARGEBACK = "chargeback"
    """The payer disputes a card payment."""
    RETURN = "return"
    """A debit that had succeeded came back; the reason is the bank's code, such as `AM04`."""


class DisputeStatus(StrEnum):
    """Where it stands, as far as the gateway says."""

    OPENED = "opened"
    WITHDRAWN = "withdrawn"
    WON = "won"
    LOST = "lost"


@frozen
class DisputeSnapshot:
    """What the gateway says of a dispute now; merging works in any order, any number of times.

    `dispute_ref` is the gateway's own reference of the dispute. The payment is named by
    `attempt_id`, or by `gateway_ref`, the gateway's reference of the charge; one of the two is
    there. `occurred_at` is when the dispute came to stand so. `funds_withdrawn` says of one that is
    open that the gateway has taken the money already; what is lost is always taken, and what is won
    or withdrawn is back. `fee` is what the gateway asks for it: it is kept and never booked.
    """

    dispute_ref: str
    attempt_id: PaymentId | None
    gateway_ref: str | None
    amount: Money
    kind: DisputeKind
    status: DisputeStatus
    reason: str
    occurred_at: datetime
    evidence_due_at: datetime | None = None
    funds_withdrawn: bool = False
    fee: Money | None = None

    def __attrs_post_init__(self) -> None:
        plain_text("dispute_ref", self.dispute_ref, length_max=200)
        plain_text("reason", self.reason, empty=True)
        aware("occurred_at", self.occurred_at)
        if self.evidence_due_at is not None:
            aware("evidence_due_at", self.evidence_due_at)
        if self.attempt_id is None and self.gateway_ref is None:
            raise ValidationError(
                "attempt_id", None, "the payment, or the gateway_ref of its charge"
            )
        if self.amount.minor <= 0:
            raise ValidationError("amount", self.amount, "more than zero")
        if self.kind is DisputeKind.INQUIRY and self.funds_withdrawn:
            raise ValidationError("kind", self.kind, "a chargeback, once money was withdrawn")
