"""Holding an amount first and taking it later: authorise, capture, release.

An authorisation moves no money and pays nothing. What is captured pays like money that came in. At
the end of its validity, what was not captured is released.
"""

from __future__ import annotations

from datetime import datetime

from subscriptions import invoices, payments
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Decision
from subscriptions.errors import NotSupported, UnknownReference, ValidationError
from subscriptions.ids import InvoiceId, PaymentId
from subscriptions.invoices import INVOICE, Invoice, Open, StartCollection
from subscriptions.money import Currency, Money
from subscriptions.payment_methods import PAYMENT_METHOD, PaymentMethod
from subscriptions.payments import PAYMENT, ActionRequired, Payment
from subscriptions.records import Ref
from subscriptions.usecases import collection
from subscriptions.usecases.flows import Command, Context, Flow, Get, Maybe


def authorize(
    customer: str,
    amount: Money,
    *,
    method: str | None = None,
    invoice: str | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Payment]:
    """Have an amount held on a method, the customer's default unless given; no money moves.

    The intent is committed before the gateway is asked; the payment that is returned says what came
    of it: `authorized`, or as of a charge. With `invoice` it names what a capture is to pay; it
    keeps nobody from paying the invoice otherwise. What is not captured by the end of its validity
    is released.

    Raises `UnknownReference` for an unknown customer, method or invoice; `ValidationError` for an
    amount that is not positive, a method of another customer or one that cannot be charged, and an
    invoice of another customer or currency, or one that is not open; `NotSupported` if the gateway
    of the method cannot hold an amount; `CollectionOnHold` if nothing is charged to him now.
    """
    _check_money(amount)

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        collection.refuse_on_hold(owner)
        charged = yield from _method(owner, method, context)
        if charged.gateway not in context.authorizing:
            instead = "choose a method of a gateway that does"
            raise NotSupported(charged.gateway, "Authorizes", instead)
        target: InvoiceId | None = None
        if invoice is not None:
            target = (yield from _open_invoice(invoice, owner.id, amount.currency)).id
        change = payments.intend_authorization(
            PaymentId(context.ids.fresh("pay")),
            amount,
            tenant=context.tenant,
            customer=owner.id,
            invoice=target,
            gateway=charged.gateway,
            method=charged.id,
            method_ref=charged.details.reference,
            at=context.at,
            now=context.now,
        )
        return Decision((change,), about=Ref(PAYMENT, change.after.id))

    return Command(PAYMENT, flow, at, idempotency_key)


def capture(
    id: str,
    amount: Money | None = None,
    *,
    invoice: str | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Payment]:
    """Take what is held by an authorised payment, all of it or a part; the rest is released.

    What was captured pays the given invoice, else the one that the payment was authorised for, else
    the oldest open ones; what is left over stays on the payment as `unallocated`. An authorisation
    is captured once. A capture that comes too late is declined with code `authorization_expired`.

    Raises `UnknownReference` for an unknown payment or invoice; `InvalidTransition` unless the
    payment is authorised, and for an invoice that is being collected; `ValidationError` for an
    amount that is not positive, of another currency or more than was authorised, a part if the
    gateway takes no parts, and an invoice as in `authorize`; `CollectionOnHold` if nothing is
    charged to the customer now.
    """
    if amount is not None:
        _check_money(amount)

    def flow(context: Context) -> Flow[Decision]:
        found = yield from Maybe(PAYMENT, id)
        if found is None:
            raise UnknownReference("payment", id)
        collection.refuse_on_hold((yield from Get(CUSTOMER, found.customer)))
        capabilities = context.gateways.get(found.gateway)
        if capabilities is None:
            expected = f"one of {', '.join(context.gateways)}"
            raise ValidationError("gateway", found.gateway, expected)
        target = found.invoice if invoice is None else InvoiceId(invoice)
        change = payments.begin_capture(
            found, amount, invoice=target, at=context.at, now=context.now
        )
        in_part = amount is not None and amount != found.authorized
        if in_part and not capabilities.partial_capture:
            raise ValidationError("amount", amount, f"{found.authorized}: all of it")
        about = Ref(PAYMENT, found.id)
        if target is None:
            return Decision((change,), about=about)
        owed = yield from _open_invoice(target, found.customer, found.currency)
        # Nobody else charges the invoice meanwhile.
        collecting = invoices.decide(owed, StartCollection(found.id))
        return Decision((change, collecting), about=about)

    return Command(PAYMENT, flow, at, idempotency_key)


def release(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Payment]:
    """Release what an authorised payment holds: the gateway is asked, and the payment is void.

    So is one that waits for the customer before it is authorised. Raises `UnknownReference` for an
    unknown payment, `InvalidTransition` for one that is not authorised, or is being captured or
    released.
    """

    def flow(context: Context) -> Flow[Decision]:
        found = yield from Maybe(PAYMENT, id)
        if found is None:
            raise UnknownReference("payment", id)
        held = found.authorization is not None
        if held and isinstance(found.state, ActionRequired):
            # Not held yet: the customer need not act any more.
            change = payments.withdraw(found, at=context.at)
            assert change is not None
        else:
            change = payments.release(found, at=context.at)
        return Decision((change,), about=Ref(PAYMENT, found.id))

    return Command(PAYMENT, flow, at, idempotency_key)


def _method(owner: Customer, method: str | None, context: Context) -> Flow[PaymentMethod]:
    if method is None:
        default = yield from collection.method_of(owner, context)
        if default is None:
            expected = "a method that can be charged; payment_methods.attach gives him a default"
            raise ValidationError("method", None, expected)
        return default
    found = yield from Maybe(PAYMENT_METHOD, method)
    if found is None:
        raise UnknownReference("method", method)
    capabilities = context.gateways.get(found.gateway)
    if capabilities is None:
        raise ValidationError("gateway", found.gateway, f"one of {', '.join(context.gateways)}")
    if found.customer != owner.id:
        raise ValidationError("method", method, f"a method of customer {owner.id}")
    if not (found.usable and found.details.automatic and capabilities.collects):
        raise ValidationError("method", method, "a method that can be charged")
    return found


def _open_invoice(id: str, customer: str, currency: Currency) -> Flow[Invoice]:
    found = yield from Maybe(INVOICE, id)
    if found is None:
        raise UnknownReference("invoice", id)
    if found.customer != customer:
        raise ValidationError("invoice", id, f"an invoice of customer {customer}")
    if found.currency != currency:
        raise ValidationError("amount", currency.code, f"an amount in {found.currency}")
    if not isinstance(found.state, Open):
        raise ValidationError("invoice", id, f"an invoice that is open, not {found.status}")
    return found


def _check_money(amount: object) -> None:
    if not isinstance(amount, Money):
        raise ValidationError("amount", amount, "a Money, such as Money.of('5.00', 'EUR')")
