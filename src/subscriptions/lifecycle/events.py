"""What happens to subscriptions, in the past tense."""

from __future__ import annotations

from datetime import date, datetime
from typing import TypeAlias

from subscriptions.billing_cycles import Period
from subscriptions.coupons import AppliedCoupon
from subscriptions.customers import CollectionMethod
from subscriptions.frozen import frozen
from subscriptions.ids import CouponId, CustomerId, InvoiceId, PaymentMethodId, SubscriptionId
from subscriptions.invoices import Charge
from subscriptions.lifecycle.items import Debit, Item, Place, Planned
from subscriptions.lifecycle.subscription import CatchUp, EndReason, Pause, Settlement
from subscriptions.money import Money


@frozen
class SubscriptionCreated:
    """A contract was made; it begins on `start`."""

    subscription: SubscriptionId
    customer: CustomerId
    start: date


@frozen
class TrialStarted:
    """Service is given for nothing until `until`."""

    subscription: SubscriptionId
    customer: CustomerId
    until: date


@frozen
class TrialEnded:
    """The trial is over; what the items `billed` used in it is owed."""

    subscription: SubscriptionId
    customer: CustomerId
    on: date
    billed: tuple[int, ...] = ()


@frozen
class SubscriptionStarted:
    """The first billed day has come."""

    subscription: SubscriptionId
    customer: CustomerId
    on: date


@frozen
class TrialEndMoved:
    """The trial ends when the day `until` begins."""

    subscription: SubscriptionId
    customer: CustomerId
    until: date


@frozen
class SubscriptionRenewed:
    """These periods were billed on an invoice; `items` says which item each belongs to.

    `amounts` is what each came to, in minor units before discounts; `debits` is what may be
    credited later, `discounts` are the coupons that took something off, once for each day on which
    something fell due. There is no invoice where there was nothing to bill; `first_line` is the
    place of its first line.
    """

    subscription: SubscriptionId
    customer: CustomerId
    items: tuple[int, ...]
    periods: tuple[Period, ...]
    amounts: tuple[int, ...]
    invoice: InvoiceId | None
    debits: tuple[Debit, ...] = ()
    discounts: tuple[CouponId, ...] = ()
    first_line: int = 0


@frozen
class PeriodsSkipped:
    """What these items gave before the day `until` is not billed, and never will be."""

    subscription: SubscriptionId
    customer: CustomerId
    items: tuple[int, ...]
    until: date


@frozen
class UsageBilled:
    """Usage came to the threshold and was billed before the period was over.

    `billed` is what it came to in all since the period began, item by item.
    """

    subscription: SubscriptionId
    customer: CustomerId
    items: tuple[int, ...]
    billed: tuple[Money, ...]
    invoice: InvoiceId


@frozen
class UsageCheckScheduled:
    """Whether usage has come to the threshold is looked at `at`; None: it was looked at."""

    subscription: SubscriptionId
    customer: CustomerId
    at: datetime | None


@frozen
class SubscriptionChanged:
    """It has these items from `at` on; `pending` waits for the next invoice, or is on `invoice`.

    `planned` says that it was the first of the planned changes of its cause, which is what planned
    it. `places` are what other changes at the same instant meet.
    """

    subscription: SubscriptionId
    customer: CustomerId
    at: datetime
    items: tuple[Item, ...]
    debits: tuple[Debit, ...]
    pending: tuple[Charge, ...]
    cause: str = ""
    invoice: InvoiceId | None = None
    planned: bool = False
    first_line: int = 0
    places: tuple[Place, ...] = ()


@frozen
class ChangeScheduled:
    """Its items will change when the day of the plan begins."""

    subscription: SubscriptionId
    customer: CustomerId
    planned: Planned


@frozen
class PlannedChangeAnnounced:
    """A planned change will come: time to tell the customer.

    `before` and `after` are what a period costs, before discounts and without added tax; None is
    where that depends on usage.
    """

    subscription: SubscriptionId
    customer: CustomerId
    planned: Planned
    before: Money | None
    after: Money | None


@frozen
class ScheduledChangesWithdrawn:
    """Planned changes were forgotten: those of a cause, or all of them."""

    subscription: SubscriptionId
    customer: CustomerId
    cause: str | None


@frozen
class CouponApplied:
    """A coupon takes something off its coming invoices."""

    subscription: SubscriptionId
    customer: CustomerId
    applied: AppliedCoupon


@frozen
class CouponRemoved:
    """A coupon counts no more from the next invoice on."""

    subscription: SubscriptionId
    customer: CustomerId
    coupon: CouponId


@frozen
class FirstPaymentAwaited:
    """It counts only once an invoice is paid, at the latest at `until`."""

    subscription: SubscriptionId
    customer: CustomerId
    invoice: InvoiceId
    until: datetime


@frozen
class SubscriptionActivated:
    """The first payment has come: it counts."""

    subscription: SubscriptionId
    customer: CustomerId


@frozen
class SubscriptionPaused:
    """Collecting, billing or serving stopped, as the switches say."""

    subscription: SubscriptionId
    customer: CustomerId
    pause: Pause


@frozen
class SubscriptionResumed:
    """Everything goes on; what was not billed before the day `on` is not owed.

    Nor is what was used before the instant `at`, by default the beginning of that day.
    """

    subscription: SubscriptionId
    customer: CustomerId
    on: date
    at: datetime | None = None


@frozen
class CancellationScheduled:
    """It will end when the day `on` begins."""

    subscription: SubscriptionId
    customer: CustomerId
    on: date
    reason: str
    settlement: Settlement = Settlement.NONE


@frozen
class CancellationWithdrawn:
    """The pending cancellation was undone."""

    subscription: SubscriptionId
    customer: CustomerId


@frozen
class SubscriptionEnded:
    """It is over; `invoice` is the last one, if something was left to bill.

    `credited_from` is the day from which on all that was paid for was given back, if it was.
    """

    subscription: SubscriptionId
    customer: CustomerId
    at: datetime
    reason: EndReason
    explanation: str = ""
    invoice: InvoiceId | None = None
    credited_from: date | None = None


@frozen
class SubscriptionReactivated:
    """It lives again, with these items, from the day `on`."""

    subscription: SubscriptionId
    customer: CustomerId
    items: tuple[Item, ...]
    on: date


@frozen
class SubscriptionTransferred:
    """Another customer has it from now on; days are days in his `zone`."""

    subscription: SubscriptionId
    customer: CustomerId
    to: CustomerId
    zone: str


@frozen
class EndSet:
    """It ends by itself when the day `on` begins; None: it goes on until it is cancelled."""

    subscription: SubscriptionId
    customer: CustomerId
    on: date | None


@frozen
class CatchUpSet:
    """What nobody billed in time is caught up in this way, and at most so many periods."""

    subscription: SubscriptionId
    customer: CustomerId
    policy: CatchUp
    periods_max: int


@frozen
class SubscriptionPaymentSet:
    """It is paid by this method and in this way from now on; None for the customer's."""

    subscription: SubscriptionId
    customer: CustomerId
    payment_method: PaymentMethodId | None
    collection_method: CollectionMethod | None


@frozen
class SurveyAnswered:
    """The customer said why it was cancelled."""

    subscription: SubscriptionId
    customer: CustomerId
    answer: str
    comment: str


@frozen
class SubscriptionPastDue:
    """An invoice of it could not be collected."""

    subscription: SubscriptionId
    customer: CustomerId
    invoice: InvoiceId


@frozen
class SubscriptionRecovered:
    """An invoice that was past due was paid; `still_past_due` others are left."""

    subscription: SubscriptionId
    customer: CustomerId
    invoice: InvoiceId
    still_past_due: int


@frozen
class SubscriptionDebtWrittenOff:
    """An invoice that was past due was given up; `still_past_due` others are left."""

    subscription: SubscriptionId
    customer: CustomerId
    invoice: InvoiceId
    still_past_due: int


@frozen
class SubscriptionUnpaid:
    """Dunning ended without money; the contract goes on, new invoices stay drafts."""

    subscription: SubscriptionId
    customer: CustomerId


Event: TypeAlias = (
    SubscriptionCreated
    | TrialStarted
    | TrialEnded
    | TrialEndMoved
    | SubscriptionStarted
    | SubscriptionRenewed
    | PeriodsSkipped
    | UsageBilled
    | UsageCheckScheduled
    | SubscriptionChanged
    | ChangeScheduled
    | PlannedChangeAnnounced
    | ScheduledChangesWithdrawn
    | CouponApplied
    | CouponRemoved
    | FirstPaymentAwaited
    | SubscriptionActivated
    | SubscriptionPaused
    | SubscriptionResumed
    | CancellationScheduled
    | CancellationWithdrawn
    | SubscriptionEnded
    | SubscriptionReactivated
    | SubscriptionTransferred
    | EndSet
    | CatchUpSet
    | SubscriptionPaymentSet
    | SurveyAnswered
    | SubscriptionPastDue
    | SubscriptionRecovered
    | SubscriptionDebtWrittenOff
    | SubscriptionUnpaid
)
