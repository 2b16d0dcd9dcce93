"""Examples: one event of every type, as it is recorded, and a command."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from subscriptions import (
    catalog,
    coupons,
    credit_notes,
    customers,
    disputes,
    dunning,
    events,
    grants,
    idempotency,
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
from subscriptions.billing_cycles import Period
from subscriptions.decisions import RecordParked, RecordUnparked
from subscriptions.ids import (
    CustomerId,
    GrantId,
    InvoiceId,
    MeterId,
    PriceId,
    ProductId,
    ProFormaId,
    RedemptionId,
)
from subscriptions.money import EUR, Money
from subscriptions.testing.builders import (
    AT,
    START,
    a_command,
    a_coupon,
    a_debit,
    a_migration,
    a_move,
    a_pending_credit,
    a_plan,
    an_event,
    an_item,
)
from subscriptions.testing.examples.example import (
    CASE,
    CODE,
    COUPON,
    CREDIT_NOTE,
    CUSTOMER,
    DISPUTE,
    DUE,
    GRANT,
    INVOICE,
    ITEM,
    LATER,
    LINE,
    METHOD,
    PAYMENT,
    REFUND,
    REVIEW,
    SUBSCRIPTION,
    Example,
)


def event_bodies() -> tuple[events.Event, ...]:
    """Return one event of every type, in the order of the union; some types more than once."""
    period = Period(START, date(2027, 2, 28))
    return (
        customers.CustomerCreated(CUSTOMER, "C-cus_ada"),
        customers.CustomerUpdated(CUSTOMER, ("email", "name")),
        customers.DefaultMethodChanged(CUSTOMER, METHOD),
        customers.BackupMethodChanged(CUSTOMER, METHOD),
        customers.SmallDebtsChanged(CUSTOMER, (INVOICE,)),
        customers.CollectionHeld(CUSTOMER, "another amount", PAYMENT),
        customers.CollectionReleased(CUSTOMER, held=True, in_doubt=PAYMENT),
        customers.BalanceMoved(CUSTOMER, Money(-500, EUR), DUE, "applied", INVOICE),
        grants.GrantCreated(GRANT, CUSTOMER, DUE, "paid", GrantId("grn_before")),
        grants.GrantBegan(GRANT, CUSTOMER),
        grants.GrantApplied(GRANT, CUSTOMER, INVOICE, Money(500, EUR), DUE),
        grants.GrantReturned(GRANT, CUSTOMER, INVOICE, Money(500, EUR), DUE),
        grants.GrantExpired(GRANT, CUSTOMER, DUE),
        grants.GrantRolledOver(GRANT, CUSTOMER, GrantId("grn_next"), DUE),
        grants.GrantVoided(GRANT, CUSTOMER, DUE, "given by mistake"),
        customers.TaxIdCheckPlanned(CUSTOMER, LATER),
        customers.TaxIdVerified(CUSTOMER, AT, "WAPIAAAAW1"),
        customers.TaxIdRejected(CUSTOMER, AT, "WAPIAAAAW2"),
        customers.TaxIdUnverified(CUSTOMER, LATER, "MS_UNAVAILABLE", 2, AT),
        payment_methods.PaymentMethodAttached(CUSTOMER, METHOD, "card"),
        payment_methods.PaymentMethodRefused(CUSTOMER, METHOD, "stolen_card"),
        payment_methods.PaymentMethodHeld(CUSTOMER, METHOD, DISPUTE),
        payment_methods.PaymentMethodReleased(CUSTOMER, METHOD, DISPUTE, usable=True),
        payment_methods.PaymentMethodDetached(CUSTOMER, METHOD),
        catalog.ProductAdded(ProductId("prod_pro"), "Pro"),
        catalog.ProductArchived(ProductId("prod_pro")),
        catalog.PriceAdded(ProductId("prod_pro"), PriceId("price_pro")),
        catalog.PriceVersioned(
            ProductId("prod_pro"), PriceId("price_pro"), PriceId("price_pro_2"), START
        ),
        catalog.PriceOverridden(
            ProductId("prod_pro"), PriceId("price_ada"), PriceId("price_pro"), CUSTOMER
        ),
        usage.MeterAdded(MeterId("api_calls"), "API calls"),
        catalog.PriceArchived(ProductId("prod_pro"), PriceId("price_pro")),
        coupons.CouponCreated(COUPON, "Welcome"),
        coupons.CouponRedeemed(COUPON, CUSTOMER, SUBSCRIPTION, RedemptionId("red_ada"), CODE),
        coupons.CouponArchived(COUPON),
        coupons.PromotionCodeCreated(CODE, COUPON, "WELCOME", None),
        coupons.PromotionCodeRedeemed(CODE, COUPON, RedemptionId("red_ada")),
        coupons.PromotionCodeDeactivated(CODE, COUPON),
        migrations.MigrationStarted(
            a_migration().id, PriceId("price_pro"), PriceId("price_pro_2"), date(2027, 6, 1)
        ),
        migrations.MigrationProgressed(a_migration().id, 3, 2),
        migrations.MigrationPlanned(
            a_migration().id, PriceId("price_pro"), PriceId("price_pro_2"), date(2027, 6, 1), 3
        ),
        migrations.MigrationUndoStarted(a_migration().id),
        migrations.MigrationUndone(
            a_migration().id, PriceId("price_pro"), PriceId("price_pro_2"), 2, 1
        ),
        lifecycle.SubscriptionCreated(SUBSCRIPTION, CUSTOMER, START),
        lifecycle.TrialStarted(SUBSCRIPTION, CUSTOMER, START),
        lifecycle.TrialEnded(SUBSCRIPTION, CUSTOMER, START),
        lifecycle.SubscriptionStarted(SUBSCRIPTION, CUSTOMER, START),
        lifecycle.TrialEndMoved(SUBSCRIPTION, CUSTOMER, START),
        lifecycle.SubscriptionRenewed(
            SUBSCRIPTION, CUSTOMER, (1,), (period,), (2900,), INVOICE, (a_debit(),), (COUPON,), 1
        ),
        lifecycle.PeriodsSkipped(SUBSCRIPTION, CUSTOMER, (1,), START),
        lifecycle.UsageBilled(SUBSCRIPTION, CUSTOMER, (1,), (DUE,), INVOICE),
        lifecycle.UsageCheckScheduled(SUBSCRIPTION, CUSTOMER, AT),
        lifecycle.SubscriptionChanged(
            SUBSCRIPTION,
            CUSTOMER,
            AT,
            (an_item(number=2),),
            (a_debit(),),
            (a_pending_credit(),),
            "migration",
            INVOICE,
            planned=True,
            first_line=3,
            places=(lifecycle.Place(2, (), an_item(number=2)),),
        ),
        lifecycle.ChangeScheduled(SUBSCRIPTION, CUSTOMER, a_plan()),
        lifecycle.PlannedChangeAnnounced(SUBSCRIPTION, CUSTOMER, a_move(), DUE, None),
        lifecycle.ScheduledChangesWithdrawn(SUBSCRIPTION, CUSTOMER, None),
        lifecycle.CouponApplied(SUBSCRIPTION, CUSTOMER, a_coupon().applied("WELCOME")),
        lifecycle.CouponRemoved(SUBSCRIPTION, CUSTOMER, COUPON),
        lifecycle.FirstPaymentAwaited(SUBSCRIPTION, CUSTOMER, INVOICE, LATER),
        lifecycle.SubscriptionActivated(SUBSCRIPTION, CUSTOMER),
        lifecycle.SubscriptionPaused(
            SUBSCRIPTION, CUSTOMER, lifecycle.Pause(START, resume_on=date(2027, 6, 1))
        ),
        lifecycle.SubscriptionResumed(SUBSCRIPTION, CUSTOMER, START),
        lifecycle.SubscriptionReactivated(SUBSCRIPTION, CUSTOMER, (an_item(),), START),
        lifecycle.SubscriptionTransferred(SUBSCRIPTION, CUSTOMER, CustomerId("cus_bob"), "UTC"),
        lifecycle.EndSet(SUBSCRIPTION, CUSTOMER, date(2028, 1, 31)),
        lifecycle.CatchUpSet(SUBSCRIPTION, CUSTOMER, lifecycle.CatchUp.TOGETHER, 12),
        lifecycle.SurveyAnswered(SUBSCRIPTION, CUSTOMER, "too dear", "I found another one."),
        lifecycle.CancellationScheduled(SUBSCRIPTION, CUSTOMER, START, "too dear"),
        lifecycle.CancellationWithdrawn(SUBSCRIPTION, CUSTOMER),
        lifecycle.SubscriptionEnded(SUBSCRIPTION, CUSTOMER, AT, lifecycle.EndReason.CANCELED),
        lifecycle.SubscriptionPastDue(SUBSCRIPTION, CUSTOMER, INVOICE),
        lifecycle.SubscriptionRecovered(SUBSCRIPTION, CUSTOMER, INVOICE, 1),
        lifecycle.SubscriptionDebtWrittenOff(SUBSCRIPTION, CUSTOMER, INVOICE, 0),
        lifecycle.SubscriptionUnpaid(SUBSCRIPTION, CUSTOMER),
        invoices.InvoiceDrafted(INVOICE, CUSTOMER, DUE),
        invoices.InvoiceFinalized(INVOICE, CUSTOMER, SUBSCRIPTION, "INV-1", DUE, START),
        invoices.InvoicePaid(INVOICE, CUSTOMER, SUBSCRIPTION, "INV-1", DUE),
        invoices.InvoicePartlyPaid(INVOICE, CUSTOMER, Money(1, EUR), Money(3450, EUR)),
        invoices.InvoiceReopened(INVOICE, CUSTOMER, SUBSCRIPTION, PAYMENT, DUE, DUE),
        invoices.InvoiceDisputeEnded(INVOICE, CUSTOMER, PAYMENT),
        invoices.CollectionStarted(INVOICE, CUSTOMER, PAYMENT),
        invoices.CollectionEnded(INVOICE, CUSTOMER, PAYMENT),
        invoices.AttemptCounted(INVOICE, CUSTOMER, PAYMENT, 3),
        invoices.InvoiceOverdue(INVOICE, CUSTOMER, SUBSCRIPTION, DUE),
        invoices.InvoiceDunningEnded(INVOICE, CUSTOMER),
        invoices.InvoiceVoided(INVOICE, CUSTOMER, "a mistake"),
        invoices.InvoiceReplaced(INVOICE, CUSTOMER, InvoiceId("inv_2")),
        invoices.InvoiceSent(INVOICE, CUSTOMER, 2),
        invoices.InvoiceTaxPending(INVOICE, CUSTOMER, "ConnectionError", 3),
        pending_items.PendingItemAdded(ITEM, CUSTOMER, SUBSCRIPTION, DUE),
        pending_items.PendingItemInvoiced(ITEM, CUSTOMER, INVOICE),
        pending_items.PendingItemWithdrawn(ITEM, CUSTOMER),
        pro_forma.ProFormaMade(ProFormaId("pf_ada"), CUSTOMER, None, DUE),
        invoices.InvoiceCredited(INVOICE, CUSTOMER, CREDIT_NOTE, DUE, DUE),
        credit_notes.CreditNoteIssued(CREDIT_NOTE, CUSTOMER, INVOICE, "CN-1", DUE),
        invoices.InvoiceMarkedUncollectible(INVOICE, CUSTOMER, DUE, "insolvent"),
        payments.PaymentIntended(PAYMENT, CUSTOMER, INVOICE, DUE),
        payments.PaymentSucceeded(PAYMENT, CUSTOMER, None, DUE),
        payments.PaymentFailed(PAYMENT, CUSTOMER, INVOICE, DUE, "51", hard=False),
        payments.PaymentAuthorized(PAYMENT, CUSTOMER, INVOICE, DUE, LATER),
        payments.PaymentCaptureIntended(PAYMENT, CUSTOMER, INVOICE, DUE),
        payments.PaymentCaptureFailed(PAYMENT, CUSTOMER, INVOICE, DUE, "processor_error"),
        payments.PaymentRestReleased(PAYMENT, CUSTOMER, DUE),
        payments.PaymentActionRequired(PAYMENT, CUSTOMER, INVOICE, "https://bank.example/3ds"),
        payments.PaymentProcessing(PAYMENT, CUSTOMER, INVOICE),
        payments.PaymentOutcomeUnknown(PAYMENT, CUSTOMER, INVOICE, 1, LATER),
        payments.PaymentNotExecuted(PAYMENT, CUSTOMER, INVOICE, 1, LATER),
        payments.PaymentWithdrawn(PAYMENT, CUSTOMER, INVOICE),
        payments.PaymentAdopted(PAYMENT, CUSTOMER, INVOICE, DUE, "card"),
        payments.PaymentQuarantined(
            PAYMENT, CUSTOMER, INVOICE, DUE, Money(3452, EUR), "succeeded", "ch_1"
        ),
        payments.PaymentResolved(PAYMENT, CUSTOMER, INVOICE, "succeeded", "seen at the gateway"),
        payments.PaymentVoided(PAYMENT, CUSTOMER, INVOICE, "never executed"),
        payments.PaymentAllocated(PAYMENT, CUSTOMER, INVOICE, DUE),
        payments.PaymentDeallocated(PAYMENT, CUSTOMER, INVOICE, DUE),
        payments.PaymentPutOnBalance(PAYMENT, CUSTOMER, DUE),
        payments.PaymentTakenOffBalance(PAYMENT, CUSTOMER, DUE),
        lifecycle.SubscriptionPaymentSet(
            SUBSCRIPTION, CUSTOMER, METHOD, customers.CollectionMethod.SEND_INVOICE
        ),
        statements.BankLineImported(LINE, DUE, "waiting"),
        statements.BankLineBooked(LINE, CUSTOMER, PAYMENT, by_hand=True),
        statements.BankLineDismissed(LINE, "rent"),
        invoices.InvoiceLeftForLater(INVOICE, CUSTOMER, DUE),
        invoices.InvoiceHeld(INVOICE, CUSTOMER, DUE),
        invoices.InvoiceReleased(INVOICE, CUSTOMER),
        payments.PaymentRefundReserved(PAYMENT, CUSTOMER, REFUND, DUE),
        payments.PaymentRefunded(PAYMENT, CUSTOMER, REFUND, DUE),
        payments.PaymentRefundReleased(PAYMENT, CUSTOMER, REFUND, DUE),
        payments.PaymentDisputed(PAYMENT, CUSTOMER, DISPUTE, DUE),
        payments.PaymentWithheld(PAYMENT, CUSTOMER, DUE),
        payments.PaymentRestored(PAYMENT, CUSTOMER, DUE),
        disputes.DisputeOpened(
            DISPUTE,
            CUSTOMER,
            PAYMENT,
            disputes.DisputeKind.CHARGEBACK,
            DUE,
            "fraudulent",
            LATER,
            funds_withdrawn=True,
        ),
        disputes.DisputeUpdated(
            DISPUTE,
            CUSTOMER,
            PAYMENT,
            disputes.DisputeKind.INQUIRY,
            DUE,
            "general",
            None,
            funds_withdrawn=False,
        ),
        disputes.DebitReturned(DISPUTE, CUSTOMER, PAYMENT, DUE, "AM04"),
        disputes.DisputeWon(DISPUTE, CUSTOMER, PAYMENT, DUE),
        disputes.DisputeLost(DISPUTE, CUSTOMER, PAYMENT, DUE),
        disputes.DisputeWithdrawn(DISPUTE, CUSTOMER, PAYMENT, DUE),
        disputes.DisputeReconsidered(DISPUTE, CUSTOMER, PAYMENT),
        disputes.DisputeTookEffect(DISPUTE, CUSTOMER, PAYMENT, DUE),
        disputes.DisputeAwaitsPayment(DISPUTE, CUSTOMER, PAYMENT),
        refunds.RefundIntended(REFUND, CUSTOMER, PAYMENT, DUE),
        refunds.RefundSucceeded(REFUND, CUSTOMER, PAYMENT, DUE),
        refunds.RefundPending(REFUND, CUSTOMER, PAYMENT),
        refunds.RefundResolved(REFUND, CUSTOMER, PAYMENT, "succeeded", "seen in the dashboard"),
        refunds.RefundFailed(REFUND, CUSTOMER, PAYMENT, DUE, "account_closed"),
        refunds.RefundUnknown(REFUND, CUSTOMER, PAYMENT, 1, LATER),
        refunds.RefundNotExecuted(REFUND, CUSTOMER, PAYMENT, 1, LATER),
        dunning.DunningPolicySet("default"),
        dunning.DunningStarted(CASE, CUSTOMER, INVOICE, "default"),
        dunning.DunningStepTaken(CASE, CUSTOMER, INVOICE, 0, dunning.Reminder(0)),
        dunning.DunningStepTaken(CASE, CUSTOMER, INVOICE, 1, dunning.Retry(), "no method"),
        dunning.DunningStepTaken(CASE, CUSTOMER, INVOICE, 2, dunning.CancelSubscription()),
        dunning.DunningStepTaken(CASE, CUSTOMER, INVOICE, 3, dunning.MarkUnpaid()),
        dunning.DunningStepTaken(CASE, CUSTOMER, INVOICE, 4, dunning.MarkUncollectible()),
        dunning.DunningReminderDue(CASE, CUSTOMER, INVOICE, 1),
        dunning.DunningPostponed(CASE, CUSTOMER, LATER),
        dunning.DunningHeld(CASE, CUSTOMER, "asked for time", None),
        dunning.DunningReleased(CASE, CUSTOMER),
        dunning.DunningStopped(CASE, CUSTOMER, INVOICE, "paid"),
        dunning.DunningExhausted(CASE, CUSTOMER, INVOICE),
        review.ReviewNeeded(REVIEW, review.Matter.PARKED, "payment", PAYMENT, CUSTOMER),
        review.ReviewClosed(REVIEW, None, "found"),
        RecordParked("subscription", "sub_ada", "PriceGone: price_pro"),
        RecordUnparked("subscription", "sub_ada"),
    )


def of_events() -> Iterator[Example]:
    """Yield examples of recorded events."""
    for place, body in enumerate(event_bodies(), 1):
        kind, _, subject = events.TAGS[type(body)].partition(".")
        recorded = an_event(
            id=f"{kind}:subject:{place}",
            kind=kind,
            subject="subject",
            sequence=place,
            customer=getattr(body, "customer", None),
            at=AT + timedelta(microseconds=place),
            body=body,
        )
        name = f"event.{kind}.{subject}"
        if isinstance(body, dunning.DunningStepTaken):
            name += f".{body.step}"
        yield Example(name, events.EVENT, recorded)


def of_commands() -> Iterator[Example]:
    """Yield examples of commands."""
    yield Example("command", idempotency.COMMAND, a_command())
    reported = a_command("july", command="webhooks.prune", kind="", answer="", report='{"rows":3}')
    yield Example("command.report", idempotency.COMMAND, reported)
