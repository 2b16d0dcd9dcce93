"""How money moves: the intent, the attempt, its outcome, and what it pays.

A payment that a gateway is to make is *intended* first: its key and its parameters are frozen and
committed before anybody calls the gateway. Then the answer is recorded. A decline is an answer;
silence is `Unknown` and blocks every further attempt on the invoice until the gateway has been
asked. A payment that arrived by itself (a bank transfer) is recorded as received.

Money received is one thing, what it pays is another: `allocations` name the invoices, the rest is
unallocated and never lost. Nothing here calls a gateway.
"""

from subscriptions.payments.deciding import (
    ACTION_WINDOW,
    BACKOFF,
    MARGIN,
    PROCESSING_POLL,
    TIMEOUT,
    VOID_AGAIN,
    allocated,
    backoff,
    charge_intent,
    intend,
    last_call,
    merge,
    payment_id,
    receive,
    replayable,
    void,
)
from subscriptions.payments.events import (
    PaymentActionRequired,
    PaymentAllocated,
    PaymentFailed,
    PaymentIntended,
    PaymentNotExecuted,
    PaymentOutcomeUnknown,
    PaymentProcessing,
    PaymentSucceeded,
    PaymentVoided,
)
from subscriptions.payments.outcomes import (
    Advice,
    ChargeIntent,
    Decline,
    Outcome,
    PaymentSnapshot,
)
from subscriptions.payments.payment import (
    ALLOWED,
    LIVE,
    PAYMENT,
    STATUS,
    ActionRequired,
    Allocation,
    Declined,
    Intended,
    Payment,
    PaymentState,
    Processing,
    Succeeded,
    Unknown,
    Voided,
)

__all__ = [
    "ACTION_WINDOW",
    "ALLOWED",
    "BACKOFF",
    "LIVE",
    "MARGIN",
    "PAYMENT",
    "PROCESSING_POLL",
    "STATUS",
    "TIMEOUT",
    "VOID_AGAIN",
    "ActionRequired",
    "Advice",
    "Allocation",
    "ChargeIntent",
    "Decline",
    "Declined",
    "Intended",
    "Outcome",
    "Payment",
    "PaymentActionRequired",
    "PaymentAllocated",
    "PaymentFailed",
    "PaymentIntended",
    "PaymentNotExecuted",
    "PaymentOutcomeUnknown",
    "PaymentProcessing",
    "PaymentSnapshot",
    "PaymentState",
    "PaymentSucceeded",
    "PaymentVoided",
    "Processing",
    "Succeeded",
    "Unknown",
    "Voided",
    "allocated",
    "backoff",
    "charge_intent",
    "intend",
    "last_call",
    "merge",
    "payment_id",
    "receive",
    "replayable",
    "void",
]
