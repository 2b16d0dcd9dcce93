"""What a payment pays: allocate money that waits, correct what was allocated wrongly, and list."""

from __future__ import annotations

from datetime import datetime

from subscriptions import customers, invoices, payments
from subscriptions.credit_notes import CREDIT_NOTE
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Decision
from subscriptions.errors import InvalidTransition, UnknownReference, ValidationError
from subscriptions.invoices import INVOICE, Invoice, TakeBack
from subscriptions.money import Money
from subscriptions.payments import PAYMENT, WAITS, AllocationRule, Payment, Succeeded
from subscriptions.records import Ref, evolve, plain_text
from subscriptions.usecases import collection, receiving
from subscriptions.usecases.flows import Command, Context, Flow, Get, Having, Listing, Maybe, only
from subscriptions.usecases.receiving import Target


def allocate(
    payment: str,
    to: Target = AllocationRule.OLDEST,
    *,
    text: str = "",
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Payment]:
    """Let money that waits on a payment pay invoices: as a rule says, or given amounts by invoice.

    What the payment put on the customer's balance may be used as well, as far as it is still there;
    it is taken off the balance then. The rules are "oldest", "newest", and "reference" for those
    that `text` names.

    Raises `UnknownReference` for an unknown payment or invoice, `InvalidTransition` for a payment
    that took no money, `ValidationError` for an invoice of another customer or currency, for one
    that is not owed, and for more than is there or than is owed.
    """
    wanted = receiving.read_target(to)
    plain_text("text", text, length_max=2000, empty=True)

    def flow(context: Context) -> Flow[Decision]:
        found = yield from _received(payment, "allocate")
        owner = yield from Get(CUSTOMER, found.customer)
        return (yield from receiving.allocated(found, owner, wanted, context, text=text))

    return Command(PAYMENT, flow, at, idempotency_key)


def deallocate(
    payment: str,
    invoice: str,
    amount: Money | None = None,
    *,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Payment]:
    """Take money back from an invoice that it was not meant for; it waits on the payment again.

    Without `amount` it is all that the payment pays of it. The invoice is owed again, and dunned
    once its day has passed; `allocate` then lets the money pay another one.

    Raises `UnknownReference` for an unknown payment or invoice, `ValidationError` for more than the
    payment pays of it, and for what credit notes gave back of what was paid; `InvalidTransition`
    for a payment that took no money, and for one that is disputed.
    """
    if amount is not None and not isinstance(amount, Money):
        raise ValidationError("amount", amount, "a Money, such as Money.of('5.00', 'EUR')")

    def flow(context: Context) -> Flow[Decision]:
        found = yield from _received(payment, "deallocate")
        if found.disputed_minor:
            raise InvalidTransition(f"payment {found.id}", "disputed", "deallocate")
        named = yield from Maybe(INVOICE, invoice)
        if named is None:
            raise UnknownReference("invoice", invoice)
        paid = sum([x.amount_minor for x in found.allocations if x.invoice == named.id])
        given_back = paid if amount is None else amount.minor
        if amount is not None and amount.currency != found.currency:
            raise ValidationError("amount", str(amount), f"an amount in {found.currency}")
        most = yield from _kept(named)
        if given_back > most:
            expected = f"at most {Money(most, named.currency)}: the rest was credited"
            raise ValidationError("amount", Money(given_back, named.currency), expected)
        freed = payments.deallocate(found, named.id, given_back)
        owner = yield from Get(CUSTOMER, named.customer)
        owed_minor = named.due_minor + given_back
        small = named.small and (yield from _too_small(named, owed_minor, owner, context))
        owed = invoices.decide(named, TakeBack(found.id, given_back, held=False, small=small))
        waits = None
        if small and named.id not in owner.small_debts:
            waits = customers.set_small_debts(owner, (*owner.small_debts, named.id))
        changes = (freed, owed) if waits is None else (freed, owed, waits)
        return Decision(changes, about=Ref(PAYMENT, found.id))

    return Command(PAYMENT, flow, at, idempotency_key)


def put_on_balance(
    payment: str,
    amount: Money | None = None,
    *,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Payment]:
    """Let money that waits on a payment go to the customer's balance, which pays the next invoice.

    Without `amount` it is all that waits. Raises `UnknownReference` for an unknown payment,
    `InvalidTransition` for one that took no money, `ValidationError` for more than waits.
    """
    if amount is not None and not isinstance(amount, Money):
        raise ValidationError("amount", amount, "a Money, such as Money.of('5.00', 'EUR')")

    def flow(context: Context) -> Flow[Decision]:
        found = yield from _received(payment, "put_on_balance")
        wanted = found.unallocated if amount is None else amount
        if wanted.currency != found.currency:
            raise ValidationError("amount", str(wanted), f"an amount in {found.currency}")
        owner = yield from Get(CUSTOMER, found.customer)
        put = payments.put_on_balance(found, wanted.minor)
        decision = receiving.on_balance(Decision((put,)), owner, found, wanted.minor, context)
        return evolve(decision, about=Ref(PAYMENT, found.id))

    return Command(PAYMENT, flow, at, idempotency_key)


def unallocated(
    *, customer: str | None = None, limit: int = 100, after: str | None = None
) -> Listing[Payment]:
    """List payments of which money waits: it pays nothing and is on no balance."""
    where = only(customer=customer, unallocated=WAITS)
    return Listing(PAYMENT, where, limit=limit, after=after)


def _received(id: str, wanted: str) -> Flow[Payment]:
    found = yield from Maybe(PAYMENT, id)
    if found is None:
        raise UnknownReference("payment", id)
    if not isinstance(found.state, Succeeded):
        raise InvalidTransition(f"payment {id}", found.status, wanted)
    return found


def _too_small(invoice: Invoice, owed_minor: int, owner: Customer, context: Context) -> Flow[bool]:
    """Return whether what is owed of an invoice is less than the gateway of its method charges."""
    method = yield from collection.method_for(invoice, owner, context)
    if method is None:
        return False
    return collection.is_small(owed_minor, invoice.currency, method.gateway, context)


def _kept(invoice: Invoice) -> Flow[int]:
    """Return how much of what payments paid was not given back by credit notes."""
    notes = yield from Having(CREDIT_NOTE, "invoice", invoice.id)
    given_back = sum([note.total_minor - note.division.open_minor for note in notes])
    other = max(0, invoice.balance_minor) + invoice.granted_minor
    return min(invoice.paid_minor, invoice.paid_minor + other - given_back)
