"""The life of a subscription: which commands its state allows, and what they make of it.

Three facts never mix: what the *contract* says, how *collection* stands, and a pending
*cancellation* beside them. The familiar single word (`trialing`, `past_due`, …) is derived.

`decide` turns commands into events and folds them into the next state, so state and events cannot
disagree. Which period comes when is decided in `billing_cycles`; what it costs, on the invoice.
Nothing here reads a clock: `on` and `at` are arguments.
"""

from subscriptions.lifecycle.commands import (
    ALLOWED,
    Begin,
    BillPeriods,
    Cancel,
    ClearPastDue,
    Command,
    End,
    EndTrial,
    MarkPastDue,
    MarkUnpaid,
    UndoCancel,
)
from subscriptions.lifecycle.deciding import (
    apply,
    check_end,
    create,
    decide,
    end_of_paid_time,
    next_commands,
)
from subscriptions.lifecycle.events import (
    CancellationScheduled,
    CancellationWithdrawn,
    Event,
    SubscriptionCreated,
    SubscriptionDebtWrittenOff,
    SubscriptionEnded,
    SubscriptionPastDue,
    SubscriptionRecovered,
    SubscriptionRenewed,
    SubscriptionStarted,
    SubscriptionUnpaid,
    TrialEnded,
    TrialStarted,
)
from subscriptions.lifecycle.subscription import (
    SUBSCRIPTION,
    Active,
    Cancellation,
    Collection,
    Contract,
    Current,
    Ended,
    EndReason,
    Item,
    PastDue,
    Scheduled,
    Subscription,
    Trialing,
    Unpaid,
)

__all__ = [
    "ALLOWED",
    "SUBSCRIPTION",
    "Active",
    "Begin",
    "BillPeriods",
    "Cancel",
    "Cancellation",
    "CancellationScheduled",
    "CancellationWithdrawn",
    "ClearPastDue",
    "Collection",
    "Command",
    "Contract",
    "Current",
    "End",
    "EndReason",
    "EndTrial",
    "Ended",
    "Event",
    "Item",
    "MarkPastDue",
    "MarkUnpaid",
    "PastDue",
    "Scheduled",
    "Subscription",
    "SubscriptionCreated",
    "SubscriptionDebtWrittenOff",
    "SubscriptionEnded",
    "SubscriptionPastDue",
    "SubscriptionRecovered",
    "SubscriptionRenewed",
    "SubscriptionStarted",
    "SubscriptionUnpaid",
    "TrialEnded",
    "TrialStarted",
    "Trialing",
    "UndoCancel",
    "Unpaid",
    "apply",
    "check_end",
    "create",
    "decide",
    "end_of_paid_time",
    "next_commands",
]
