"""Giving money back: the intent, and what the gateway says of it.

A refund gives back money of one payment, to where it came from. Like a charge it is *intended*
first: its key and its parameters are frozen and committed, with its amount reserved on the payment,
before anybody calls the gateway. Silence is `Unknown`, and the gateway is asked again with the same
key: there is never a second refund. A refund may take days, and it may fail after all.

It changes no invoice: what was paid stays paid. Nothing here calls a gateway.
"""

from subscriptions.refunds.deciding import (
    POLL,
    contradicts,
    intend,
    last_call,
    merge,
    refund_id,
    refund_intent,
    renew,
    replayable,
    resolve,
)
from subscriptions.refunds.events import (
    RefundFailed,
    RefundIntended,
    RefundNotExecuted,
    RefundPending,
    RefundResolved,
    RefundSucceeded,
    RefundUnknown,
)
from subscriptions.refunds.outcomes import (
    RefundFailure,
    RefundIntent,
    RefundOutcome,
    RefundSnapshot,
)
from subscriptions.refunds.refund import (
    ALLOWED,
    OPEN,
    REFUND,
    STATUS,
    Failed,
    Intended,
    Pending,
    Refund,
    RefundState,
    Succeeded,
    Unknown,
)

__all__ = [
    "ALLOWED",
    "OPEN",
    "POLL",
    "REFUND",
    "STATUS",
    "Failed",
    "Intended",
    "Pending",
    "Refund",
    "RefundFailed",
    "RefundFailure",
    "RefundIntended",
    "RefundIntent",
    "RefundNotExecuted",
    "RefundOutcome",
    "RefundPending",
    "RefundResolved",
    "RefundSnapshot",
    "RefundState",
    "RefundSucceeded",
    "RefundUnknown",
    "Succeeded",
    "Unknown",
    "contradicts",
    "intend",
    "last_call",
    "merge",
    "refund_id",
    "refund_intent",
    "renew",
    "replayable",
    "resolve",
]
