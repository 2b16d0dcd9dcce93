"""Intents, merged answers, and money received: what each makes of a payment.

Nothing here calls a gateway.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from subscriptions.decisions import Change, changed, created
from subscriptions.errors import CurrencyMismatch, InvalidTransition, ValidationError
from subscriptions.ids import (
    CustomerId,
    InvoiceId,
    PaymentId,
    PaymentMethodId,
    derived_id,
    gateway_key,
)
from subscriptions.money import Currency, Money
from subscriptions.payments.authorizing import (
    VALIDITY,
    captured,
    check_amount,
    merge_held,
    release,
)
from subscriptions.payments.events import (
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentFailed,
    PaymentIntended,
    PaymentNotExecuted,
    PaymentOutcomeUnknown,
    PaymentProcessing,
    PaymentSucceeded,
    PaymentVoided,
    PaymentWithdrawn,
)
from subscriptions.payments.outcomes import (
    VOIDED,
    ChargeIntent,
    Outcome,
    PaymentSnapshot,
)
from subscriptions.payments.payment import (
    ALLOWED,
    PAYMENT,
    ActionRequired,
    Allocation,
    Authorized,
    Capturing,
    Declined,
    Intended,
    Payment,
    PaymentState,
    Processing,
    Succeeded,
    Unknown,
    Voided,
)
from subscriptions.payments.timing import (
    ACTION_WINDOW,
    PROCESSING_POLL,
    VOID_AGAIN,
    backoff,
    key_is_young,
    last_call_with_key,
)
from subscriptions.records import evolve


def payment_id(tenant: str, invoice: InvoiceId, ordinal: int) -> PaymentId:
    """Derive the id of the `ordinal`-th attempt on an invoice."""
    return PaymentId(derived_id("pay", tenant, invoice, str(ordinal)))


def intend(
    *,
    tenant: str,
    customer: CustomerId,
    invoice: InvoiceId,
    ordinal: int,
    amount_minor: int,
    currency: Currency,
    gateway: str,
    method: PaymentMethodId,
    method_ref: str,
    at: datetime,
    now: datetime,
    also: tuple[Allocation, ...] = (),
) -> Change:
    """Decide to charge a method for an invoice: the intent that is committed before the call.

    `amount_minor` is all that is charged; `also` says how much of it is for other invoices, which
    are too small to be charged alone.
    """
    if amount_minor <= 0:
        raise ValidationError("amount", Money(amount_minor, currency), "more than zero")
    id = payment_id(tenant, invoice, ordinal)
    payment = Payment(
        id,
        tenant,
        1,
        customer,
        gateway,
        amount_minor,
        currency,
        Intended(at),
        at,
        invoice,
        ordinal,
        method,
        method_ref,
        keyed_at=now,
        also=also,
    )
    event = PaymentIntended(id, customer, invoice, Money(amount_minor, currency))
    return created(PAYMENT, payment, event)


def charge_intent(payment: Payment) -> ChargeIntent:
    """Return what the gateway is asked, from the frozen facts alone: equal bytes every time.

    It asks for a charge, or for an authorisation if the payment is to be authorised first.
    """
    held = payment.authorization
    return ChargeIntent(
        payment.id,
        gateway_key(payment.tenant, "charge" if held is None else "authorize", payment.id),
        payment.amount if held is None else payment.authorized,
        payment.method_ref,
        payment.customer,
        {"tenant": payment.tenant, "attempt": payment.id, "invoice": payment.invoice or ""},
        payment.intended_at,
    )


def replayable(payment: Payment, *, at: datetime, now: datetime, window: timedelta) -> bool:
    """Return whether sending the intent (again) is safe: its key is younger than the window.

    A gateway forgets keys after its replay window; an hour is kept as a margin. After that the
    gateway must be asked what happened instead, for a replay would be a second charge. The age is
    taken by the clock (`now`) and by the time of the work (`at`), whichever is more: a run that
    catches up after a weekend works at Friday's time, but the gateway's clock went on.
    """
    keyed_at = payment.keyed_at or payment.intended_at
    return key_is_young(payment.intended_at, keyed_at, at=at, now=now, window=window)


def last_call(payment: Payment, *, window: timedelta, simulated: bool = False) -> datetime:
    """Return the latest instant at which a call for this payment may still have been under way.

    The intent is sent only while it is `replayable`, and a call is given up after `TIMEOUT`. For a
    gateway whose time is `simulated` the time of the work counts, not the clock.
    """
    keyed_at = payment.keyed_at or payment.intended_at
    return last_call_with_key(payment.intended_at, keyed_at, window=window, simulated=simulated)


def merge(payment: Payment, snapshot: PaymentSnapshot, *, at: datetime) -> Change | None:
    """Decide what an answer of the gateway makes of the payment; None if it says nothing new.

    Answers may come late, twice and in any order: a state only moves as `ALLOWED` says, an older
    answer changes nothing, and a success always wins. Raises `CurrencyMismatch` or
    `ValidationError` if the gateway speaks of another amount than was asked for: such a payment is
    parked for a person.
    """
    if snapshot.attempt_id not in (None, payment.id):
        raise ValidationError("attempt_id", snapshot.attempt_id, f"{payment.id}, as was asked for")
    if snapshot.amount.currency != payment.currency:
        raise CurrencyMismatch(payment.currency.code, snapshot.amount.currency.code)
    held = payment.authorization
    if held is not None:
        check_amount(payment, held, snapshot)
        if isinstance(payment.state, Authorized | Capturing) or held.release is not None:
            return merge_held(payment, held, snapshot, at=at)
    elif snapshot.amount.minor != payment.amount_minor:
        raise ValidationError("amount", snapshot.amount, f"{payment.amount} as was asked for")
    state, event = _answer(payment, snapshot, at=at)
    if type(state) not in ALLOWED[type(payment.state)]:
        return None
    after = evolve(
        payment,
        state=state,
        reference=snapshot.gateway_ref or payment.reference,
        version=payment.version + 1,
    )
    if held is not None and isinstance(state, Succeeded):
        until = snapshot.expires_at or at + VALIDITY
        after = captured(after, held, snapshot.amount, until=until, at=at)
    return changed(PAYMENT, payment, after, event)


def _answer(
    payment: Payment, snapshot: PaymentSnapshot, *, at: datetime
) -> tuple[PaymentState, object]:
    id, customer, invoice = payment.id, payment.customer, payment.invoice
    match snapshot.outcome:
        case Outcome.SUCCEEDED:
            return Succeeded(at), PaymentSucceeded(id, customer, invoice, snapshot.amount)
        case Outcome.AUTHORIZED if payment.authorization is not None:
            until = snapshot.expires_at or at + VALIDITY
            held = PaymentAuthorized(id, customer, invoice, payment.authorized, until)
            return Authorized(at, until), held
        case Outcome.DECLINED_SOFT | Outcome.DECLINED_HARD:
            hard = snapshot.outcome is Outcome.DECLINED_HARD
            decline = snapshot.decline
            assert decline is not None
            if decline.code == VOIDED:
                return Voided(at, VOIDED), PaymentVoided(id, customer, invoice, VOIDED)
            event = PaymentFailed(id, customer, invoice, payment.amount, decline.code, hard)
            return Declined(at, decline, hard), event
        case Outcome.REQUIRES_ACTION if not isinstance(payment.state, ActionRequired):
            url = snapshot.action_url or ""
            return (
                ActionRequired(url, at + ACTION_WINDOW),
                PaymentActionRequired(id, customer, invoice, url),
            )
        case Outcome.PROCESSING:
            state = Processing(
                payment.state.since if isinstance(payment.state, Processing) else at,
                at + PROCESSING_POLL,
            )
            return state, PaymentProcessing(id, customer, invoice)
        case Outcome.NOT_EXECUTED if not isinstance(payment.state, Unknown | ActionRequired):
            tries = payment.state.tries + 1 if isinstance(payment.state, Intended) else 1
            send_at = at + backoff(tries)
            return (
                Intended(send_at, tries),
                PaymentNotExecuted(id, customer, invoice, tries, send_at),
            )
        # What was asked before and is not reached now is as unknown as before: it is asked again.
        # Nobody asked for an authorisation: that is no answer.
        case Outcome.UNKNOWN | Outcome.NOT_EXECUTED | Outcome.REQUIRES_ACTION | Outcome.AUTHORIZED:
            before = payment.state
            tries = before.tries + 1 if isinstance(before, Unknown) else 1
            ask_at = at + backoff(tries)
            if isinstance(before, ActionRequired) and before.expires_at <= at:
                # It could not be voided; until it is, the customer may still act.
                again_at = at + VOID_AGAIN
                silence = PaymentOutcomeUnknown(id, customer, invoice, tries, again_at)
                return ActionRequired(before.url, again_at), silence
            since = before.since if isinstance(before, Unknown) else at
            silence = PaymentOutcomeUnknown(id, customer, invoice, tries, ask_at)
            return Unknown(since, ask_at, tries), silence
        case other:
            assert_never(other)


def withdraw(payment: Payment, *, at: datetime) -> Change | None:
    """Decide that an attempt is not wanted any more: the gateway is asked now to void it.

    Returns None for one that is over, or whose money is on its way and cannot be stopped.
    """
    match payment.state:
        case Intended(tries=tries):
            state: PaymentState = Intended(at, tries)
        case Unknown(since=since, tries=tries):
            state = Unknown(since, at, tries)
        case ActionRequired(url=url):
            state = ActionRequired(url, at)
        case Authorized():
            return release(payment, at=at)
        case Processing() | Capturing() | Succeeded() | Declined() | Voided():
            return None
        case other:
            assert_never(other)
    after = evolve(payment, state=state, version=payment.version + 1)
    event = PaymentWithdrawn(payment.id, payment.customer, payment.invoice)
    return changed(PAYMENT, payment, after, event)


def void(payment: Payment, *, reason: str, at: datetime) -> Change:
    """Decide that an attempt never happened; raises `InvalidTransition` if it may have."""
    if Voided not in ALLOWED[type(payment.state)]:
        raise InvalidTransition(f"payment {payment.id}", payment.status, "void")
    after = evolve(payment, state=Voided(at, reason), version=payment.version + 1)
    event = PaymentVoided(payment.id, payment.customer, payment.invoice, reason)
    return changed(PAYMENT, payment, after, event)


def receive(
    id: PaymentId,
    amount: Money,
    *,
    tenant: str,
    customer: CustomerId,
    gateway: str,
    reference: str | None,
    at: datetime,
) -> Payment:
    """Return the record of money that came in by itself; what it pays is decided by `allocate`."""
    if amount.minor <= 0:
        raise ValidationError("amount", amount, "more than zero")
    return Payment(
        id,
        tenant,
        1,
        customer,
        gateway,
        amount.minor,
        amount.currency,
        Succeeded(at),
        at,
        reference=reference,
    )


def allocated(payment: Payment, *parts: Allocation) -> Payment:
    """Return the payment with further allocations; they never exceed what was received."""
    if not isinstance(payment.state, Succeeded):
        raise InvalidTransition(f"payment {payment.id}", payment.status, "allocate")
    wanted = sum(part.amount_minor for part in parts)
    if wanted > payment.unallocated.minor or any(part.amount_minor <= 0 for part in parts):
        expected = f"amounts above zero, together at most {payment.unallocated}"
        raise ValidationError("allocations", parts, expected)
    return evolve(payment, allocations=(*payment.allocations, *parts))
