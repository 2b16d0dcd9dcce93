"""Payments: money that came in, answers of gateways, and attempts that never happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from subscriptions import customers, invoices, payment_methods, payments
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, Decision, in_turn, join, left_by
from subscriptions.dunning import DEFAULT_POLICY, DUNNING_POLICY
from subscriptions.errors import (
    CurrencyMismatch,
    InvalidTransition,
    UnknownReference,
    ValidationError,
)
from subscriptions.ids import InvoiceId, PaymentId
from subscriptions.invoices import (
    INVOICE,
    ApplyPayment,
    CountAttempt,
    EndCollection,
    Invoice,
    Open,
)
from subscriptions.money import Money
from subscriptions.payment_methods import PAYMENT_METHOD
from subscriptions.payments import (
    PAYMENT,
    STATUS,
    Allocation,
    AllocationRule,
    Authorized,
    Capturing,
    Declined,
    Intended,
    Payment,
    PaymentAllocated,
    PaymentSnapshot,
    Processing,
    Succeeded,
    Unknown,
    Voided,
)
from subscriptions.records import evolve, plain_text
from subscriptions.usecases import certainty, collection, flows, receiving, retrying
from subscriptions.usecases.disputes import reconsidered
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
from subscriptions.usecases.price_arguments import read_flag
from subscriptions.usecases.receivables import open_case
from subscriptions.usecases.receiving import Target


def record(
    customer: str,
    amount: Money,
    *,
    invoice: str | None = None,
    to: Target = AllocationRule.OLDEST,
    text: str = "",
    keep: bool = False,
    reference: str | None = None,
    gateway: str = "transfer",
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Payment]:
    """Record money that came in, and let it pay: the given invoice, or the oldest open ones.

    `to` names another rule ("newest", or "reference" for those that `text` names), or an amount for
    each invoice. `reference` is the bank's reference of the transfer, unique: the same one cannot
    be recorded twice.

    What is more than the customer owes goes to his balance, which pays the next invoice. With
    `keep`, and as long as he owes anything else, it stays on the payment as `unallocated`.

    Raises `UnknownReference` for an unknown customer or invoice, `ValidationError` for an amount
    that is not positive or of another currency than the invoice, for an invoice of another
    customer or one that is not owed, and for more than is there or than is owed; `Duplicate` for a
    known reference.
    """
    if not isinstance(amount, Money):
        raise ValidationError("amount", amount, "a Money, such as Money.of('5.00', 'EUR')")
    if reference is not None:
        plain_text("reference", reference)
    plain_text("text", text, length_max=2000, empty=True)
    read_flag("keep", keep)
    wanted = receiving.read_target(to)

    def flow(context: Context) -> Flow[Decision]:
        if gateway not in context.gateways:
            raise ValidationError("gateway", gateway, f"one of {', '.join(context.gateways)}")
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        target = wanted
        if invoice is not None:
            named = yield from receiving.owed_invoice(invoice, owner.id, amount.currency)
            target = {invoice: min(amount, named.amount_due)}
        return (
            yield from receiving.received(
                owner,
                amount,
                target,
                context,
                id=PaymentId(context.ids.fresh("pay")),
                gateway=gateway,
                reference=reference,
                text=text,
                keep=keep,
            )
        )

    return Command(PAYMENT, flow, at, idempotency_key)


def get(id: str) -> Question[Payment]:
    """Return a payment; raises `NotFound` if there is none with this id."""
    return flows.get(PAYMENT, id)


def list_(
    *,
    customer: str | None = None,
    invoice: str | None = None,
    status: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Payment]:
    """List payments, every attempt included, in the order they were made."""
    status = one_of("status", status, STATUS.values())
    where = only(customer=customer, invoice=invoice, status=status)
    return Listing(PAYMENT, where, limit=limit, after=after)


def settle(id: str, snapshot: PaymentSnapshot, context: Context) -> Flow[Decision]:
    """Decide what an answer of the gateway means for the payment, its invoice and its method."""
    payment = yield from Get(PAYMENT, id)
    try:
        change = payments.merge(payment, snapshot, at=context.at)
    except (CurrencyMismatch, ValidationError) as error:
        return (yield from certainty.quarantined(payment, snapshot, error, context))
    if change is None:
        if not payments.contradicts(payment, snapshot):
            return Decision()
        said = snapshot.outcome.value
        return Decision((yield from certainty.contradicted(PAYMENT, payment, said, context)))
    decision = yield from follow(change, context)
    return (yield from certainty.watched(payment, change, decision, context))


def follow(change: Change, context: Context, *first: CountAttempt) -> Flow[Decision]:
    """Decide what the change of a payment means for its invoice and its method.

    What is `first` happens to the invoice before all else.
    """
    after = change.after
    assert isinstance(after, Payment)
    decision = yield from _followed(change, after, context, first)
    if after.disputes and isinstance(after.state, Succeeded):
        return (yield from reconsidered(after, decision, context))
    return decision


def _followed(
    change: Change, after: Payment, context: Context, first: Sequence[CountAttempt]
) -> Flow[Decision]:
    if after.authorization is not None:
        return (yield from _held(change, after, context))
    match after.state:
        case Succeeded():
            return (yield from _succeeded(change, after, context, first))
        case Declined() | Voided():
            decision = yield from _brought_nothing(change, after, context, first)
            return (yield from _free_small(after, decision)) if after.also else decision
        case _ if first and after.invoice is not None:
            invoice = yield from Get(INVOICE, after.invoice)
            return Decision((change, invoices.decide(invoice, *first)))
        case _:
            return Decision((change,))


def absent(id: str, context: Context) -> Flow[Decision]:
    """Decide that an attempt is proven never to have happened: void it, and try anew."""
    payment = yield from Get(PAYMENT, id)
    if isinstance(payment.state, Processing):
        # It said that it was at work on it: nobody may guess what became of the money.
        raise InvalidTransition(f"payment {id}", payment.status, "gateway has never had it")
    if not isinstance(payment.state, Intended | Unknown):
        return Decision()
    void = payments.void(payment, reason="the gateway never had it", at=context.at)
    if payment.authorization is not None:
        return Decision((void,))
    if payment.invoice is None:
        return Decision()
    invoice = yield from Get(INVOICE, payment.invoice)
    changes = [void]
    ended = EndCollection(payment.id)
    if invoice.collecting == payment.id and isinstance(invoice.state, Open):
        changes += yield from _another_attempt(invoice, ended, context)
    elif invoice.collecting == payment.id:
        changes.append(invoices.decide(invoice, ended))
    decision = Decision(tuple(changes))
    if payment.also:
        decision = yield from _free_small(payment, decision)
    return (yield from certainty.watched(payment, void, decision, context))


def not_captured(id: str, context: Context) -> Flow[Decision]:
    """Decide that a capture is proven never to have happened: it is sent once more."""
    payment = yield from Get(PAYMENT, id)
    change = payments.renew_capture(payment, at=context.at, now=context.now)
    return Decision(() if change is None else (change,))


def _held(change: Change, payment: Payment, context: Context) -> Flow[Decision]:
    """Decide what follows for a payment that is authorised first: what was captured pays."""
    before = change.before
    assert isinstance(before, Payment)
    capture = before.state if isinstance(before.state, Capturing) else None
    if isinstance(payment.state, Succeeded) and not isinstance(before.state, Succeeded):
        target = payment.invoice if capture is None else capture.invoice
        return (yield from _captured(change, payment, target, context))
    if capture is not None and not isinstance(payment.state, Capturing):
        return (yield from _capture_failed(change, payment, capture.invoice, context))
    if isinstance(payment.state, Declined | Voided):
        return (yield from _brought_nothing(change, payment, context))
    return Decision((change,))


def _captured(
    change: Change, payment: Payment, target: InvoiceId | None, context: Context
) -> Flow[Decision]:
    """Let what was captured pay its invoice, or the oldest ones; the rest waits for one."""
    owed: Sequence[Invoice]
    if target is None:
        owed = yield from receiving.open_invoices(payment.customer, payment.currency)
    else:
        owed = [(yield from Get(INVOICE, target))]
    decision, _ = yield from _spent(change, payment, [(x, x.due_minor) for x in owed], context)
    return decision


def _spent(
    change: Change, payment: Payment, wanted: Sequence[tuple[Invoice, int]], context: Context
) -> Flow[tuple[Decision, list[Change]]]:
    """Let what came in pay invoices in turn; returns what became of them beside the decision."""
    payment, applied = receiving.pay_each(payment, wanted, context)
    events = (*change.events, *_allocations(payment))
    # `change` counts its own event.
    version = payment.version + len(events) - len(change.events)
    received = Change(change.kind, change.before, evolve(payment, version=version), events)
    settled = yield from receiving.settled(applied, context)
    return join(Decision((received,)), settled), applied


def _capture_failed(
    change: Change, payment: Payment, target: InvoiceId | None, context: Context
) -> Flow[Decision]:
    """End the collection by a capture; where nothing is held any more, dunning may begin."""
    if target is None:
        return Decision((change,))
    invoice = yield from Get(INVOICE, target)
    if invoice.collecting != payment.id:
        return Decision((change,))
    ended = EndCollection(payment.id)
    over = not isinstance(payment.state, Authorized)
    if over and isinstance(invoice.state, Open) and not invoice.dunning:
        opened = yield from open_case(invoice, (ended,), context=context)
        return Decision((change, *opened.changes))
    return Decision((change, invoices.decide(invoice, ended)))


def _succeeded(
    change: Change, payment: Payment, context: Context, first: Sequence[CountAttempt] = ()
) -> Flow[Decision]:
    """Allocate what was taken to its invoice; what the invoice does not need stays unallocated."""
    if payment.invoice is None:
        return Decision((change,))
    invoice = yield from Get(INVOICE, payment.invoice)
    if payment.also:
        return (yield from _succeeded_together(change, payment, invoice, context))
    share = min(payment.amount_minor, invoice.due_minor)
    surplus = Money(payment.amount_minor - share, payment.currency)
    events = change.events
    if surplus:
        events = (*events, PaymentAllocated(payment.id, payment.customer, None, surplus))
    paid = evolve(
        payment,
        allocations=(Allocation(invoice.id, share),) if share else (),
        version=payment.version + (1 if surplus else 0),
    )
    received = Change(change.kind, change.before, paid, events)
    if share:
        settled = yield from _apply(invoice, payment.id, share, context, first)
        return join(Decision((received,)), settled)
    commands: list[invoices.Command] = [*first]
    if invoice.collecting == payment.id:
        commands.append(EndCollection(payment.id))
    return Decision((received, invoices.decide(invoice, *commands)) if commands else (received,))


def _succeeded_together(
    change: Change, payment: Payment, invoice: Invoice, context: Context
) -> Flow[Decision]:
    """Allocate what was taken to its invoice and to the small ones that were charged with it."""
    wanted = [(invoice, payment.own_minor)]
    for part in payment.also:
        small = yield from Get(INVOICE, part.invoice)
        wanted.append((small, part.amount_minor))
    decision, applied = yield from _spent(change, payment, wanted, context)
    owner = left_by(decision, (yield from Get(CUSTOMER, payment.customer)))
    paid = {each.after.id for each in applied if receiving.is_paid(each)}
    left = tuple([id for id in owner.small_debts if id not in paid])
    fewer = customers.set_small_debts(owner, left)
    return decision if fewer is None else in_turn(decision, Decision((fewer,)))


def _free_small(payment: Payment, decision: Decision) -> Flow[Decision]:
    """Let the small invoices wait on that were to be charged with another one."""
    freed: list[Change] = []
    for part in payment.also:
        small = yield from Get(INVOICE, part.invoice)
        if small.collecting == payment.id:
            freed.append(invoices.decide(small, EndCollection(payment.id)))
    return join(decision, Decision(tuple(freed)), about=decision.about)


def _brought_nothing(
    change: Change, payment: Payment, context: Context, first: Sequence[CountAttempt] = ()
) -> Flow[Decision]:
    """End the collection; a first failure begins dunning, a part payment asks for the rest."""
    changes = [change]
    if payment.method is not None and isinstance(payment.state, Declined) and payment.state.hard:
        method = yield from Get(PAYMENT_METHOD, payment.method)
        code = payment.state.decline.code
        refused = payment_methods.refuse(method, code=code, at=context.at)
        changes += [refused] if refused is not None else []
    if payment.invoice is None:
        return Decision(tuple(changes))
    invoice = yield from Get(INVOICE, payment.invoice)
    if first:
        return Decision((*changes, invoices.decide(invoice, *first)))
    if invoice.collecting != payment.id:
        return Decision(tuple(changes))
    ended = EndCollection(payment.id)
    partly_paid = 0 < invoice.due_minor < payment.own_minor
    if isinstance(payment.state, Voided) and isinstance(invoice.state, Open) and partly_paid:
        rest = yield from _another_attempt(invoice, ended, context)
        return Decision((*changes, *rest))
    by_backup = yield from _by_backup(payment, invoice, ended, context)
    if by_backup:
        return Decision((*changes, *by_backup))
    if isinstance(invoice.state, Open) and not invoice.dunning:
        opened = yield from open_case(invoice, (ended,), context=context)
        return Decision((*changes, *opened.changes))
    return Decision((*changes, invoices.decide(invoice, ended)))


def _another_attempt(
    invoice: Invoice, ended: EndCollection, context: Context
) -> Flow[tuple[Change, ...]]:
    """End one attempt and begin the next for what is still owed, if there is a method."""
    if invoice.disputed:
        return (invoices.decide(invoice, ended),)
    owner = yield from Get(CUSTOMER, invoice.customer)
    if owner.collection_hold is not None:
        return (invoices.decide(invoice, ended, *collection.held_back(invoice)),)
    method = yield from collection.method_for(invoice, owner, context)
    if method is None:
        return (invoices.decide(invoice, ended),)
    if collection.is_small(invoice.due_minor, invoice.currency, method.gateway, context):
        if invoice.small or invoice.dunning:
            return (invoices.decide(invoice, ended),)
        return collection.leave_for_later(invoice, ended, owner)
    again, start = collection.attempt(invoice, method, context)
    return again, invoices.decide(invoice, ended, start)


def _by_backup(
    payment: Payment, invoice: Invoice, ended: EndCollection, context: Context
) -> Flow[tuple[Change, ...]]:
    """End an attempt that was declined softly, and try the customer's backup, once an invoice."""
    state = payment.state
    if not isinstance(state, Declined) or state.hard or not isinstance(invoice.state, Open):
        return ()
    owner = yield from Get(CUSTOMER, invoice.customer)
    if owner.backup_method in (None, payment.method) or invoice.disputed:
        return ()
    if owner.collection_hold is not None:
        return ()
    assert owner.backup_method is not None
    stored = yield from Maybe(DUNNING_POLICY, DEFAULT_POLICY.name)
    if not (DEFAULT_POLICY if stored is None else stored.policy).try_backup:
        return ()
    method = yield from Maybe(PAYMENT_METHOD, owner.backup_method)
    if method is None or not method.usable or not collection.collects(method, context):
        return ()
    attempts = yield from Having(PAYMENT, "invoice", invoice.id)
    tried = [each.method for each in attempts if not isinstance(each.state, Voided)]
    if method.id in tried or collection.is_small(
        invoice.due_minor, invoice.currency, method.gateway, context
    ):
        return ()
    if (yield from retrying.refused(invoice, method, context)) is not None:
        return ()
    again, start = collection.attempt(invoice, method, context)
    return again, invoices.decide(invoice, ended, start)


def _apply(
    invoice: Invoice,
    payment: PaymentId,
    amount_minor: int,
    context: Context,
    first: Sequence[CountAttempt] = (),
) -> Flow[Decision]:
    applied = invoices.decide(invoice, *first, ApplyPayment(payment, amount_minor, context.at))
    return (yield from receiving.settled([applied], context))


def _allocations(payment: Payment) -> tuple[PaymentAllocated, ...]:
    """Say where the money went, and what of it waits for an invoice."""
    events = receiving.allocation_events(payment, payment.allocations)
    if not payment.unallocated:
        return events
    return (*events, PaymentAllocated(payment.id, payment.customer, None, payment.unallocated))
