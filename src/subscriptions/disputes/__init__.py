"""Money that was taken and is wanted back: chargebacks, inquiries of banks, debits that came back.

A dispute is a record of its own, named by the gateway's reference of it. What the gateway says is
merged: what occurred last counts, in whatever order it is heard, and the payment need not be known
to have succeeded yet. What it takes of the payment follows from all disputes of that payment
together, so it is taken once and given back once. Nothing here calls a gateway or moves an invoice.
"""

from subscriptions.disputes.deciding import (
    await_payment,
    dispute_id,
    merge,
    note,
    reconsider,
    took_effect,
)
from subscriptions.disputes.dispute import (
    ALLOWED,
    DEFAULT_POLICY,
    DISPUTE,
    STATUS,
    Dispute,
    DisputePolicy,
    DisputeState,
    Lost,
    Opened,
    Reopen,
    Withdrawn,
    Won,
)
from subscriptions.disputes.events import (
    DebitReturned,
    DisputeAwaitsPayment,
    DisputeLost,
    DisputeOpened,
    DisputeReconsidered,
    DisputeTookEffect,
    DisputeUpdated,
    DisputeWithdrawn,
    DisputeWon,
)
from subscriptions.disputes.outcomes import DisputeKind, DisputeSnapshot, DisputeStatus
from subscriptions.disputes.returns import (
    LATEST_AFTER_DAYS,
    RULES_AS_OF,
    SEPA_RETURNS,
    UNKNOWN_CODE,
    Next,
    ReturnRule,
    retry_days,
    rule_for,
)

__all__ = [
    "ALLOWED",
    "DEFAULT_POLICY",
    "DISPUTE",
    "LATEST_AFTER_DAYS",
    "RULES_AS_OF",
    "SEPA_RETURNS",
    "STATUS",
    "UNKNOWN_CODE",
    "DebitReturned",
    "Dispute",
    "DisputeAwaitsPayment",
    "DisputeKind",
    "DisputeLost",
    "DisputeOpened",
    "DisputePolicy",
    "DisputeReconsidered",
    "DisputeSnapshot",
    "DisputeState",
    "DisputeStatus",
    "DisputeTookEffect",
    "DisputeUpdated",
    "DisputeWithdrawn",
    "DisputeWon",
    "Lost",
    "Next",
    "Opened",
    "Reopen",
    "ReturnRule",
    "Withdrawn",
    "Won",
    "await_payment",
    "dispute_id",
    "merge",
    "note",
    "reconsider",
    "retry_days",
    "rule_for",
    "took_effect",
]
