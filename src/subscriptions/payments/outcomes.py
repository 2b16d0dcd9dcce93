"""What crosses the gateway port: the intent that is sent, and what the gateway says of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, StrEnum

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import (
    PaymentId,
)
from subscriptions.money import Money


class Outcome(Enum):
    """What became of an attempt, as far as the gateway says.

    `AUTHORIZED` answers who asked for an authorisation: the amount is held and may be captured. The
    last two are not answers of a bank: `NOT_EXECUTED` is proof that nothing happened (the
    connection was refused), `UNKNOWN` is silence after the request was sent.
    """

    SUCCEEDED = "succeeded"
    DECLINED_SOFT = "declined_soft"
    DECLINED_HARD = "declined_hard"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    AUTHORIZED = "authorized"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"


class Advice(StrEnum):
    """What the card network advises after a decline."""

    RETRY_AFTER = "retry_after"
    RETRY_NEVER = "retry_never"
    NEW_METHOD = "new_method"
    AUTHENTICATE = "authenticate"


VOIDED = "voided"
"""The code of a decline that is not a bank's: the attempt was voided before it took money."""
AUTHORIZATION_EXPIRED = "authorization_expired"
"""The code of a decline that is not a bank's: the authorisation was over when it was captured."""


@frozen
class Decline:
    """Why a charge was declined: the network's code, in words, and its advice."""

    code: str
    message: str = ""
    advice: Advice = Advice.RETRY_AFTER


@frozen
class ChargeIntent:
    """What a gateway is asked to charge; the same bytes every time it is asked."""

    attempt_id: PaymentId
    key: str
    amount: Money
    method_ref: str
    customer_ref: str
    metadata: Mapping[str, str]
    created_at: datetime


@frozen
class CaptureIntent:
    """What a gateway is asked to capture of an authorisation; the same bytes every time.

    `attempt_id` is what was authorised, `authorization_ref` the gateway's own reference of it.
    """

    attempt_id: PaymentId
    key: str
    amount: Money
    authorized: Money
    authorization_ref: str | None
    customer_ref: str
    metadata: Mapping[str, str]
    created_at: datetime


@frozen
class PaymentSnapshot:
    """What the gateway says of an attempt now; merging works in any order, any number of times.

    `amount` is what was to be charged or authorised, and once something was captured, that. Of an
    authorisation, `expires_at` is until when it may be captured, `capturable` how much still may
    be: zero once the rest was released.

    `tenant` and `invoice` are what the intent's metadata said, as far as the gateway gives it back,
    in its list and in its messages: they tell whose a charge is that is not known here (any more).
    """

    outcome: Outcome
    amount: Money
    occurred_at: datetime
    attempt_id: PaymentId | None = None
    gateway_ref: str | None = None
    decline: Decline | None = None
    action_url: str | None = None
    expires_at: datetime | None = None
    capturable: Money | None = None
    tenant: str | None = None
    invoice: str | None = None

    def __attrs_post_init__(self) -> None:
        declined = self.outcome in (Outcome.DECLINED_SOFT, Outcome.DECLINED_HARD)
        if declined != (self.decline is not None):
            raise ValidationError("decline", self.decline, "given exactly when it was declined")
