"""Examples: payments, refunds, disputes, bank lines and dunning."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from subscriptions import disputes, dunning, payments, refunds, statements
from subscriptions.ids import InvoiceId
from subscriptions.money import EUR, JPY, Money
from subscriptions.testing.builders import (
    AT,
    START,
    a_bank_line,
    a_dispute,
    a_dunning_case,
    a_dunning_policy,
    a_payment,
    a_refund,
)
from subscriptions.testing.examples.example import INVOICE, LATER, PAYMENT, Example


def of_payments() -> Iterator[Example]:
    """Yield examples of payments."""
    states: dict[str, payments.PaymentState] = {
        "intended": payments.Intended(LATER, 2),
        "unknown": payments.Unknown(AT, LATER, 3),
        "requires_action": payments.ActionRequired("https://bank.example/3ds", LATER),
        "processing": payments.Processing(AT, LATER),
        "succeeded": payments.Succeeded(AT),
        "void": payments.Voided(LATER, "never executed"),
        "authorized": payments.Authorized(AT, LATER),
        "capturing": payments.Capturing(
            payments.Authorized(AT, LATER), 1200, AT, AT, LATER, LATER, 2, INVOICE
        ),
    }
    for name, state in states.items():
        payment = a_payment(f"pay_{name}", state=state, allocations=())
        if isinstance(state, payments.Authorized | payments.Capturing):
            payment = evolve(payment, authorization=payments.Authorization(3451, 1))
        yield Example(f"payment.{name}", payments.PAYMENT, payment)
    for advice in payments.Advice:
        decline = payments.Decline("05", "do not honour", advice)
        hard = advice is payments.Advice.RETRY_NEVER
        state = payments.Declined(LATER, decline, hard)
        payment = a_payment(f"pay_declined_{advice.value}", state=state, allocations=())
        yield Example(f"payment.declined.{advice.value}", payments.PAYMENT, payment)
    parts = (payments.Allocation(INVOICE, 451), payments.Allocation(InvoiceId("inv_2"), 3000))
    received = a_payment(
        "pay_received",
        gateway="transfer",
        invoice=None,
        method=None,
        method_ref="",
        reference=None,
        allocations=parts,
    )
    yield Example("payment.received", payments.PAYMENT, received)
    parked = a_payment("pay_parked", parked="another amount", allocations=())
    together = a_payment(
        "pay_together",
        also=(payments.Allocation(InvoiceId("inv_small"), 20),),
        allocations=(payments.Allocation(INVOICE, 451),),
        balanced_minor=500,
    )
    yield Example("payment.together", payments.PAYMENT, together)
    yield Example("payment.parked", payments.PAYMENT, parked)
    resolved = a_payment("pay_resolved", resolved=True)
    yield Example("payment.resolved", payments.PAYMENT, resolved)
    held = payments.Authorization(5000, 2, payments.Release(LATER, LATER, 1))
    captured = a_payment("pay_captured", authorization=held)
    yield Example("payment.captured", payments.PAYMENT, captured)
    given_back = a_payment("pay_refunded", refunds=3, refunding_minor=1451, refunded_minor=2000)
    yield Example("payment.refunded", payments.PAYMENT, given_back)
    disputed = a_payment(
        "pay_disputed",
        disputes=2,
        disputed_minor=1500,
        allocations=(payments.Allocation(INVOICE, 1951),),
        withheld=(payments.Allocation(INVOICE, 1500),),
        unbalanced_minor=1,
    )
    yield Example("payment.disputed", payments.PAYMENT, disputed)


def of_refunds() -> Iterator[Example]:
    """Yield examples of refunds."""
    states: dict[str, refunds.RefundState] = {
        "intended": refunds.Intended(LATER, 2),
        "unknown": refunds.Unknown(AT, LATER, 3),
        "pending": refunds.Pending(AT, LATER),
        "succeeded": refunds.Succeeded(AT),
        "failed": refunds.Failed(LATER, refunds.RefundFailure("account_closed", "Closed")),
    }
    for name, state in states.items():
        refund = a_refund(f"ref_{name}", state=state)
        yield Example(f"refund.{name}", refunds.REFUND, refund)
    settled = a_refund(
        "ref_settled", invoice=INVOICE, from_balance=True, charge_ref=None, reference=None
    )
    yield Example("refund.from_balance", refunds.REFUND, settled)
    surplus = a_refund("ref_surplus", off_balance_minor=300)
    yield Example("refund.off_balance", refunds.REFUND, surplus)
    parked = a_refund("ref_parked", parked="another amount", state=refunds.Intended(AT))
    yield Example("refund.parked", refunds.REFUND, parked)


def of_disputes() -> Iterator[Example]:
    """Yield examples of disputes."""
    states: dict[str, disputes.DisputeState] = {
        "opened": disputes.Opened(LATER),
        "withdrawn": disputes.Withdrawn(LATER),
        "won": disputes.Won(LATER),
        "lost": disputes.Lost(LATER),
    }
    for name, state in states.items():
        yield Example(f"dispute.{name}", disputes.DISPUTE, a_dispute(f"dp_{name}", state=state))
    for reopen in disputes.Reopen:
        policy = disputes.DisputePolicy(reopen, hold_method=False)
        given = a_dispute(f"dp_{reopen}", policy=policy, apply_at=LATER)
        yield Example(f"dispute.{reopen}", disputes.DISPUTE, given)
    for kind in disputes.DisputeKind:
        given = a_dispute(f"dp_{kind}", kind=kind, fee=Money(1500, EUR), invoices=(INVOICE,))
        yield Example(f"dispute.{kind}", disputes.DISPUTE, given)
    parked = a_dispute("dp_parked", parked="another amount", apply_at=LATER)
    yield Example("dispute.parked", disputes.DISPUTE, parked)


def of_bank_lines() -> Iterator[Example]:
    """Yield examples of lines of bank statements."""
    states: dict[str, statements.LineState] = {
        "waiting": statements.Waiting(),
        "booked_by_hand": statements.Booked(LATER, PAYMENT, by_hand=True),
        "dismissed": statements.Dismissed(LATER, "rent"),
        "outgoing": statements.Outgoing(),
    }
    yield Example("bank_line.booked", statements.BANK_LINE, a_bank_line())
    for name, state in states.items():
        line = a_bank_line(f"bkl_{name}", state=state, customer=None, ordinal=2)
        yield Example(f"bank_line.{name}", statements.BANK_LINE, line)
    bare = statements.StatementLine(START, Money(-1, JPY))
    line = a_bank_line("bkl_bare", line=bare, state=statements.Outgoing(), customer=None)
    yield Example("bank_line.bare", statements.BANK_LINE, line)


def of_dunning() -> Iterator[Example]:
    """Yield examples of dunning cases and policies."""
    states: dict[str, dunning.CaseState] = {
        "running": dunning.Running(),
        "held": dunning.Held("asked for time", AT, LATER),
        "held_without_end": dunning.Held("in court", AT),
        "held_with_customer": dunning.Held("nothing is collected", AT, with_customer=True),
        "stopped": dunning.Stopped(LATER, "paid"),
        "exhausted": dunning.Exhausted(LATER),
    }
    for name, state in states.items():
        case = a_dunning_case(f"dun_{name}", state=state, next_step=2)
        yield Example(f"dunning_case.{name}", dunning.DUNNING_CASE, case)
    waiting = a_dunning_case("dun_waiting", wait_until=LATER, subscription=None, parked="bug")
    yield Example("dunning_case.waiting", dunning.DUNNING_CASE, waiting)
    unpaid = dunning.DunningPolicy(
        retries=dunning.Retries.after_days(3),
        steps=(dunning.Reminder(1, level=9),),
        final=dunning.MarkUnpaid(),
        name="gentle",
        try_backup=False,
    )
    yield Example("dunning_policy", dunning.DUNNING_POLICY, a_dunning_policy())
    gentle = a_dunning_policy("gentle", policy=unpaid)
    yield Example("dunning_policy.gentle", dunning.DUNNING_POLICY, gentle)
