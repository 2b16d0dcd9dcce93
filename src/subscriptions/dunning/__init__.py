"""What happens to an invoice that is not paid: the ladder, as data, and the case that climbs it.

A policy lists retries and reminders by days after the failure (or the due day), and what is done at
the end. A case climbs it for one invoice, step by step, and stops at once when there is nothing
left to collect: nobody who has paid is ever contacted.

A decline is an answer, not an error; whether a method may be charged again is the method's state.
"""

from subscriptions.dunning.case import (
    DUNNING_CASE,
    DUNNING_POLICY,
    OVER,
    STATUS,
    CaseState,
    DunningCase,
    Exhausted,
    Held,
    Running,
    Stopped,
    StoredPolicy,
)
from subscriptions.dunning.deciding import (
    case_id,
    hold,
    postpone,
    release,
    set_policy,
    start,
    stop,
    take_step,
)
from subscriptions.dunning.events import (
    DunningExhausted,
    DunningHeld,
    DunningPolicySet,
    DunningPostponed,
    DunningReleased,
    DunningReminderDue,
    DunningStarted,
    DunningStepTaken,
    DunningStopped,
)
from subscriptions.dunning.policy import (
    DAYS_MAX,
    DEFAULT_POLICY,
    Action,
    CancelSubscription,
    DunningPolicy,
    FinalAction,
    MarkUncollectible,
    MarkUnpaid,
    Reminder,
    Retries,
    Retry,
    Step,
)

__all__ = [
    "DAYS_MAX",
    "DEFAULT_POLICY",
    "DUNNING_CASE",
    "DUNNING_POLICY",
    "OVER",
    "STATUS",
    "Action",
    "CancelSubscription",
    "CaseState",
    "DunningCase",
    "DunningExhausted",
    "DunningHeld",
    "DunningPolicy",
    "DunningPolicySet",
    "DunningPostponed",
    "DunningReleased",
    "DunningReminderDue",
    "DunningStarted",
    "DunningStepTaken",
    "DunningStopped",
    "Exhausted",
    "FinalAction",
    "Held",
    "MarkUncollectible",
    "MarkUnpaid",
    "Reminder",
    "Retries",
    "Retry",
    "Running",
    "Step",
    "Stopped",
    "StoredPolicy",
    "case_id",
    "hold",
    "postpone",
    "release",
    "set_policy",
    "start",
    "stop",
    "take_step",
]
