"""How an invoice is collected: which method pays it, the intent, and the next attempt.

One attempt at a time: the invoice names the attempt whose outcome is open.
"""

from __future__ import annotations

from subscriptions import balance, customers, invoices, lifecycle, payments
from subscriptions.balance import Cause
from subscriptions.customers import CUSTOMER, CollectionMethod, Customer
from subscriptions.decisions import Change, Decision, in_turn, left_by
from subscriptions.errors import CollectionOnHold, ValidationError
from subscriptions.ids import InvoiceId, PaymentId, SubscriptionId
from subscriptions.invoices import (
    INVOICE,
    Draft,
    EndCollection,
    HoldCollection,
    Invoice,
    LeaveForLater,
    Open,
    StartCollection,
)
from subscriptions.lifecycle import SUBSCRIPTION, Incomplete, Subscription
from subscriptions.money import Currency, Money
from subscriptions.payment_methods import PAYMENT_METHOD, PaymentMethod
from subscriptions.payments import Allocation
from subscriptions.records import Ref, evolve
from subscriptions.usecases.draft_lines import with_more
from subscriptions.usecases.draft_taxes import taxed_anew
from subscriptions.usecases.flows import Context, Flow, Get, Having, Maybe
from subscriptions.usecases.grants import with_grants
from subscriptions.usecases.pending_items import take_for_draft


def is_sent(customer: Customer, subscription: Subscription | None = None) -> bool:
    """Return whether invoices are sent and not charged: the subscription's word, else his."""
    if subscription is not None and subscription.collection_method is not None:
        return subscription.collection_method is CollectionMethod.SEND_INVOICE
    return customer.collection_method is CollectionMethod.SEND_INVOICE


def method_of(
    customer: Customer, context: Context, subscription: Subscription | None = None
) -> Flow[PaymentMethod | None]:
    """Return the method that is charged automatically, or None if the customer pays by himself.

    That is the subscription's own method, else the customer's default, else the account's default,
    the bank transfer. A method that was detached or refused falls through to the next; one that the
    customer pays by himself does not. Nothing is charged where invoices are sent.

    Raises `ValidationError` if its gateway is not known here: then nobody may guess, and the record
    is parked.
    """
    if is_sent(customer, subscription):
        return None
    return (yield from chargeable(customer, context, subscription))


def chargeable(
    customer: Customer, context: Context, subscription: Subscription | None = None
) -> Flow[PaymentMethod | None]:
    """Return what could be charged, as `method_of` does, though invoices may be sent."""
    wanted = customer.default_method
    if subscription is not None and subscription.payment_method is not None:
        own = yield from Maybe(PAYMENT_METHOD, subscription.payment_method)
        if own is not None and own.usable and own.customer == customer.id:
            return own if collects(own, context) else None
    if wanted is None:
        return None
    method = yield from Maybe(PAYMENT_METHOD, wanted)
    if method is None or not method.usable:
        return None
    return method if collects(method, context) else None


def collects(method: PaymentMethod, context: Context) -> bool:
    """Return whether a method can be charged; raises `ValidationError` for an unknown gateway."""
    if not method.details.automatic:
        return False
    capabilities = context.gateways.get(method.gateway)
    if capabilities is None:
        raise ValidationError("gateway", method.gateway, f"one of {', '.join(context.gateways)}")
    return capabilities.collects


def method_for(
    invoice: Invoice, customer: Customer, context: Context
) -> Flow[PaymentMethod | None]:
    """Return the method that an invoice is charged to by itself, as `method_of` does."""
    if invoice.sent:
        return None
    subscription = yield from subscription_of(invoice)
    return (yield from method_of(customer, context, subscription))


def subscription_of(invoice: Invoice) -> Flow[Subscription | None]:
    """Return the one subscription that an invoice is for: it may have its own way to pay."""
    if invoice.subscription is None:
        return None
    return (yield from Maybe(SUBSCRIPTION, invoice.subscription))


def is_small(amount_minor: int, currency: Currency, gateway: str, context: Context) -> bool:
    """Return whether an amount is less than a gateway charges."""
    capabilities = context.gateways[gateway]
    return bool(capabilities.minimums) and amount_minor < capabilities.minimum_minor(currency)


def _is_charged_later(
    customer: Customer, owed_minor: int, currency: Currency, method: PaymentMethod, context: Context
) -> bool:
    """Return whether it is charged in a step of its own: with smaller ones, as one, or held."""
    return (
        bool(customer.small_debts)
        or customer.collection_hold is not None
        or is_small(owed_minor, currency, method.gateway, context)
    )


def issue(
    invoice: Invoice, customer: Customer, method: PaymentMethod | None, context: Context
) -> Decision:
    """Decide to make a composed invoice final and, if there is a method, to charge it.

    The customer's balance pays first, then his grants; a negative total is added to his balance.
    With a tax engine it is a draft until that was asked, which is due at once.
    """
    if context.quotes_tax:
        waiting = invoices.wait_for_quote(invoice, at=context.at)
        return Decision((waiting,), about=Ref(INVOICE, invoice.id))
    if invoice.taxing is not None:
        invoice = evolve(invoice, taxing=None)
    invoice, moves = with_balance(invoice, customer, context)
    if customer.grants:
        invoice, moves = with_grants(invoice, customer, moves, context)
    payment = None
    owed_minor = invoice.total_minor - invoice.balance_minor - invoice.granted_minor
    if method is not None and owed_minor > 0:
        if _is_charged_later(customer, owed_minor, invoice.currency, method, context):
            invoice = evolve(invoice, charge_at=context.at)
        else:
            payment = _intent(invoice, owed_minor, method, context)
            moves = (payment, *moves)
    document = invoices.finalize(
        invoice,
        customer,
        seller=context.seller_of(customer),
        salt=context.ids.secret(),
        collecting=None if payment is None else PaymentId(payment.after.id),
    )
    return Decision(moves, (document,), Ref(INVOICE, invoice.id))


def issue_drafts(subscription: SubscriptionId, owner: Customer, context: Context) -> Flow[Decision]:
    """Decide to make all drafts of a subscription final, in the order in which they were made."""
    drafts = yield from Having(INVOICE, "subscription", subscription)
    payer = yield from Maybe(SUBSCRIPTION, subscription)
    method = yield from method_of(owner, context, payer)
    decision = Decision()
    for draft in drafts:
        if isinstance(draft.state, Draft):
            # One invoice after the other may use the balance up.
            there = left_by(decision, owner)
            issued = yield from issue_draft(
                draft, there, None if draft.sent else method, context, sent=is_sent(owner, payer)
            )
            decision = in_turn(decision, issued)
    return decision


def issue_draft(
    draft: Invoice,
    owner: Customer,
    method: PaymentMethod | None,
    context: Context,
    *,
    sent: bool = False,
) -> Flow[Decision]:
    """Decide to make a stored draft final, with what waits for it, on the terms of who pays.

    `sent` says that what the customer is invoiced by now is sent to him.
    """
    draft = yield from taxed_anew(draft, owner, context)
    taken = yield from take_for_draft(draft, owner, context)
    ready = with_more(draft, owner, taken.charges, context) if taken.charges else draft
    there = taken.owner
    ready = composed_for(ready, there, method, context)
    issued = issue(as_sent(ready) if sent else ready, there, method, context)
    if not taken.changes:
        return issued
    return evolve(in_turn(Decision(taken.changes), issued), about=issued.about)


def with_balance(
    invoice: Invoice, customer: Customer, context: Context
) -> tuple[Invoice, tuple[Change, ...]]:
    """Let the customer's balance pay what it can of an invoice, or take what it gives him."""
    applied, moves = _balance(customer, invoice.total_minor, invoice.currency, invoice.id, context)
    return (evolve(invoice, balance_minor=applied) if applied else invoice), moves


def _balance(
    customer: Customer, total_minor: int, currency: Currency, invoice: InvoiceId, context: Context
) -> tuple[int, tuple[Change, ...]]:
    there = customer.credit_minor(currency) if customer.balance else 0
    applied = min(there, total_minor)
    if not applied:
        return 0, ()
    cause = Cause.APPLIED if applied > 0 else Cause.NEGATIVE_INVOICE
    moves = balance.move(
        customer, Money(-applied, currency), cause=cause, at=context.at, invoice=invoice
    )
    return applied, moves


def attempt(
    invoice: Invoice, method: PaymentMethod, context: Context
) -> tuple[Change, StartCollection]:
    """Decide on a further attempt: the payment's change, and the command for its invoice."""
    payment = _intent(invoice, invoice.due_minor, method, context)
    return payment, StartCollection(PaymentId(payment.after.id))


def collect(invoice: Invoice, method: PaymentMethod, context: Context) -> tuple[Change, Change]:
    """Decide to charge an open invoice now: the payment's change and the invoice's."""
    payment, command = attempt(invoice, method, context)
    return payment, invoices.decide(invoice, command)


def composed_for(
    invoice: Invoice, customer: Customer, method: PaymentMethod | None, context: Context
) -> Invoice:
    """Return a draft with the terms of who pays it: at once if charged, else his or the seller's.

    A draft that was made to be sent keeps its own.
    """
    if invoice.sent:
        return invoice
    terms_days = 0
    if method is None:
        terms_days = invoices.terms_of(customer, context.seller_of(customer))
    return evolve(invoice, terms_days=terms_days)


def refuse_on_hold(customer: Customer) -> None:
    """Raise `CollectionOnHold` if nothing may be charged to a customer now."""
    hold = customer.collection_hold
    if hold is not None:
        raise CollectionOnHold(customer.id, hold.reason, hold.in_doubt)


def held_back(invoice: Invoice) -> tuple[HoldCollection, ...]:
    """Return what lets an open invoice wait until something is collected of its customer again."""
    return () if invoice.held else (HoldCollection(),)


def as_sent(invoice: Invoice) -> Invoice:
    """Return an invoice that is composed as one that is sent and not charged."""
    return evolve(invoice, collection_method=CollectionMethod.SEND_INVOICE)


def charge_with_small(invoice: Invoice, context: Context) -> Flow[Decision | None]:
    """Decide to charge an open invoice together with the small ones that wait for that.

    Should they be too little even together, it waits as well. A subscription that waits for it to
    be paid waits no more: nobody can pay it alone. Returns None if there is nothing to charge, or
    nothing may be.
    """
    owner = yield from Get(CUSTOMER, invoice.customer)
    if owner.collection_hold is not None or invoice.disputed:
        return None
    method = yield from method_for(invoice, owner, context)
    if method is None:
        return None
    waiting: list[Invoice] = []
    for id in owner.small_debts:
        each = yield from Get(INVOICE, id)
        if isinstance(each.state, Open) and each.small:
            waiting.append(each)
    debts = [
        each
        for each in waiting
        if each.collecting is None and each.currency == invoice.currency and not each.disputed
    ]
    total_minor = invoice.due_minor + sum([each.due_minor for each in debts])
    ids = tuple([each.id for each in waiting])
    if is_small(total_minor, invoice.currency, method.gateway, context):
        return (yield from _leave(invoice, owner, (*ids, invoice.id)))
    also = tuple([Allocation(each.id, each.due_minor) for each in debts])
    payment = _intent(invoice, total_minor, method, context, also)
    start = StartCollection(PaymentId(payment.after.id))
    started = [invoices.decide(each, start) for each in (invoice, *debts)]
    cleaned = customers.set_small_debts(owner, ids)
    return Decision((payment, *started, *([] if cleaned is None else [cleaned])))


def _leave(invoice: Invoice, owner: Customer, ids: tuple[InvoiceId, ...]) -> Flow[Decision]:
    changes = [invoices.decide(invoice, LeaveForLater())]
    noted = customers.set_small_debts(owner, ids)
    changes += [] if noted is None else [noted]
    for id in invoice.subscriptions if invoice.activates else ():
        subscription = yield from Get(SUBSCRIPTION, id)
        if isinstance(subscription.contract, Incomplete):
            changes.append(lifecycle.decide(subscription, lifecycle.Activate()))
    return Decision(tuple(changes))


def leave_for_later(invoice: Invoice, ended: EndCollection, owner: Customer) -> tuple[Change, ...]:
    """Decide that the rest of an invoice is too little to be charged alone, after an attempt."""
    left = invoices.decide(invoice, ended, LeaveForLater())
    noted = customers.set_small_debts(owner, (*owner.small_debts, invoice.id))
    return (left,) if noted is None else (left, noted)


def _intent(
    invoice: Invoice,
    amount_minor: int,
    method: PaymentMethod,
    context: Context,
    also: tuple[Allocation, ...] = (),
) -> Change:
    return payments.intend(
        tenant=context.tenant,
        customer=invoice.customer,
        invoice=invoice.id,
        ordinal=invoice.attempts + 1,
        amount_minor=amount_minor,
        currency=invoice.currency,
        gateway=method.gateway,
        method=method.id,
        method_ref=method.details.reference,
        at=context.at,
        now=context.now,
        also=also,
    )
