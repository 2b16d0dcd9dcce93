"""All events that can happen: the closed union, for hosts to match on, and how one is recorded.

Each event stands beside the decision that makes it; here they are assembled and given the names
under which they are stored for ever. An event is a fact in the past tense, holds ids and amounts,
and no personal data.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

from subscriptions import (
    balance,
    catalog,
    coupons,
    credit_notes,
    customers,
    disputes,
    dunning,
    grants,
    inbox,
    invoices,
    lifecycle,
    migrations,
    payment_methods,
    payments,
    pending_items,
    pro_forma,
    refunds,
    review,
    statements,
    usage,
)
from subscriptions.catalog import (
    PriceAdded,
    PriceArchived,
    PriceOverridden,
    PriceVersioned,
    ProductAdded,
    ProductArchived,
)
from subscriptions.coupons import (
    CouponArchived,
    CouponCreated,
    CouponRedeemed,
    PromotionCodeCreated,
    PromotionCodeDeactivated,
    PromotionCodeRedeemed,
)
from subscriptions.credit_notes import CreditNoteIssued
from subscriptions.customers import (
    BackupMethodChanged,
    BalanceMoved,
    CollectionHeld,
    CollectionReleased,
    CustomerCreated,
    CustomerUpdated,
    DefaultMethodChanged,
    SmallDebtsChanged,
    TaxIdCheckPlanned,
    TaxIdRejected,
    TaxIdUnverified,
    TaxIdVerified,
)
from subscriptions.decisions import Change, RecordParked, RecordUnparked
from subscriptions.disputes import (
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
from subscriptions.dunning import (
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
from subscriptions.frozen import frozen
from subscriptions.grants import (
    GrantApplied,
    GrantBegan,
    GrantCreated,
    GrantExpired,
    GrantReturned,
    GrantRolledOver,
    GrantVoided,
)
from subscriptions.idempotency import COMMAND
from subscriptions.invoices import (
    AttemptCounted,
    CollectionEnded,
    CollectionStarted,
    InvoiceCredited,
    InvoiceDisputeEnded,
    InvoiceDrafted,
    InvoiceDunningEnded,
    InvoiceFinalized,
    InvoiceHeld,
    InvoiceLeftForLater,
    InvoiceMarkedUncollectible,
    InvoiceOverdue,
    InvoicePaid,
    InvoicePartlyPaid,
    InvoiceReleased,
    InvoiceReopened,
    InvoiceReplaced,
    InvoiceSent,
    InvoiceTaxPending,
    InvoiceVoided,
)
from subscriptions.lifecycle import (
    CancellationScheduled,
    CancellationWithdrawn,
    CatchUpSet,
    ChangeScheduled,
    CouponApplied,
    CouponRemoved,
    EndSet,
    FirstPaymentAwaited,
    PeriodsSkipped,
    PlannedChangeAnnounced,
    ScheduledChangesWithdrawn,
    SubscriptionActivated,
    SubscriptionChanged,
    SubscriptionCreated,
    SubscriptionDebtWrittenOff,
    SubscriptionEnded,
    SubscriptionPastDue,
    SubscriptionPaused,
    SubscriptionPaymentSet,
    SubscriptionReactivated,
    SubscriptionRecovered,
    SubscriptionRenewed,
    SubscriptionResumed,
    SubscriptionStarted,
    SubscriptionTransferred,
    SubscriptionUnpaid,
    SurveyAnswered,
    TrialEnded,
    TrialEndMoved,
    TrialStarted,
    UsageBilled,
    UsageCheckScheduled,
)
from subscriptions.migrations import (
    MigrationPlanned,
    MigrationProgressed,
    MigrationStarted,
    MigrationUndone,
    MigrationUndoStarted,
)
from subscriptions.number_series import NUMBER_SERIES
from subscriptions.payment_methods import (
    PaymentMethodAttached,
    PaymentMethodDetached,
    PaymentMethodHeld,
    PaymentMethodRefused,
    PaymentMethodReleased,
)
from subscriptions.payments import (
    PaymentActionRequired,
    PaymentAdopted,
    PaymentAllocated,
    PaymentAuthorized,
    PaymentCaptureFailed,
    PaymentCaptureIntended,
    PaymentDeallocated,
    PaymentDisputed,
    PaymentFailed,
    PaymentIntended,
    PaymentNotExecuted,
    PaymentOutcomeUnknown,
    PaymentProcessing,
    PaymentPutOnBalance,
    PaymentQuarantined,
    PaymentRefunded,
    PaymentRefundReleased,
    PaymentRefundReserved,
    PaymentResolved,
    PaymentRestored,
    PaymentRestReleased,
    PaymentSucceeded,
    PaymentTakenOffBalance,
    PaymentVoided,
    PaymentWithdrawn,
    PaymentWithheld,
)
from subscriptions.pending_items import (
    PendingItemAdded,
    PendingItemInvoiced,
    PendingItemWithdrawn,
)
from subscriptions.pro_forma import ProFormaMade
from subscriptions.records import AnyKind, Column, ColumnType, Kind
from subscriptions.refunds import (
    RefundFailed,
    RefundIntended,
    RefundNotExecuted,
    RefundPending,
    RefundResolved,
    RefundSucceeded,
    RefundUnknown,
)
from subscriptions.review import ReviewClosed, ReviewNeeded
from subscriptions.statements import BankLineBooked, BankLineDismissed, BankLineImported
from subscriptions.usage import MeterAdded

__all__ = [
    "EVENT",
    "KINDS",
    "TAGS",
    "AttemptCounted",
    "BackupMethodChanged",
    "BalanceMoved",
    "BankLineBooked",
    "BankLineDismissed",
    "BankLineImported",
    "CancellationScheduled",
    "CancellationWithdrawn",
    "CatchUpSet",
    "ChangeScheduled",
    "CollectionEnded",
    "CollectionHeld",
    "CollectionReleased",
    "CollectionStarted",
    "CouponApplied",
    "CouponArchived",
    "CouponCreated",
    "CouponRedeemed",
    "CouponRemoved",
    "CreditNoteIssued",
    "CustomerCreated",
    "CustomerUpdated",
    "DebitReturned",
    "DefaultMethodChanged",
    "DisputeAwaitsPayment",
    "DisputeLost",
    "DisputeOpened",
    "DisputeReconsidered",
    "DisputeTookEffect",
    "DisputeUpdated",
    "DisputeWithdrawn",
    "DisputeWon",
    "DunningExhausted",
    "DunningHeld",
    "DunningPolicySet",
    "DunningPostponed",
    "DunningReleased",
    "DunningReminderDue",
    "DunningStarted",
    "DunningStepTaken",
    "DunningStopped",
    "EndSet",
    "Event",
    "FirstPaymentAwaited",
    "GrantApplied",
    "GrantBegan",
    "GrantCreated",
    "GrantExpired",
    "GrantReturned",
    "GrantRolledOver",
    "GrantVoided",
    "InvoiceCredited",
    "InvoiceDisputeEnded",
    "InvoiceDrafted",
    "InvoiceDunningEnded",
    "InvoiceFinalized",
    "InvoiceHeld",
    "InvoiceLeftForLater",
    "InvoiceMarkedUncollectible",
    "InvoiceOverdue",
    "InvoicePaid",
    "InvoicePartlyPaid",
    "InvoiceReleased",
    "InvoiceReopened",
    "InvoiceReplaced",
    "InvoiceSent",
    "InvoiceTaxPending",
    "InvoiceVoided",
    "MeterAdded",
    "PaymentActionRequired",
    "PaymentAdopted",
    "PaymentAllocated",
    "PaymentAuthorized",
    "PaymentCaptureFailed",
    "PaymentCaptureIntended",
    "PaymentDeallocated",
    "PaymentDisputed",
    "PaymentFailed",
    "PaymentIntended",
    "PaymentMethodAttached",
    "PaymentMethodDetached",
    "PaymentMethodHeld",
    "PaymentMethodRefused",
    "PaymentMethodReleased",
    "PaymentNotExecuted",
    "PaymentOutcomeUnknown",
    "PaymentProcessing",
    "PaymentPutOnBalance",
    "PaymentQuarantined",
    "PaymentRefundReleased",
    "PaymentRefundReserved",
    "PaymentRefunded",
    "PaymentResolved",
    "PaymentRestReleased",
    "PaymentRestored",
    "PaymentSucceeded",
    "PaymentTakenOffBalance",
    "PaymentVoided",
    "PaymentWithdrawn",
    "PaymentWithheld",
    "PendingItemAdded",
    "PendingItemInvoiced",
    "PendingItemWithdrawn",
    "PeriodsSkipped",
    "PriceAdded",
    "PriceArchived",
    "PriceOverridden",
    "PriceVersioned",
    "ProFormaMade",
    "ProductAdded",
    "ProductArchived",
    "PromotionCodeCreated",
    "PromotionCodeDeactivated",
    "PromotionCodeRedeemed",
    "RecordParked",
    "RecordUnparked",
    "Recorded",
    "RefundFailed",
    "RefundIntended",
    "RefundNotExecuted",
    "RefundPending",
    "RefundResolved",
    "RefundSucceeded",
    "RefundUnknown",
    "ReviewClosed",
    "ReviewNeeded",
    "ScheduledChangesWithdrawn",
    "SmallDebtsChanged",
    "SubscriptionActivated",
    "SubscriptionChanged",
    "SubscriptionCreated",
    "SubscriptionDebtWrittenOff",
    "SubscriptionEnded",
    "SubscriptionPastDue",
    "SubscriptionPaused",
    "SubscriptionPaymentSet",
    "SubscriptionReactivated",
    "SubscriptionRecovered",
    "SubscriptionRenewed",
    "SubscriptionResumed",
    "SubscriptionStarted",
    "SubscriptionTransferred",
    "SubscriptionUnpaid",
    "SurveyAnswered",
    "TaxIdCheckPlanned",
    "TaxIdRejected",
    "TaxIdUnverified",
    "TaxIdVerified",
    "TrialEndMoved",
    "TrialEnded",
    "TrialStarted",
    "UsageBilled",
    "UsageCheckScheduled",
    "record",
]

Event: TypeAlias = (
    CustomerCreated
    | CustomerUpdated
    | DefaultMethodChanged
    | BalanceMoved
    | GrantCreated
    | GrantBegan
    | GrantApplied
    | GrantReturned
    | GrantExpired
    | GrantRolledOver
    | GrantVoided
    | TaxIdCheckPlanned
    | TaxIdVerified
    | TaxIdRejected
    | TaxIdUnverified
    | PaymentMethodAttached
    | PaymentMethodRefused
    | PaymentMethodHeld
    | PaymentMethodReleased
    | PaymentMethodDetached
    | ProductAdded
    | ProductArchived
    | PriceAdded
    | PriceVersioned
    | PriceOverridden
    | MeterAdded
    | PriceArchived
    | CouponCreated
    | CouponRedeemed
    | CouponArchived
    | PromotionCodeCreated
    | PromotionCodeRedeemed
    | PromotionCodeDeactivated
    | MigrationStarted
    | MigrationProgressed
    | MigrationPlanned
    | MigrationUndoStarted
    | MigrationUndone
    | SubscriptionCreated
    | TrialStarted
    | TrialEnded
    | SubscriptionStarted
    | SubscriptionRenewed
    | TrialEndMoved
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
    | SubscriptionReactivated
    | SubscriptionTransferred
    | EndSet
    | CatchUpSet
    | SurveyAnswered
    | CancellationScheduled
    | CancellationWithdrawn
    | SubscriptionEnded
    | SubscriptionPastDue
    | SubscriptionRecovered
    | SubscriptionDebtWrittenOff
    | SubscriptionUnpaid
    | InvoiceDrafted
    | InvoiceFinalized
    | InvoicePaid
    | InvoicePartlyPaid
    | InvoiceReopened
    | InvoiceDisputeEnded
    | CollectionStarted
    | CollectionEnded
    | AttemptCounted
    | InvoiceOverdue
    | InvoiceDunningEnded
    | InvoiceVoided
    | InvoiceReplaced
    | InvoiceSent
    | InvoiceTaxPending
    | InvoiceCredited
    | PendingItemAdded
    | PendingItemInvoiced
    | PendingItemWithdrawn
    | ProFormaMade
    | CreditNoteIssued
    | InvoiceMarkedUncollectible
    | PaymentIntended
    | PaymentSucceeded
    | PaymentFailed
    | PaymentAuthorized
    | PaymentCaptureIntended
    | PaymentCaptureFailed
    | PaymentRestReleased
    | PaymentActionRequired
    | PaymentProcessing
    | PaymentOutcomeUnknown
    | PaymentNotExecuted
    | PaymentVoided
    | PaymentWithdrawn
    | PaymentAllocated
    | PaymentAdopted
    | PaymentQuarantined
    | PaymentResolved
    | PaymentRefundReserved
    | PaymentRefunded
    | PaymentRefundReleased
    | PaymentDisputed
    | PaymentWithheld
    | PaymentRestored
    | PaymentDeallocated
    | DisputeOpened
    | DisputeUpdated
    | DebitReturned
    | DisputeWon
    | DisputeLost
    | DisputeWithdrawn
    | DisputeReconsidered
    | DisputeTookEffect
    | DisputeAwaitsPayment
    | RefundIntended
    | RefundSucceeded
    | RefundPending
    | RefundResolved
    | RefundFailed
    | RefundUnknown
    | RefundNotExecuted
    | DunningPolicySet
    | DunningStarted
    | DunningStepTaken
    | DunningReminderDue
    | DunningPostponed
    | DunningHeld
    | DunningReleased
    | DunningStopped
    | DunningExhausted
    | BackupMethodChanged
    | SmallDebtsChanged
    | CollectionHeld
    | CollectionReleased
    | InvoiceLeftForLater
    | InvoiceHeld
    | InvoiceReleased
    | PaymentPutOnBalance
    | PaymentTakenOffBalance
    | BankLineImported
    | BankLineBooked
    | BankLineDismissed
    | SubscriptionPaymentSet
    | RecordParked
    | RecordUnparked
    | ReviewNeeded
    | ReviewClosed
)

# The stored names. A class may be renamed; its name here may not.
TAGS: MappingProxyType[type[Event], str] = MappingProxyType(
    {
        CustomerCreated: "customer.created",
        CustomerUpdated: "customer.updated",
        DefaultMethodChanged: "customer.default_method_changed",
        BalanceMoved: "customer.balance_moved",
        GrantCreated: "grant.created",
        GrantBegan: "grant.began",
        GrantApplied: "grant.applied",
        GrantReturned: "grant.returned",
        GrantExpired: "grant.expired",
        GrantRolledOver: "grant.rolled_over",
        GrantVoided: "grant.voided",
        TaxIdCheckPlanned: "customer.tax_id_check_planned",
        TaxIdVerified: "customer.tax_id_verified",
        TaxIdRejected: "customer.tax_id_rejected",
        TaxIdUnverified: "customer.tax_id_unverified",
        PaymentMethodAttached: "payment_method.attached",
        PaymentMethodRefused: "payment_method.refused",
        PaymentMethodHeld: "payment_method.held",
        PaymentMethodReleased: "payment_method.released",
        PaymentMethodDetached: "payment_method.detached",
        ProductAdded: "product.added",
        ProductArchived: "product.archived",
        PriceAdded: "price.added",
        PriceVersioned: "price.versioned",
        PriceOverridden: "price.overridden",
        MeterAdded: "meter.added",
        PriceArchived: "price.archived",
        CouponCreated: "coupon.created",
        CouponRedeemed: "coupon.redeemed",
        CouponArchived: "coupon.archived",
        PromotionCodeCreated: "promotion_code.created",
        PromotionCodeRedeemed: "promotion_code.redeemed",
        PromotionCodeDeactivated: "promotion_code.deactivated",
        MigrationStarted: "migration.started",
        MigrationProgressed: "migration.progressed",
        MigrationPlanned: "migration.planned",
        MigrationUndoStarted: "migration.undo_started",
        MigrationUndone: "migration.undone",
        SubscriptionCreated: "subscription.created",
        TrialStarted: "subscription.trial_started",
        TrialEnded: "subscription.trial_ended",
        SubscriptionStarted: "subscription.started",
        SubscriptionRenewed: "subscription.renewed",
        TrialEndMoved: "subscription.trial_end_moved",
        PeriodsSkipped: "subscription.periods_skipped",
        UsageBilled: "subscription.usage_billed",
        UsageCheckScheduled: "subscription.usage_check_scheduled",
        SubscriptionChanged: "subscription.changed",
        ChangeScheduled: "subscription.change_scheduled",
        PlannedChangeAnnounced: "subscription.planned_change_announced",
        ScheduledChangesWithdrawn: "subscription.changes_withdrawn",
        CouponApplied: "subscription.coupon_applied",
        CouponRemoved: "subscription.coupon_removed",
        FirstPaymentAwaited: "subscription.first_payment_awaited",
        SubscriptionActivated: "subscription.activated",
        SubscriptionPaused: "subscription.paused",
        SubscriptionResumed: "subscription.resumed",
        SubscriptionReactivated: "subscription.reactivated",
        SubscriptionTransferred: "subscription.transferred",
        EndSet: "subscription.end_set",
        CatchUpSet: "subscription.catch_up_set",
        SurveyAnswered: "subscription.survey_answered",
        CancellationScheduled: "subscription.cancellation_scheduled",
        CancellationWithdrawn: "subscription.cancellation_withdrawn",
        SubscriptionEnded: "subscription.ended",
        SubscriptionPastDue: "subscription.past_due",
        SubscriptionRecovered: "subscription.recovered",
        SubscriptionDebtWrittenOff: "subscription.debt_written_off",
        SubscriptionUnpaid: "subscription.unpaid",
        InvoiceDrafted: "invoice.drafted",
        InvoiceFinalized: "invoice.finalized",
        InvoicePaid: "invoice.paid",
        InvoicePartlyPaid: "invoice.partly_paid",
        InvoiceReopened: "invoice.reopened",
        InvoiceDisputeEnded: "invoice.dispute_ended",
        CollectionStarted: "invoice.collection_started",
        CollectionEnded: "invoice.collection_ended",
        AttemptCounted: "invoice.attempt_counted",
        InvoiceOverdue: "invoice.overdue",
        InvoiceDunningEnded: "invoice.dunning_ended",
        InvoiceVoided: "invoice.voided",
        InvoiceReplaced: "invoice.replaced",
        InvoiceSent: "invoice.sent",
        InvoiceTaxPending: "invoice.tax_pending",
        PendingItemAdded: "pending_item.added",
        PendingItemInvoiced: "pending_item.invoiced",
        PendingItemWithdrawn: "pending_item.withdrawn",
        ProFormaMade: "pro_forma.made",
        InvoiceCredited: "invoice.credited",
        CreditNoteIssued: "credit_note.issued",
        InvoiceMarkedUncollectible: "invoice.marked_uncollectible",
        PaymentIntended: "payment.intended",
        PaymentSucceeded: "payment.succeeded",
        PaymentFailed: "payment.failed",
        PaymentAuthorized: "payment.authorized",
        PaymentCaptureIntended: "payment.capture_intended",
        PaymentCaptureFailed: "payment.capture_failed",
        PaymentRestReleased: "payment.rest_released",
        PaymentActionRequired: "payment.action_required",
        PaymentProcessing: "payment.processing",
        PaymentOutcomeUnknown: "payment.outcome_unknown",
        PaymentNotExecuted: "payment.not_executed",
        PaymentVoided: "payment.voided",
        PaymentWithdrawn: "payment.withdrawn",
        PaymentAllocated: "payment.allocated",
        PaymentAdopted: "payment.adopted",
        PaymentQuarantined: "payment.quarantined",
        PaymentResolved: "payment.resolved",
        PaymentRefundReserved: "payment.refund_reserved",
        PaymentRefunded: "payment.refunded",
        PaymentRefundReleased: "payment.refund_released",
        PaymentDisputed: "payment.disputed",
        PaymentWithheld: "payment.withheld",
        PaymentRestored: "payment.restored",
        PaymentDeallocated: "payment.deallocated",
        DisputeOpened: "dispute.opened",
        DisputeUpdated: "dispute.updated",
        DebitReturned: "dispute.debit_returned",
        DisputeWon: "dispute.won",
        DisputeLost: "dispute.lost",
        DisputeWithdrawn: "dispute.withdrawn",
        DisputeReconsidered: "dispute.reconsidered",
        DisputeTookEffect: "dispute.took_effect",
        DisputeAwaitsPayment: "dispute.awaits_payment",
        RefundIntended: "refund.intended",
        RefundSucceeded: "refund.succeeded",
        RefundPending: "refund.pending",
        RefundResolved: "refund.resolved",
        RefundFailed: "refund.failed",
        RefundUnknown: "refund.unknown",
        RefundNotExecuted: "refund.not_executed",
        DunningPolicySet: "dunning.policy_set",
        DunningStarted: "dunning.started",
        DunningStepTaken: "dunning.step_taken",
        DunningReminderDue: "dunning.reminder_due",
        DunningPostponed: "dunning.postponed",
        DunningHeld: "dunning.held",
        DunningReleased: "dunning.released",
        DunningStopped: "dunning.stopped",
        DunningExhausted: "dunning.exhausted",
        BackupMethodChanged: "customer.backup_method_changed",
        SmallDebtsChanged: "customer.small_debts_changed",
        CollectionHeld: "customer.collection_held",
        CollectionReleased: "customer.collection_released",
        InvoiceLeftForLater: "invoice.left_for_later",
        InvoiceHeld: "invoice.held",
        InvoiceReleased: "invoice.released",
        PaymentPutOnBalance: "payment.put_on_balance",
        PaymentTakenOffBalance: "payment.taken_off_balance",
        BankLineImported: "bank_line.imported",
        BankLineBooked: "bank_line.booked",
        BankLineDismissed: "bank_line.dismissed",
        SubscriptionPaymentSet: "subscription.payment_set",
        RecordParked: "record.parked",
        RecordUnparked: "record.unparked",
        ReviewNeeded: "review.needed",
        ReviewClosed: "review.closed",
    }
)


@frozen
class Recorded:
    """An event as it was committed: about which record, its number among those, and when.

    The events of one record are numbered 1…n without a gap.
    """

    id: str
    tenant: str
    version: int
    kind: str
    subject: str
    sequence: int
    customer: str | None
    at: datetime
    body: Event

    @property
    def type(self) -> str:
        """The stored name of the event, such as `invoice.paid`."""
        return TAGS[type(self.body)]


EVENT = Kind(
    "event",
    Recorded,
    columns=(
        Column("subject", ColumnType.TEXT, lambda e: e.subject),
        Column("sequence", ColumnType.INTEGER, lambda e: e.sequence, indexed=False),
        Column("customer", ColumnType.TEXT, lambda e: e.customer),
        Column("type", ColumnType.TEXT, lambda e: TAGS[type(e.body)]),
        Column("at", ColumnType.INSTANT, lambda e: e.at, indexed=False),
    ),
)


def record(change: Change, *, at: datetime) -> list[Recorded]:
    """Return the events of a change as they are to be committed, numbered."""
    after = change.after
    before = after.version - len(change.events)
    recorded: list[Recorded] = []
    for sequence, body in enumerate(change.events, before + 1):
        customer = getattr(body, "customer", None)
        recorded.append(
            Recorded(
                # With the kind: a product and its price may well have one id, such as "pro".
                f"{change.kind.name}:{after.id}:{sequence}",
                after.tenant,
                1,
                change.kind.name,
                after.id,
                sequence,
                customer,
                at,
                body,  # type: ignore[arg-type]  # changes are typed loosely: they know no event
            )
        )
    return recorded


KINDS: tuple[AnyKind, ...] = (
    customers.CUSTOMER,
    balance.BALANCE_ENTRY,
    grants.GRANT,
    grants.GRANT_ENTRY,
    payment_methods.PAYMENT_METHOD,
    catalog.PRODUCT,
    catalog.PRICE,
    usage.METER,
    usage.USAGE,
    usage.LEVEL,
    coupons.COUPON,
    coupons.PROMOTION_CODE,
    coupons.REDEMPTION,
    lifecycle.SUBSCRIPTION,
    migrations.MIGRATION,
    invoices.INVOICE,
    credit_notes.CREDIT_NOTE,
    pending_items.PENDING_ITEM,
    pro_forma.PRO_FORMA,
    payments.PAYMENT,
    refunds.REFUND,
    disputes.DISPUTE,
    statements.BANK_LINE,
    inbox.INBOUND,
    review.REVIEW_ITEM,
    dunning.DUNNING_CASE,
    dunning.DUNNING_POLICY,
    NUMBER_SERIES,
    COMMAND,
    EVENT,
)
"""Every kind of record that a storage keeps."""
