"""All events that can happen: the closed union, for hosts to match on, and how one is recorded.

Each event stands beside the decision that makes it; here they are assembled and given the names
under which they are stored for ever. An event is a fact in the past tense, holds ids and amounts,
and no personal data.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

from attrs import frozen

from subscriptions import (
    catalog,
    customers,
    dunning,
    invoices,
    lifecycle,
    payment_methods,
    payments,
)
from subscriptions.decisions import Change, RecordParked, RecordUnparked
from subscriptions.idempotency import COMMAND
from subscriptions.number_series import NUMBER_SERIES
from subscriptions.records import AnyKind, Column, ColumnType, Kind

Event: TypeAlias = (
    customers.CustomerCreated
    | customers.CustomerUpdated
    | customers.DefaultMethodChanged
    | payment_methods.PaymentMethodAttached
    | payment_methods.PaymentMethodRefused
    | payment_methods.PaymentMethodDetached
    | catalog.ProductAdded
    | catalog.PriceAdded
    | catalog.PriceArchived
    | lifecycle.SubscriptionCreated
    | lifecycle.TrialStarted
    | lifecycle.TrialEnded
    | lifecycle.SubscriptionStarted
    | lifecycle.SubscriptionRenewed
    | lifecycle.CancellationScheduled
    | lifecycle.CancellationWithdrawn
    | lifecycle.SubscriptionEnded
    | lifecycle.SubscriptionPastDue
    | lifecycle.SubscriptionRecovered
    | lifecycle.SubscriptionDebtWrittenOff
    | lifecycle.SubscriptionUnpaid
    | invoices.InvoiceDrafted
    | invoices.InvoiceFinalized
    | invoices.InvoicePaid
    | invoices.InvoicePartlyPaid
    | invoices.CollectionStarted
    | invoices.CollectionEnded
    | invoices.InvoiceOverdue
    | invoices.InvoiceDunningEnded
    | invoices.InvoiceVoided
    | invoices.InvoiceMarkedUncollectible
    | payments.PaymentIntended
    | payments.PaymentSucceeded
    | payments.PaymentFailed
    | payments.PaymentActionRequired
    | payments.PaymentProcessing
    | payments.PaymentOutcomeUnknown
    | payments.PaymentNotExecuted
    | payments.PaymentVoided
    | payments.PaymentWithdrawn
    | payments.PaymentAllocated
    | dunning.DunningPolicySet
    | dunning.DunningStarted
    | dunning.DunningStepTaken
    | dunning.DunningReminderDue
    | dunning.DunningPostponed
    | dunning.DunningHeld
    | dunning.DunningReleased
    | dunning.DunningStopped
    | dunning.DunningExhausted
    | RecordParked
    | RecordUnparked
)

# The stored names. A class may be renamed; its name here may not.
TAGS: MappingProxyType[type[Event], str] = MappingProxyType(
    {
        customers.CustomerCreated: "customer.created",
        customers.CustomerUpdated: "customer.updated",
        customers.DefaultMethodChanged: "customer.default_method_changed",
        payment_methods.PaymentMethodAttached: "payment_method.attached",
        payment_methods.PaymentMethodRefused: "payment_method.refused",
        payment_methods.PaymentMethodDetached: "payment_method.detached",
        catalog.ProductAdded: "product.added",
        catalog.PriceAdded: "price.added",
        catalog.PriceArchived: "price.archived",
        lifecycle.SubscriptionCreated: "subscription.created",
        lifecycle.TrialStarted: "subscription.trial_started",
        lifecycle.TrialEnded: "subscription.trial_ended",
        lifecycle.SubscriptionStarted: "subscription.started",
        lifecycle.SubscriptionRenewed: "subscription.renewed",
        lifecycle.CancellationScheduled: "subscription.cancellation_scheduled",
        lifecycle.CancellationWithdrawn: "subscription.cancellation_withdrawn",
        lifecycle.SubscriptionEnded: "subscription.ended",
        lifecycle.SubscriptionPastDue: "subscription.past_due",
        lifecycle.SubscriptionRecovered: "subscription.recovered",
        lifecycle.SubscriptionDebtWrittenOff: "subscription.debt_written_off",
        lifecycle.SubscriptionUnpaid: "subscription.unpaid",
        invoices.InvoiceDrafted: "invoice.drafted",
        invoices.InvoiceFinalized: "invoice.finalized",
        invoices.InvoicePaid: "invoice.paid",
        invoices.InvoicePartlyPaid: "invoice.partly_paid",
        invoices.CollectionStarted: "invoice.collection_started",
        invoices.CollectionEnded: "invoice.collection_ended",
        invoices.InvoiceOverdue: "invoice.overdue",
        invoices.InvoiceDunningEnded: "invoice.dunning_ended",
        invoices.InvoiceVoided: "invoice.voided",
        invoices.InvoiceMarkedUncollectible: "invoice.marked_uncollectible",
        payments.PaymentIntended: "payment.intended",
        payments.PaymentSucceeded: "payment.succeeded",
        payments.PaymentFailed: "payment.failed",
        payments.PaymentActionRequired: "payment.action_required",
        payments.PaymentProcessing: "payment.processing",
        payments.PaymentOutcomeUnknown: "payment.outcome_unknown",
        payments.PaymentNotExecuted: "payment.not_executed",
        payments.PaymentVoided: "payment.voided",
        payments.PaymentWithdrawn: "payment.withdrawn",
        payments.PaymentAllocated: "payment.allocated",
        dunning.DunningPolicySet: "dunning.policy_set",
        dunning.DunningStarted: "dunning.started",
        dunning.DunningStepTaken: "dunning.step_taken",
        dunning.DunningReminderDue: "dunning.reminder_due",
        dunning.DunningPostponed: "dunning.postponed",
        dunning.DunningHeld: "dunning.held",
        dunning.DunningReleased: "dunning.released",
        dunning.DunningStopped: "dunning.stopped",
        dunning.DunningExhausted: "dunning.exhausted",
        RecordParked: "record.parked",
        RecordUnparked: "record.unparked",
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
    payment_methods.PAYMENT_METHOD,
    catalog.PRODUCT,
    catalog.PRICE,
    lifecycle.SUBSCRIPTION,
    invoices.INVOICE,
    payments.PAYMENT,
    dunning.DUNNING_CASE,
    dunning.DUNNING_POLICY,
    NUMBER_SERIES,
    COMMAND,
    EVENT,
)
"""Every kind of record that a storage keeps."""
