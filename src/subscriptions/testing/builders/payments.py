"""Builders: payments, and what becomes of them or of what is not paid."""

from __future__ import annotations

from attrs import evolve

from subscriptions.disputes import Dispute, DisputeKind
from subscriptions.disputes import Opened as DisputeOpened
from subscriptions.dunning import DEFAULT_POLICY, DunningCase, StoredPolicy
from subscriptions.ids import (
    BankLineId,
    CustomerId,
    DisputeId,
    DunningCaseId,
    InvoiceId,
    PaymentId,
    PaymentMethodId,
    RefundId,
    SubscriptionId,
)
from subscriptions.money import EUR, Money
from subscriptions.payments import Allocation, Payment, Succeeded
from subscriptions.refunds import Refund
from subscriptions.refunds import Succeeded as RefundSucceeded
from subscriptions.statements import BankLine, Booked, StatementLine
from subscriptions.testing.builders.defaults import AT, TENANT, changed


def a_payment(id: str = "pay_ada", /, **changes: object) -> Payment:
    """Return a payment that succeeded and pays the invoice in full."""
    payment = Payment(
        PaymentId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        "card",
        3451,
        EUR,
        Succeeded(AT),
        AT,
        invoice=InvoiceId("inv_ada"),
        method=PaymentMethodId("pm_ada"),
        method_ref="card-pm_ada",
        reference=f"ch-{id}",
        allocations=(Allocation(InvoiceId("inv_ada"), 3451),),
    )
    return changed(payment, changes)


def a_refund(id: str = "ref_ada", /, **changes: object) -> Refund:
    """Return a refund of a part of the payment, which succeeded."""
    refund = Refund(
        RefundId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        PaymentId("pay_ada"),
        1,
        "card",
        "ch-pay_ada",
        1451,
        EUR,
        "a mistake",
        RefundSucceeded(AT),
        intended_at=AT,
        fresh_at=AT,
        keyed_at=AT,
        reference=f"re-{id}",
    )
    return changed(refund, changes)


def a_bank_line(id: str = "bkl_ada", /, **changes: object) -> BankLine:
    """Return a line of a statement that is recorded as the payment."""
    line = StatementLine(
        AT.date(),
        Money(3451, EUR),
        "Ada Lovelace",
        "DE02120300000000202051",
        "INV-2027-00001",
        bank_reference=f"2027-{id}",
    )
    record = BankLine(
        BankLineId(id),
        TENANT,
        2,
        "DE89370400440532013000",
        line,
        1,
        Booked(AT, PaymentId("pay_ada")),
        AT,
        CustomerId("cus_ada"),
    )
    return changed(record, changes)


def a_dispute(id: str = "dp_ada", /, **changes: object) -> Dispute:
    """Return a chargeback of the whole payment, which took the money and is under review."""
    dispute = Dispute(
        DisputeId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        PaymentId("pay_ada"),
        "card",
        f"at-the-gateway-{id}",
        DisputeKind.CHARGEBACK,
        3451,
        EUR,
        "fraudulent",
        DisputeOpened(),
        said_at=AT,
        noted_at=AT,
        funds_withdrawn=True,
    )
    return changed(dispute, changes)


def a_dunning_case(id: str = "dun_ada", /, **changes: object) -> DunningCase:
    """Return a case that has just begun to climb the default ladder."""
    case = DunningCase(
        DunningCaseId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        InvoiceId("inv_ada"),
        SubscriptionId("sub_ada"),
        DEFAULT_POLICY,
        AT,
    )
    return changed(case, changes)


def a_dunning_policy(id: str = "default", /, **changes: object) -> StoredPolicy:
    """Return the default policy as the host set it."""
    return changed(StoredPolicy(id, TENANT, 1, evolve(DEFAULT_POLICY, name=id)), changes)
