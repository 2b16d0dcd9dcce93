"""What would do instead of a command that a subscription does not allow: the words of its refusal.

Never here: what is allowed. That is the table in `commands`.
"""

from __future__ import annotations

from subscriptions.lifecycle.commands import (
    Command,
    MoveTrialEnd,
    PauseNow,
    Reactivate,
    RemoveCoupon,
    Resume,
    SkipPeriods,
    UndoCancel,
    WithdrawChanges,
)
from subscriptions.lifecycle.subscription import (
    Ended,
    Incomplete,
    Scheduled,
    Subscription,
    Trialing,
)


def instead_of(subscription: Subscription, command: Command) -> str:
    """Say what would do, or why nothing has to be done; empty where there is nothing to say.

    The verbs are those of `billing.subscriptions`.
    """
    match command:
        case UndoCancel() | Reactivate() if not isinstance(subscription.contract, Ended):
            return "it goes on: no cancellation is pending"
        case Resume() if not isinstance(subscription.contract, Ended):
            return "it goes on: it is not paused"
        case WithdrawChanges() if not isinstance(subscription.contract, Ended):
            return "nothing of this cause is planned"
        case RemoveCoupon(coupon=coupon) if not isinstance(subscription.contract, Ended):
            return f"it does not have coupon {coupon}"
        case _:
            return _instead_in_state(subscription, command)


def _instead_in_state(subscription: Subscription, command: Command) -> str:
    match subscription.contract:
        case Ended():
            return "reactivate it, or create another"
        case Incomplete(invoice=invoice, until=until):
            return f"pay invoice {invoice} first, until {until}, or cancel it"
        case Scheduled(start=start):
            return f"it begins on {start}; before that change it, or cancel it"
        case Trialing(until=until) if isinstance(command, SkipPeriods):
            return f"its trial ends on {until}, and then it is billed: extend_trial or end_trial"
        case _:
            pass
    match command:
        case PauseNow():
            return "it is paused: resume it first"
        case MoveTrialEnd():
            return "it is in no trial: set_next_billing moves the next bill"
        case _:
            return ""
