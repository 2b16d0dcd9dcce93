"""What each member of each union is called in storage: stated here, and never a class name."""

from __future__ import annotations

from subscriptions import (
    coupons,
    discounts,
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
    pricing,
    refunds,
    statements,
)
from subscriptions.events import TAGS, Event

# For each union: what each member is called in storage, for ever.
STATES: dict[object, dict[type, str]] = {
    pricing.PriceModel: {
        pricing.Flat: "flat",
        pricing.PerUnit: "per_unit",
        pricing.Graduated: "graduated",
        pricing.Volume: "volume",
        pricing.Stairstep: "stairstep",
        pricing.Package: "package",
        pricing.Percentage: "percentage",
        pricing.GraduatedPercentage: "graduated_percentage",
        pricing.FreeUnits: "free_units",
    },
    discounts.DiscountTerms: {
        discounts.PercentOff: "percent_off",
        discounts.AmountOff: "amount_off",
    },
    coupons.Duration: {
        coupons.Once: "once",
        coupons.Periods: "periods",
        coupons.Forever: "forever",
    },
    grants.GrantState: {
        grants.Pending: "pending",
        grants.Active: "active",
        grants.UsedUp: "used_up",
        grants.Expired: "expired",
        grants.Voided: "voided",
    },
    payment_methods.MethodState: {
        payment_methods.Usable: "usable",
        payment_methods.Refused: "refused",
        payment_methods.Held: "held",
        payment_methods.Detached: "detached",
    },
    lifecycle.Contract: {
        lifecycle.Scheduled: "scheduled",
        lifecycle.Incomplete: "incomplete",
        lifecycle.Trialing: "trialing",
        lifecycle.Active: "active",
        lifecycle.Ended: "ended",
    },
    lifecycle.Collection: {
        lifecycle.Current: "current",
        lifecycle.PastDue: "past_due",
        lifecycle.Unpaid: "unpaid",
    },
    invoices.InvoiceState: {
        invoices.Draft: "draft",
        invoices.Open: "open",
        invoices.Paid: "paid",
        invoices.Void: "void",
        invoices.Uncollectible: "uncollectible",
    },
    pending_items.ItemState: {
        pending_items.Waiting: "waiting",
        pending_items.Invoiced: "invoiced",
        pending_items.Withdrawn: "withdrawn",
    },
    statements.LineState: {
        statements.Waiting: "waiting",
        statements.Booked: "booked",
        statements.Dismissed: "dismissed",
        statements.Outgoing: "outgoing",
    },
    payments.PaymentState: {
        payments.Intended: "intended",
        payments.Unknown: "unknown",
        payments.ActionRequired: "requires_action",
        payments.Processing: "processing",
        payments.Authorized: "authorized",
        payments.Capturing: "capturing",
        payments.Succeeded: "succeeded",
        payments.Declined: "declined",
        payments.Voided: "void",
    },
    refunds.RefundState: {
        refunds.Intended: "intended",
        refunds.Unknown: "unknown",
        refunds.Pending: "pending",
        refunds.Succeeded: "succeeded",
        refunds.Failed: "failed",
    },
    inbox.InboundState: {
        inbox.Waiting: "waiting",
        inbox.Processed: "processed",
        inbox.Ignored: "ignored",
        inbox.Unmatched: "unmatched",
        inbox.Pruned: "pruned",
    },
    disputes.DisputeState: {
        disputes.Opened: "opened",
        disputes.Withdrawn: "withdrawn",
        disputes.Won: "won",
        disputes.Lost: "lost",
    },
    migrations.MigrationState: {
        migrations.Planning: "planning",
        migrations.InPlace: "planned",
        migrations.Undoing: "undoing",
        migrations.Undone: "undone",
    },
    dunning.CaseState: {
        dunning.Running: "running",
        dunning.Held: "held",
        dunning.Stopped: "stopped",
        dunning.Exhausted: "exhausted",
    },
    dunning.FinalAction: {
        dunning.CancelSubscription: "cancel_subscription",
        dunning.MarkUnpaid: "mark_unpaid",
        dunning.MarkUncollectible: "mark_uncollectible",
    },
    dunning.Action: {
        dunning.Retry: "retry",
        dunning.Reminder: "reminder",
        dunning.CancelSubscription: "cancel_subscription",
        dunning.MarkUnpaid: "mark_unpaid",
        dunning.MarkUncollectible: "mark_uncollectible",
    },
}
STATES[Event] = dict(TAGS)
