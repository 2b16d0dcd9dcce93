"""Payment methods: attach, detach, choose the default, list."""

from __future__ import annotations

from datetime import datetime

from subscriptions import customers, invoices, payment_methods
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision
from subscriptions.errors import InvalidTransition, UnknownReference, ValidationError
from subscriptions.ids import CustomerId, PaymentMethodId
from subscriptions.invoices import INVOICE, HoldCollection, Invoice, Open
from subscriptions.lifecycle import Subscription
from subscriptions.payment_methods import (
    PAYMENT_METHOD,
    PaymentMethod,
    refuse_card_number,
)
from subscriptions.payments import Payment
from subscriptions.records import Ref, plain_text
from subscriptions.usecases import collection, flows, retrying
from subscriptions.usecases.flows import (
    AttachToken,
    Command,
    Context,
    Flow,
    ForgetMethod,
    Get,
    Having,
    Listing,
    Maybe,
    Question,
    only,
)
from subscriptions.usecases.price_arguments import read_flag


def attach(
    customer: str,
    token: str,
    *,
    gateway: str = "card",
    default: bool | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[PaymentMethod]:
    """Attach what a gateway's token stands for.

    It becomes the default if the customer has none that is usable, unless `default=False`.
    A new default is charged at once for open invoices that dunning looks after, or that a
    subscription waits for. The gateway is asked before anything is stored.

    Raises `ValidationError` for an unknown gateway or token and for anything that looks like a
    card number, `UnknownReference` for an unknown customer.
    """
    refuse_card_number("token", plain_text("token", token))
    if default is not None:
        read_flag("default", default)

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        if gateway not in context.gateways or context.attached is None:
            raise ValidationError("gateway", gateway, f"one of {', '.join(context.gateways)}")
        id = PaymentMethodId(context.ids.fresh("pm"))
        change = payment_methods.attach(
            id,
            context.attached,
            tenant=context.tenant,
            customer=CustomerId(customer),
            gateway=gateway,
            at=context.at,
        )
        changes: list[Change] = [change]
        present = None
        if owner.default_method is not None:
            present = yield from Maybe(PAYMENT_METHOD, owner.default_method)
        if default or (default is None and (present is None or not present.usable)):
            chosen = customers.set_default_method(owner, id)
            changes += [chosen] if chosen is not None else []
            method = change.after
            assert isinstance(method, PaymentMethod)
            changes += yield from charge_waiting(method, owner, context)
        return Decision(tuple(changes), about=Ref(PAYMENT_METHOD, id))

    before = AttachToken(gateway, token, customer)
    return Command(PAYMENT_METHOD, flow, at, idempotency_key, before=before)


def set_default(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[PaymentMethod]:
    """Make a method its customer's default; what dunning looks after is charged with it at once.

    Raises `InvalidTransition` if it is not usable.
    """

    def flow(context: Context) -> Flow[Decision]:
        method = yield from Get(PAYMENT_METHOD, id)
        if not method.usable:
            raise InvalidTransition(f"payment_method {id}", method.status, "set_default")
        owner = yield from Get(CUSTOMER, method.customer)
        chosen = customers.set_default_method(owner, method.id)
        if chosen is None:
            return Decision(about=Ref(PAYMENT_METHOD, id))
        retries = yield from charge_waiting(method, owner, context)
        return Decision((chosen, *retries), about=Ref(PAYMENT_METHOD, id))

    return Command(PAYMENT_METHOD, flow, at, idempotency_key)


def set_backup(
    id: str,
    *,
    backup: bool = True,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[PaymentMethod]:
    """Make a method its customer's backup, or with `backup=False` no longer.

    It is tried once for each invoice when the method that is charged was declined and may be
    charged again (a soft decline), unless the dunning policy says `try_backup=False`. It may be the
    default of another day: a method is never its own backup.

    Raises `InvalidTransition` if it is not usable, `ValidationError` if it cannot be charged.
    """
    read_flag("backup", backup)

    def flow(context: Context) -> Flow[Decision]:
        method = yield from Get(PAYMENT_METHOD, id)
        owner = yield from Get(CUSTOMER, method.customer)
        if backup and not method.usable:
            raise InvalidTransition(f"payment_method {id}", method.status, "set_backup")
        if backup and not collection.collects(method, context):
            raise ValidationError("id", id, "a method that can be charged")
        if not backup and owner.backup_method != method.id:
            return Decision(about=Ref(PAYMENT_METHOD, id))
        chosen = customers.set_backup_method(owner, method.id if backup else None)
        changes = () if chosen is None else (chosen,)
        return Decision(changes, about=Ref(PAYMENT_METHOD, id))

    return Command(PAYMENT_METHOD, flow, at, idempotency_key)


def detach(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[PaymentMethod]:
    """Take a method away; if it was the default, the customer has none until one is chosen.

    The same holds for a backup. Where it was a subscription's own, the customer's default pays.

    Raises `InvalidTransition` if it is detached already. Charges under way go on.
    """

    def flow(context: Context) -> Flow[Decision]:
        stored = yield from Get(PAYMENT_METHOD, id)
        owner = yield from Get(CUSTOMER, stored.customer)
        changes = [payment_methods.detach(stored, at=context.at)]
        gone = customers.forget_method(owner, stored.id)
        changes += [] if gone is None else [gone]
        return Decision(tuple(changes), about=Ref(PAYMENT_METHOD, id))

    def forget(method: PaymentMethod) -> ForgetMethod:
        return ForgetMethod(method.gateway, method.details.reference)

    return Command(PAYMENT_METHOD, flow, at, idempotency_key, after=forget)


def get(id: str) -> Question[PaymentMethod]:
    """Return a method; raises `NotFound` if there is none with this id."""
    return flows.get(PAYMENT_METHOD, id)


def list_(
    *, customer: str | None = None, limit: int = 100, after: str | None = None
) -> Listing[PaymentMethod]:
    """List methods in the order they were attached, of one customer or of all."""
    return Listing(PAYMENT_METHOD, only(customer=customer), limit=limit, after=after)


def charge_waiting(
    method: PaymentMethod,
    owner: Customer,
    context: Context,
    subscription: Subscription | None = None,
) -> Flow[tuple[Change, ...]]:
    """Decide to charge a new way to pay for what dunning, or a subscription, waits for.

    It is new for what is paid by the customer's default, or with `subscription` for what that is
    billed. What was sent to be paid by the customer himself is left alone.
    """
    if not collection.collects(method, context):
        return ()
    held = owner.collection_hold is not None
    found = yield from Having(INVOICE, "customer", owner.id)
    changes: tuple[Change, ...] = ()
    planned: list[Payment] = []
    for invoice in found:
        wanted = invoice.dunning or invoice.activates
        # What waits is charged with it later, whatever becomes of an attempt under way.
        free = (invoice.collecting is None or held) and not invoice.disputed
        if not isinstance(invoice.state, Open) or not wanted or not free:
            continue
        if subscription is not None and invoice.subscription != subscription.id:
            continue
        payer = subscription or (yield from collection.subscription_of(invoice))
        if invoice.sent or collection.is_sent(owner, payer):
            continue
        if subscription is None and payer is not None and payer.payment_method is not None:
            own = yield from Maybe(PAYMENT_METHOD, payer.payment_method)
            if own is not None and own.usable and own.id != method.id:
                continue
        if held:
            changes += _left_waiting(invoice)
            continue
        if collection.is_small(invoice.due_minor, invoice.currency, method.gateway, context):
            continue
        refusal = yield from retrying.refused(invoice, method, context, planned)
        if refusal is not None:
            continue
        payment, collecting = collection.collect(invoice, method, context)
        assert isinstance(payment.after, Payment)
        planned.append(payment.after)
        changes += (payment, collecting)
    return changes


def _left_waiting(invoice: Invoice) -> tuple[Change, ...]:
    return () if invoice.held else (invoices.decide(invoice, HoldCollection()),)
