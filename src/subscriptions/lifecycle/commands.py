"""What may be asked of a subscription, and the table of what its state allows."""

from __future__ import annotations

from datetime import date, datetime
from typing import TypeAlias

from subscriptions.billing_cycles import Period
from subscriptions.coupons import AppliedCoupon
from subscriptions.customers import CollectionMethod
from subscriptions.frozen import frozen
from subscriptions.ids import CouponId, CustomerId, InvoiceId, PaymentMethodId
from subscriptions.invoices import Charge
from subscriptions.lifecycle.items import Debit, Item, Place, Planned
from subscriptions.lifecycle.subscription import (
    Active,
    CatchUp,
    Contract,
    Ended,
    EndReason,
    Incomplete,
    Pause,
    Scheduled,
    Settlement,
    Trialing,
)
from subscriptions.money import Money


@frozen
class Begin:
    """The first day has come."""


@frozen
class EndTrial:
    """The trial is over; billing begins, and what the items `billed` used in it is owed."""

    billed: tuple[int, ...] = ()


@frozen
class MoveTrialEnd:
    """Let the trial end when the day `until` begins: later, earlier or at once."""

    until: date


@frozen
class BillPeriods:
    """Bill these periods of these items on an invoice, with everything that is pending.

    `items` are numbers, one for each of `periods`, and so are `amounts`, in minor units before
    discounts; `debits` is what may be credited later, and `discounts` are the coupons that took
    something off, once for each day on which something fell due. There is no invoice where there
    was nothing to bill; `first_line` is the place of its first line.
    """

    items: tuple[int, ...]
    periods: tuple[Period, ...]
    amounts: tuple[int, ...]
    invoice: InvoiceId | None
    debits: tuple[Debit, ...] = ()
    discounts: tuple[CouponId, ...] = ()
    first_line: int = 0


@frozen
class SkipPeriods:
    """Let these items be billed from the day `until` on: what is before it is never owed."""

    items: tuple[int, ...]
    until: date


@frozen
class BillUsage:
    """Bill what was used so far, before the period is over: by item, what it came to so far."""

    items: tuple[int, ...]
    billed: tuple[Money, ...]
    invoice: InvoiceId


@frozen
class CheckUsage:
    """Look at `at` whether usage has come to the threshold."""

    at: datetime | None


@frozen
class ChangeItems:
    """Have these items from `at` on; `pending` and `debits` say what it costs.

    `invoice` is the one that takes what is pending, if there is one now. `planned` says that it
    was the first of the planned changes of its cause. `places` are what other changes at the same
    instant meet.
    """

    items: tuple[Item, ...]
    debits: tuple[Debit, ...]
    pending: tuple[Charge, ...]
    at: datetime
    cause: str = ""
    invoice: InvoiceId | None = None
    planned: bool = False
    first_line: int = 0
    places: tuple[Place, ...] = ()


@frozen
class ScheduleChange:
    """Change the items when the day of the plan begins."""

    planned: Planned


@frozen
class AnnounceChange:
    """Say that one of the planned changes will come, and what a period costs before and after it.

    What is not known, because it depends on usage, is None.
    """

    planned: Planned
    before: Money | None
    after: Money | None


@frozen
class WithdrawChanges:
    """Forget the planned changes of a cause, or all of them."""

    cause: str | None = None


@frozen
class ApplyCoupon:
    """Take something off the coming invoices."""

    applied: AppliedCoupon


@frozen
class RemoveCoupon:
    """Let a coupon count no more from the next invoice on."""

    coupon: CouponId


@frozen
class AwaitPayment:
    """Let the contract count only once an invoice is paid."""

    invoice: InvoiceId
    until: datetime


@frozen
class Activate:
    """The first payment has come."""


@frozen
class PauseNow:
    """Stop collecting, billing or serving; with `replaces` instead of another pause, if any."""

    pause: Pause
    replaces: bool = False


@frozen
class Resume:
    """Go on with everything; what is not billed on the day `on` is owed from then.

    What is used is owed from the instant `at` on, by default from the beginning of that day.
    """

    on: date
    at: datetime | None = None


@frozen
class Cancel:
    """End it when the day `on` begins."""

    on: date
    reason: str = ""
    settlement: Settlement = Settlement.NONE


@frozen
class UndoCancel:
    """Forget the pending cancellation."""


@frozen
class End:
    """End it at this instant; `invoice` takes what is pending.

    `credited_from` is the day from which on all that was paid for was given back, if it was.
    """

    at: datetime
    reason: EndReason
    explanation: str = ""
    invoice: InvoiceId | None = None
    credited_from: date | None = None


@frozen
class Reactivate:
    """Bring an ended subscription back to life, with these items, from the day `on`."""

    items: tuple[Item, ...]
    on: date


@frozen
class Transfer:
    """Let another customer have it, with all that is paid for."""

    customer: CustomerId
    zone: str


@frozen
class SetEnd:
    """Let it end by itself when the day `on` begins, or not at all."""

    on: date | None


@frozen
class SetCatchUp:
    """Catch up on what nobody billed in time in this way, and at most so many periods."""

    policy: CatchUp
    periods_max: int


@frozen
class SetPayment:
    """Let it be paid by this method and in this way; None for the customer's."""

    payment_method: PaymentMethodId | None
    collection_method: CollectionMethod | None


@frozen
class AnswerSurvey:
    """Say why it was cancelled: a word of the host's list, and the customer's own."""

    answer: str
    comment: str = ""


@frozen
class MarkPastDue:
    """An invoice of it could not be collected."""

    invoice: InvoiceId


@frozen
class ClearPastDue:
    """An invoice that was past due no longer is: it was paid, or written off."""

    invoice: InvoiceId
    paid: bool = True


@frozen
class MarkUnpaid:
    """Dunning ended without money and the contract goes on unpaid."""


Command: TypeAlias = (
    Begin
    | EndTrial
    | MoveTrialEnd
    | BillPeriods
    | SkipPeriods
    | BillUsage
    | CheckUsage
    | ChangeItems
    | ScheduleChange
    | AnnounceChange
    | WithdrawChanges
    | ApplyCoupon
    | RemoveCoupon
    | AwaitPayment
    | Activate
    | PauseNow
    | Resume
    | Cancel
    | UndoCancel
    | End
    | Reactivate
    | Transfer
    | SetEnd
    | SetCatchUp
    | SetPayment
    | AnswerSurvey
    | MarkPastDue
    | ClearPastDue
    | MarkUnpaid
)

_ANY_TIME: frozenset[type[Command]] = frozenset(
    {
        ChangeItems,
        ScheduleChange,
        AnnounceChange,
        WithdrawChanges,
        ApplyCoupon,
        RemoveCoupon,
        Cancel,
        UndoCancel,
        End,
        Transfer,
        SetEnd,
        SetCatchUp,
        SetPayment,
        AnswerSurvey,
    }
)
_BEGUN: frozenset[type[Command]] = _ANY_TIME | {
    PauseNow,
    Resume,
    CheckUsage,
    MarkPastDue,
    ClearPastDue,
}

ALLOWED: dict[type[Contract], frozenset[type[Command]]] = {
    Scheduled: _ANY_TIME | {Begin},
    Incomplete: frozenset(
        {
            Activate,
            AwaitPayment,
            End,
            UndoCancel,
            Cancel,
            SetPayment,
            AnswerSurvey,
            ClearPastDue,
            # What is planned for it, and only that: it comes once the first payment has.
            ScheduleChange,
            AnnounceChange,
            WithdrawChanges,
        }
    ),
    Trialing: _BEGUN | {EndTrial, MoveTrialEnd},
    Active: _BEGUN | {BillPeriods, SkipPeriods, BillUsage, AwaitPayment, MarkUnpaid},
    # A debt may be paid long after it is over.
    Ended: frozenset({Reactivate, AnswerSurvey, ClearPastDue}),
}
