"""What crosses the gateway port about a refund: the intent, and what the gateway says of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import PaymentId, RefundId
from subscriptions.money import Money


class RefundOutcome(Enum):
    """What became of a refund, as far as the gateway says.

    The last two are not answers: `NOT_EXECUTED` is proof that nothing happened (the connection was
    refused), `UNKNOWN` is silence after the request was sent.
    """

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    FAILED = "failed"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"


@frozen
class RefundFailure:
    """Why a refund failed: the gateway's code, and in words."""

    code: str
    message: str = ""


@frozen
class RefundIntent:
    """What a gateway is asked to give back; the same bytes every time it is asked.

    `charge_ref` is the gateway's own reference of the charge, `attempt_id` what it was charged for.
    """

    refund_id: RefundId
    key: str
    amount: Money
    attempt_id: PaymentId
    charge_ref: str | None
    customer_ref: str
    metadata: Mapping[str, str]
    created_at: datetime


@frozen
class RefundSnapshot:
    """What the gateway says of a refund now; merging works in any order, any number of times.

    `tenant` is what the intent's metadata said, as far as the gateway gives it back.
    """

    outcome: RefundOutcome
    amount: Money
    occurred_at: datetime
    refund_id: RefundId | None = None
    gateway_ref: str | None = None
    failure: RefundFailure | None = None
    tenant: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.outcome is RefundOutcome.FAILED) != (self.failure is not None):
            raise ValidationError("failure", self.failure, "given exactly when it failed")
