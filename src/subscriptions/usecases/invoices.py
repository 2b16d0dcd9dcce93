"""Invoices: one-off ones, finalise, pay, void, write off, list, verify, and overdue ones."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from subscriptions import invoices
from subscriptions.credit_notes import CREDIT_NOTE
from subscriptions.customers import (
    CUSTOMER,
    CollectionMethod,
    email_address,
    read_collection_method,
    read_terms_days,
)
from subscriptions.decisions import Decision, in_turn, join
from subscriptions.errors import InvalidTransition, UnknownReference, ValidationError
from subscriptions.ids import InvoiceId, derived_id
from subscriptions.invoices import (
    INVOICE,
    ChainBreak,
    Draft,
    Invoice,
    MarkUncollectible,
    MarkVoid,
    Open,
    Replace,
    Send,
    Status,
)
from subscriptions.money import Currency, Money
from subscriptions.pending_items import PENDING_ITEM
from subscriptions.records import Ref, evolve, plain_text
from subscriptions.usecases import collection, flows, one_off, retrying
from subscriptions.usecases.draft_lines import charges_of, with_more
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    Having,
    Listing,
    Maybe,
    Question,
    one_of,
    only,
)
from subscriptions.usecases.given_back import given_back_elsewhere
from subscriptions.usecases.grants import returned
from subscriptions.usecases.one_off import Asked
from subscriptions.usecases.pending_items import take
from subscriptions.usecases.price_arguments import read_flag
from subscriptions.usecases.receivables import close_cases, open_case


def create_one_off(
    customer: str,
    lines: Iterable[Asked],
    *,
    finalize: bool = True,
    collection_method: CollectionMethod | str | None = None,
    terms_days: int | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Invoice]:
    """Invoice something once; the customer's default method is charged at once.

    A line is a `OneOff`, or a price that is charged once: its id, or `(id, quantity)`. Of a price
    it is the version on offer today, or the customer's own.

    With `finalize=False` it stays a draft without number until `finalize` is called. With
    `collection_method="send_invoice"` (default: the customer's) nothing is charged though there may
    be a method: he has `terms_days` to pay by himself (default: his own, else the seller's).

    Raises `UnknownReference` for an unknown customer or price, `InvalidTransition` for a price that
    is not on offer, `ValidationError` for no lines, for a price that recurs, for two currencies,
    for a negative total, and for `terms_days` of an invoice that is charged.
    """
    asked = one_off.read_asked(lines)
    read_flag("finalize", finalize)
    chosen = None if collection_method is None else read_collection_method(collection_method)
    if terms_days is not None:
        read_terms_days(terms_days)

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        sent = chosen is CollectionMethod.SEND_INVOICE
        if chosen is None:
            sent = collection.is_sent(owner)
        method = None
        if not sent:
            method = yield from collection.chargeable(owner, context)
        if terms_days is not None and method is not None:
            raise ValidationError("terms_days", terms_days, "None: it is charged at once")
        charges, currency = yield from one_off.charges_asked(asked, owner, context)
        invoice = invoices.compose(
            InvoiceId(context.ids.fresh("inv")),
            owner,
            charges,
            currency=currency,
            seller=context.seller_of(owner),
            automatic=method is not None,
            rounding=context.rounding,
            sent=sent,
        )
        if terms_days is not None:
            invoice = evolve(invoice, terms_days=terms_days)
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
        return (yield from _final(invoice, context))

    return Command(INVOICE, flow, at, idempotency_key)


def pay(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Invoice]:
    """Charge the customer's way to pay for an open invoice now: its subscription's, or the default.

    That is also done for an invoice that was sent to be paid by himself.

    Raises `InvalidTransition` if it is not open or an attempt is under way, `CollectionOnHold` if
    nothing is charged to the customer now, `ValidationError` if he has no method that can be
    charged, or it is less than that charges, and `TooManyAttempts` if that was declined as often as
    the card networks allow.
    """

    def flow(context: Context) -> Flow[Decision]:
        invoice = yield from Get(INVOICE, id)
        if not isinstance(invoice.state, Open) or invoice.collecting is not None:
            state = "collecting" if invoice.collecting is not None else invoice.status
            raise InvalidTransition(f"invoice {id}", state, "pay")
        owner = yield from Get(CUSTOMER, invoice.customer)
        collection.refuse_on_hold(owner)
        payer = yield from collection.subscription_of(invoice)
        method = yield from collection.chargeable(owner, context, payer)
        if method is None:
            raise ValidationError("customer", owner.id, "a customer with a chargeable method")
        if collection.is_small(invoice.due_minor, invoice.currency, method.gateway, context):
            least = context.gateways[method.gateway].minimum_minor(invoice.currency)
            expected = f"at least {Money(least, invoice.currency)}, or it waits for the next charge"
            raise ValidationError("amount", invoice.amount_due, expected)
        refusal = yield from retrying.refused(invoice, method, context)
        if refusal is not None:
            raise refusal.error()
        changes = collection.collect(invoice, method, context)
        return Decision(changes, about=Ref(INVOICE, id))

    return Command(INVOICE, flow, at, idempotency_key)


def void(
    id: str, *, reason: str, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Invoice]:
    """Declare that an invoice should not have been; its number stays taken.

    What the customer's balance and his grants paid of it returns there. A draft never had a number,
    and this is how it is dropped: nothing is erased. What is for the same periods is not billed
    again by itself; `regenerate` makes a void invoice anew.

    Raises `InvalidTransition` unless it is open, uncollectible or a draft, no payment was allocated
    to it, no credit note names it, no change or end of a subscription gives back a part of it on
    another invoice, and no attempt is under way. Of what was paid, in part or in
    full, `credit_notes.create` takes off what should not have been.
    """

    def flow(context: Context) -> Flow[Decision]:
        invoice = yield from Get(INVOICE, id)
        decided = invoices.decide(invoice, MarkVoid(plain_text("reason", reason), context.at))
        if (yield from Having(CREDIT_NOTE, "invoice", invoice.id)):
            # What they gave back was paid then; both together would give it back twice.
            name = f"invoice {invoice.number or invoice.id}"
            raise InvalidTransition(name, invoice.status, "MarkVoid", "use credit_notes.create")
        if (yield from given_back_elsewhere(invoice)):
            # What was never owed cannot be given back; the rest of it can be credited.
            name = f"invoice {invoice.number or invoice.id}"
            hint = "a change gives back a part of it; use credit_notes.create for the rest"
            raise InvalidTransition(name, invoice.status, "MarkVoid", hint)
        closed = yield from close_cases(decided, reason="invoice void", context=context)
        if not invoice.balance_minor and not invoice.granted_minor:
            return closed
        owner = yield from Get(CUSTOMER, invoice.customer)
        return (yield from returned(closed, owner, invoice, context))

    return Command(INVOICE, flow, at, idempotency_key)


def regenerate(
    id: str,
    *,
    finalize: bool = True,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Invoice]:
    """Make a void invoice again, with the same lines and rates; returns the new one.

    It is of the seller, the customer and the terms of now, and names the void one in `replaces`,
    which names it in `replaced_by`. With `finalize=False` it stays a draft, to which lines can be
    added. It takes no pending items.

    Raises `NotFound` for an unknown invoice, `InvalidTransition` unless it is void, had a number,
    and was not made again yet.
    """
    read_flag("finalize", finalize)

    def flow(context: Context) -> Flow[Decision]:
        void = yield from Get(INVOICE, id)
        again = InvoiceId(derived_id("inv", context.tenant, void.id, "again"))
        replaced = Decision((invoices.decide(void, Replace(again)),))
        owner = yield from Get(CUSTOMER, void.customer)
        payer = yield from collection.subscription_of(void)
        method = yield from collection.method_of(owner, context, payer)
        if void.sent:
            method = None
        composed = invoices.compose(
            again,
            owner,
            charges_of(void),
            currency=void.currency,
            seller=context.seller_of(owner),
            automatic=method is not None,
            subscription=void.subscription,
            rounding=void.rounding,
            may_be_negative=True,
            activates=void.activates,
            sent=void.sent or collection.is_sent(owner, payer),
        )
        made = evolve(composed, replaces=void.id)
        about = Ref(INVOICE, again)
        if not finalize:
            return join(replaced, Decision((invoices.draft(made),)), about=about)
        return join(replaced, collection.issue(made, owner, method, context), about=about)

    return Command(INVOICE, flow, at, idempotency_key)


def add_lines(
    id: str,
    lines: Iterable[Asked],
    *,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Invoice]:
    """Add lines to a draft, after those that it has; amounts may be negative, to reduce it.

    They are given as `create_one_off` takes them. When it becomes final by itself does not move.

    Raises `InvalidTransition` unless it is a draft, and for a price that is not on offer,
    `UnknownReference` for an unknown price, `ValidationError` for another currency than its own,
    for every wrong value, and where the total of an invoice without subscription would be negative.
    """
    asked = one_off.read_asked(lines)

    def flow(context: Context) -> Flow[Decision]:
        invoice = yield from Get(INVOICE, id)
        if not isinstance(invoice.state, Draft):
            raise InvalidTransition(f"invoice {invoice.number or id}", invoice.status, "add_lines")
        owner = yield from Get(CUSTOMER, invoice.customer)
        more, currency = yield from one_off.charges_asked(asked, owner, context)
        if currency != invoice.currency:
            raise ValidationError("lines", currency, f"amounts in {invoice.currency}")
        ready = with_more(
            invoice, owner, more, context, may_be_negative=bool(invoice.subscriptions)
        )
        drafted = invoices.draft(ready, before=invoice, finalize_at=invoice.finalize_at)
        return Decision((drafted,), about=Ref(INVOICE, invoice.id))

    return Command(INVOICE, flow, at, idempotency_key)


def invoice_pending_items(
    customer: str,
    *,
    currency: str | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Invoice]:
    """Invoice all that waits for a customer now, also what waits for one of his subscriptions.

    Raises `UnknownReference` for an unknown customer, `ValidationError` if nothing waits for him,
    if it waits in several currencies and none is named, and for a negative total.
    """
    wanted = None if currency is None else Currency.of(currency)

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        waiting = yield from Having(PENDING_ITEM, "waits_for", owner.id)
        there = sorted({item.amount.currency.code for item in waiting})
        if not there:
            raise ValidationError("customer", customer, "a customer for whom something waits")
        chosen = Currency.of(there[0]) if wanted is None and len(there) == 1 else wanted
        if chosen is None or chosen.code not in there:
            raise ValidationError("currency", currency, f"one of {', '.join(there)}")
        id = InvoiceId(context.ids.fresh("inv"))
        taken = yield from take(owner, id, context, currency=chosen, subscriptions=None)
        method = yield from collection.method_of(owner, context)
        composed = invoices.compose(
            id,
            taken.owner,
            taken.charges,
            currency=chosen,
            seller=context.seller_of(owner),
            automatic=method is not None,
            rounding=context.rounding,
            sent=collection.is_sent(owner),
        )
        issued = collection.issue(composed, taken.owner, method, context)
        return evolve(in_turn(Decision(taken.changes), issued), about=issued.about)

    return Command(INVOICE, flow, at, idempotency_key)


def send(
    id: str,
    *,
    to: str | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Invoice]:
    """Ask for an invoice to be sent to the customer, or to another address, however often.

    Nothing is sent here: an `InvoiceSent` tells the host, who finds the address in the invoice's
    `sendings`, for events hold no personal data.

    Raises `InvalidTransition` for a draft and a void invoice, `ValidationError` for what is no
    e-mail address, and if the customer has none.
    """

    def flow(context: Context) -> Flow[Decision]:
        invoice = yield from Get(INVOICE, id)
        owner = yield from Get(CUSTOMER, invoice.customer)
        recipient = email_address("to", owner.email if to is None else to)
        decided = invoices.decide(invoice, Send(recipient, context.at))
        return Decision((decided,), about=Ref(INVOICE, invoice.id))

    return Command(INVOICE, flow, at, idempotency_key)


def verify(id: str) -> Question[tuple[ChainBreak, ...]]:
    """Check the seal of one invoice: return what does not hold, which is nothing for a draft.

    Whether it has its place among the others is seen only with them: by `verify` without an id.
    Raises `NotFound` if there is no invoice with this id.
    """

    def flow(_: Context) -> Flow[tuple[ChainBreak, ...]]:
        invoice = yield from Get(INVOICE, id)
        return () if invoice.number is None else tuple(invoices.verify_chain([invoice]))

    return Question(flow)


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
        return (yield from _final(invoice, context))
    if invoice.charge_at is not None:
        charged = yield from collection.charge_with_small(invoice, context)
        if charged is not None:
            return charged
    return (yield from open_case(invoice, (), context=context))


def _final(draft: Invoice, context: Context) -> Flow[Decision]:
    """Decide to make a draft final, with what waits for it and by whoever pays it now."""
    owner = yield from Get(CUSTOMER, draft.customer)
    payer = yield from collection.subscription_of(draft)
    sent = draft.sent or collection.is_sent(owner, payer)
    method = None if sent else (yield from collection.method_of(owner, context, payer))
    return (yield from collection.issue_draft(draft, owner, method, context, sent=sent))
