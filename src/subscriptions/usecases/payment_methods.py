"""Payment methods: attach, detach, choose the default, list."""

from __future__ import annotations

from datetime import datetime

from subscriptions import customers, payment_methods
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, Decision
from subscriptions.errors import InvalidTransition, UnknownReference, ValidationError
from subscriptions.ids import CustomerId, PaymentMethodId
from subscriptions.invoices import INVOICE, Open
from subscriptions.payment_methods import (
    PAYMENT_METHOD,
    PaymentMethod,
    refuse_card_number,
)
from subscriptions.records import Ref, plain_text
from subscriptions.usecases import collection, flows
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
            changes += yield from _retry_open_invoices(method, context)
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
        retries = yield from _retry_open_invoices(method, context)
        return Decision((chosen, *retries), about=Ref(PAYMENT_METHOD, id))

    return Command(PAYMENT_METHOD, flow, at, idempotency_key)


def detach(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[PaymentMethod]:
    """Take a method away; if it was the default, the customer has none until one is chosen.

    Raises `InvalidTransition` if it is detached already. Charges under way go on.
    """

    def flow(context: Context) -> Flow[Decision]:
        stored = yield from Get(PAYMENT_METHOD, id)
        owner = yield from Get(CUSTOMER, stored.customer)
        changes = [payment_methods.detach(stored, at=context.at)]
        if owner.default_method == stored.id:
            chosen = customers.set_default_method(owner, None)
            changes += [chosen] if chosen is not None else []
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


def _retry_open_invoices(method: PaymentMethod, context: Context) -> Flow[tuple[Change, ...]]:
    """Decide to charge a new default method for what dunning, or a subscription, waits for."""
    if not method.details.automatic or not context.gateways[method.gateway].collects:
        return ()
    found = yield from Having(INVOICE, "customer", method.customer)
    changes: tuple[Change, ...] = ()
    for invoice in found:
        wanted = invoice.dunning or invoice.activates
        if isinstance(invoice.state, Open) and wanted and invoice.collecting is None:
            changes += collection.collect(invoice, method, context)
    return changes
