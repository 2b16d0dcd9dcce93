"""Invoices: one-off ones, finalise, pay, void, write off, list, verify, and overdue ones."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from attrs import frozen

from subscriptions import invoices, pricing
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Decision
from subscriptions.errors import InvalidTransition, UnknownReference, ValidationError
from subscriptions.ids import InvoiceId
from subscriptions.invoices import (
    INVOICE,
    Charge,
    Draft,
    Invoice,
    LineKind,
    MarkUncollectible,
    MarkVoid,
    Open,
    Status,
)
from subscriptions.money import Money
from subscriptions.records import Ref, plain_text
from subscriptions.taxes import TaxBehavior
from subscriptions.usecases import collection, flows
from subscriptions.usecases.balance import returned
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    Listing,
    Maybe,
    Question,
    one_of,
    only,
)
from subscriptions.usecases.price_arguments import read_flag, read_several
from subscriptions.usecases.receivables import close_cases, open_case


@frozen
class OneOff:
    """A line of a one-off invoice: a text and an amount for each unit, net unless inclusive.

    The amount may be negative for a reduction; the invoice's total may not.
    """

    description: str
    amount: Money
    quantity: int | Decimal = 1
    tax_behavior: TaxBehavior = TaxBehavior.EXCLUSIVE


def create_one_off(
    customer: str,
    lines: Iterable[OneOff],
    *,
    finalize: bool = True,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Invoice]:
    """Invoice something once; the customer's default method is charged at once.

    With `finalize=False` it stays a draft without number until `finalize` is called.

    Raises `UnknownReference` for an unknown customer, `ValidationError` for no lines, for two
    currencies and for a negative total.
    """
    wanted = read_several("lines", lines)
    read_flag("finalize", finalize)
    charged = [_charge(line) for line in wanted]
    if not wanted:
        raise ValidationError("lines", (), "at least one line")
    currency = wanted[0].amount.currency
    for line in wanted:
        if line.amount.currency != currency:
            raise ValidationError("lines", str(line.amount), f"amounts in {currency}")

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        rate = context.taxes.rate_for(owner.country or None, context.today())
        method = yield from collection.method_of(owner, context)
        invoice = invoices.compose(
            InvoiceId(context.ids.fresh("inv")),
            owner,
            [
                Charge(
                    line.description,
                    amount_minor,
                    rate,
                    line.tax_behavior,
                    line.quantity,
                    line.amount.amount,
                    kind=LineKind.ONE_OFF,
                )
                for line, amount_minor in zip(wanted, charged, strict=True)
            ],
            currency=currency,
            seller=context.seller,
            automatic=method is not None,
        )
        about = Ref(INVOICE, invoice.id)
        if not finalize:
            return Decision((invoices.draft(invoice),), about=about)
        return collection.issue(invoice, owner, method, context)

    return Command(INVOICE, flow, at, idempotency_key)


def finalize(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Invoice]:
    """Make a draft final: it takes its number and is charged if there is a method.

    Raises `InvalidTransition` unless it is a draft.
    """

    def flow(context: Context) -> Flow[Decision]:
        invoice = yield from Get(INVOICE, id)
        if not isinstance(invoice.state, Draft):
            raise InvalidTransition(f"invoice {id}", invoice.status, "finalize")
        owner = yield from Get(CUSTOMER, invoice.customer)
        method = yield from collection.method_of(owner, context)
        ready = collection.composed_for(invoice, method, context)
        return collection.issue(ready, owner, method, context)

    return Command(INVOICE, flow, at, idempotency_key)


def pay(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Invoice]:
    """Charge the customer's default method for an open invoice now.

    Raises `InvalidTransition` if it is not open or an attempt is under way, `ValidationError` if
    the customer has no method that can be charged.
    """

    def flow(context: Context) -> Flow[Decision]:
        invoice = yield from Get(INVOICE, id)
        if not isinstance(invoice.state, Open) or invoice.collecting is not None:
            state = "collecting" if invoice.collecting is not None else invoice.status
            raise InvalidTransition(f"invoice {id}", state, "pay")
        owner = yield from Get(CUSTOMER, invoice.customer)
        method = yield from collection.method_of(owner, context)
        if method is None:
            raise ValidationError("customer", owner.id, "a customer with a chargeable method")
        changes = collection.collect(invoice, method, context)
        return Decision(changes, about=Ref(INVOICE, id))

    return Command(INVOICE, flow, at, idempotency_key)


def void(
    id: str, *, reason: str, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Invoice]:
    """Declare that an invoice should not have been; its number stays taken.

    What the customer's balance paid of it returns there.

    Raises `InvalidTransition` unless it is open or uncollectible, no payment was allocated to it,
    no credit note names it and no attempt is under way. Of what was paid, in part or in full,
    `credit_notes.create` takes off what should not have been.
    """

    def flow(context: Context) -> Flow[Decision]:
        invoice = yield from Get(INVOICE, id)
        decided = invoices.decide(invoice, MarkVoid(plain_text("reason", reason), context.at))
        closed = yield from close_cases(decided, reason="invoice void", context=context)
        if not invoice.balance_minor:
            return closed
        owner = yield from Get(CUSTOMER, invoice.customer)
        return returned(closed, owner, invoice, context)

    return Command(INVOICE, flow, at, idempotency_key)


def mark_uncollectible(
    id: str, *, reason: str, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Invoice]:
    """Give an open invoice up; it can still be paid. Raises `InvalidTransition` unless open."""

    def flow(context: Context) -> Flow[Decision]:
        invoice = yield from Get(INVOICE, id)
        command = MarkUncollectible(plain_text("reason", reason), context.at)
        decided = invoices.decide(invoice, command)
        return (yield from close_cases(decided, reason="invoice uncollectible", context=context))

    return Command(INVOICE, flow, at, idempotency_key)


def get(id: str) -> Question[Invoice]:
    """Return an invoice; raises `NotFound` if there is none with this id."""
    return flows.get(INVOICE, id)


def list_(
    *,
    customer: str | None = None,
    subscription: str | None = None,
    status: str | None = None,
    number: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Invoice]:
    """List invoices in the order they were made; each filter is an exact match."""
    status = one_of("status", status, Status)
    where = only(customer=customer, subscription=subscription, status=status, number=number)
    return Listing(INVOICE, where, limit=limit, after=after)


def advance(id: str, context: Context) -> Flow[Decision]:
    """Do what is due for one invoice: a draft becomes final, or its due day has passed."""
    invoice = yield from Get(INVOICE, id)
    due_at = invoice.due_at
    if due_at is None or due_at > context.at:
        return Decision()
    if isinstance(invoice.state, Draft):
        owner = yield from Get(CUSTOMER, invoice.customer)
        method = yield from collection.method_of(owner, context)
        ready = collection.composed_for(invoice, method, context)
        return collection.issue(ready, owner, method, context)
    return (yield from open_case(invoice, (), context=context))


def _charge(line: OneOff) -> int:
    given: object = line
    if not isinstance(given, OneOff):
        raise ValidationError("lines", given, "a OneOff, such as OneOff('Work', amount)")
    plain_text("description", line.description)
    if not isinstance(line.amount, Money):
        raise ValidationError("amount", line.amount, "a Money, such as Money.of('5.00', 'EUR')")
    magnitude = pricing.PerUnit(abs(line.amount).amount)
    amount_minor = pricing.amount_minor(magnitude, line.quantity, line.amount.currency.exponent)
    return amount_minor if line.amount.minor >= 0 else -amount_minor
