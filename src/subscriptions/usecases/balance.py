"""The balance of a customer: give, take, list, and let it move in what else is decided."""

from __future__ import annotations

from datetime import datetime

from subscriptions import balance
from subscriptions.balance import BALANCE_ENTRY, BalanceEntry, Cause
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Decision, in_turn, left_by
from subscriptions.errors import UnknownReference, ValidationError
from subscriptions.ids import InvoiceId, RefundId
from subscriptions.invoices import Invoice
from subscriptions.money import Money
from subscriptions.records import Ref, plain_text
from subscriptions.usecases.flows import Command, Context, Flow, Listing, Maybe, only


def adjust(
    customer: str,
    amount: Money,
    *,
    reason: str,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[BalanceEntry]:
    """Add to a customer's balance, or with a negative amount take from it; returns the entry.

    The balance pays for invoices that become final from now on, before anything is charged. What is
    open already stays as it is.

    Raises `UnknownReference` for an unknown customer, `ValidationError` for zero, for more than
    there is, and for an empty reason.
    """
    if not isinstance(amount, Money):
        raise ValidationError("amount", amount, "a Money, such as Money.of('5.00', 'EUR')")
    plain_text("reason", reason)

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        changes = balance.move(owner, amount, cause=Cause.ADJUSTMENT, at=context.at, reason=reason)
        _, entry = changes
        return Decision(changes, about=Ref(BALANCE_ENTRY, entry.after.id))

    return Command(BALANCE_ENTRY, flow, at, idempotency_key)


def entries(
    customer: str | None = None, *, limit: int = 100, after: str | None = None
) -> Listing[BalanceEntry]:
    """List every movement of a customer's balance, or of all balances, oldest first.

    `subscriptions.balance.unused` says which of a customer's credits are left.
    """
    return Listing(BALANCE_ENTRY, only(customer=customer), limit=limit, after=after)


def returned(decision: Decision, owner: Customer, invoice: Invoice, context: Context) -> Decision:
    """Let what the balance paid of an invoice return in a decision that makes it void."""
    paid = Money(invoice.balance_minor, invoice.currency)
    return moved(
        decision, owner, paid, cause=Cause.VOID_RETURNED, context=context, invoice=invoice.id
    )


def moved(
    decision: Decision,
    owner: Customer,
    amount: Money,
    *,
    cause: Cause,
    context: Context,
    invoice: InvoiceId | None = None,
    refund: RefundId | None = None,
) -> Decision:
    """Let a balance move in a decision, after whatever that decides about the customer already."""
    now = left_by(decision, owner)
    moves = balance.move(now, amount, cause=cause, at=context.at, invoice=invoice, refund=refund)
    return in_turn(decision, Decision(moves))
