"""Authorised first, captured later: what each makes of a payment that is held.

An authorisation is intended, asked for and answered as a charge is, and moves no money. What is
held is captured once, all of it or a part; the rest is released, explicitly and at once. A capture
is intended and committed before the gateway is called, with a key of its own; silence is asked
about with the same key. Law: what is captured is at most what was authorised.

Nothing here calls a gateway.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PaymentId, PaymentMethodId, gateway_key
from subscriptions.money import Money
from subscriptions.payments.events import (
    PaymentCaptureFailed,
    PaymentCaptureIntended,
    PaymentIntended,
    PaymentNotExecuted,
    PaymentOutcomeUnknown,
    PaymentRestReleased,
    PaymentSucceeded,
    PaymentVoided,
    PaymentWithdrawn,
)
from subscriptions.payments.outcomes import (
    AUTHORIZATION_EXPIRED,
    VOIDED,
    CaptureIntent,
    Outcome,
    PaymentSnapshot,
)
from subscriptions.payments.payment import (
    PAYMENT,
    Authorization,
    Authorized,
    Capturing,
    Declined,
    Intended,
    Payment,
    PaymentState,
    Release,
    Succeeded,
    Voided,
)
from subscriptions.payments.timing import backoff, key_is_young, last_call_with_key
from subscriptions.records import evolve

VALIDITY = timedelta(days=7)
"""How long what was authorised may be captured where the gateway does not say."""


def intend_authorization(
    id: PaymentId,
    amount: Money,
    *,
    tenant: str,
    customer: CustomerId,
    invoice: InvoiceId | None,
    gateway: str,
    method: PaymentMethodId,
    method_ref: str,
    at: datetime,
    now: datetime,
) -> Change:
    """Decide to have an amount held: the intent that is committed before the call.

    Raises `ValidationError` for an amount that is not positive.
    """
    if amount.minor <= 0:
        raise ValidationError("amount", amount, "more than zero")
    payment = Payment(
        id,
        tenant,
        1,
        customer,
        gateway,
        amount.minor,
        amount.currency,
        Intended(at),
        at,
        invoice,
        method=method,
        method_ref=method_ref,
        keyed_at=now,
        authorization=Authorization(amount.minor),
    )
    return created(PAYMENT, payment, PaymentIntended(id, customer, invoice, amount))


def begin_capture(
    payment: Payment,
    amount: Money | None,
    *,
    invoice: InvoiceId | None,
    at: datetime,
    now: datetime,
) -> Change:
    """Decide to capture what is held, or a part of it: the intent, committed before the call.

    Raises `InvalidTransition` unless it is held and not being released, `ValidationError` for an
    amount that is not positive, of another currency, or more than was authorised.
    """
    held = payment.authorization
    if held is None or held.release is not None or not isinstance(payment.state, Authorized):
        raise InvalidTransition(f"payment {payment.id}", _word(payment), "capture")
    wanted = payment.authorized if amount is None else amount
    if wanted.currency != payment.currency:
        raise ValidationError("amount", str(wanted), f"an amount in {payment.currency}")
    if not 0 < wanted.minor <= held.amount_minor:
        raise ValidationError("amount", wanted, f"more than zero, at most {payment.authorized}")
    after = evolve(
        payment,
        state=Capturing(payment.state, wanted.minor, at, at, now, at, invoice=invoice),
        authorization=evolve(held, captures=held.captures + 1),
        version=payment.version + 1,
    )
    event = PaymentCaptureIntended(payment.id, payment.customer, invoice, wanted)
    return changed(PAYMENT, payment, after, event)


def capture_intent(payment: Payment) -> CaptureIntent:
    """Return what the gateway is asked to capture, from the frozen facts alone: equal every time.

    Raises `InvalidTransition` unless a capture was begun.
    """
    held, state = payment.authorization, payment.state
    if held is None or not isinstance(state, Capturing):
        raise InvalidTransition(f"payment {payment.id}", payment.status, "capture")
    return CaptureIntent(
        payment.id,
        gateway_key(payment.tenant, "capture", payment.id, str(held.captures)),
        Money(state.amount_minor, payment.currency),
        payment.authorized,
        payment.reference,
        payment.customer,
        {"tenant": payment.tenant, "attempt": payment.id, "invoice": state.invoice or ""},
        state.since,
    )


def capture_is_young(state: Capturing, *, at: datetime, now: datetime, window: timedelta) -> bool:
    """Return whether sending a capture (again) is safe: its key is younger than the window."""
    return key_is_young(state.fresh_at, state.keyed_at, at=at, now=now, window=window)


def last_call_of_capture(
    state: Capturing, *, window: timedelta, simulated: bool = False
) -> datetime:
    """Return the latest instant at which a call for a capture may still have been under way."""
    return last_call_with_key(state.fresh_at, state.keyed_at, window=window, simulated=simulated)


def renew_capture(payment: Payment, *, at: datetime, now: datetime) -> Change | None:
    """Decide that a capture has proved never to have happened: it is sent once more.

    With the key that it always had, for that can only be safer than another one. Returns None for a
    payment that is not being captured any more.
    """
    state = payment.state
    if not isinstance(state, Capturing):
        return None
    after = evolve(
        payment,
        state=evolve(state, fresh_at=at, keyed_at=now, ask_at=at),
        version=payment.version + 1,
    )
    event = PaymentNotExecuted(payment.id, payment.customer, state.invoice, state.tries, at)
    return changed(PAYMENT, payment, after, event)


def release(payment: Payment, *, at: datetime) -> Change:
    """Decide that what is held is not wanted any more: the gateway is asked now to release it.

    Raises `InvalidTransition` unless it is held and not being released yet.
    """
    held = payment.authorization
    if held is None or held.release is not None or not isinstance(payment.state, Authorized):
        raise InvalidTransition(f"payment {payment.id}", _word(payment), "release")
    after = evolve(
        payment,
        authorization=evolve(held, release=Release(at, payment.state.expires_at)),
        version=payment.version + 1,
    )
    event = PaymentWithdrawn(payment.id, payment.customer, payment.invoice)
    return changed(PAYMENT, payment, after, event)


def check_amount(payment: Payment, held: Authorization, snapshot: PaymentSnapshot) -> None:
    """Raise `ValidationError` if a gateway speaks of another amount than was asked for."""
    said, captured_minor = snapshot.amount.minor, None
    if isinstance(payment.state, Capturing):
        captured_minor = payment.state.amount_minor
    elif isinstance(payment.state, Succeeded):
        captured_minor = payment.amount_minor
    if snapshot.outcome is not Outcome.SUCCEEDED:
        fits = said in (held.amount_minor, captured_minor)
    elif captured_minor is None:
        # It was captured otherwise, at the gateway itself.
        fits = 0 < said <= held.amount_minor
    else:
        fits = said == captured_minor
    if not fits:
        expected = f"{payment.authorized}, or what is captured of it"
        raise ValidationError("amount", snapshot.amount, expected)


def merge_held(
    payment: Payment, held: Authorization, snapshot: PaymentSnapshot, *, at: datetime
) -> Change | None:
    """Decide what an answer makes of a payment that is held or captured; None for nothing new."""
    match payment.state:
        case Authorized() as state:
            return _merge_authorized(payment, held, state, snapshot, at=at)
        case Capturing() as state:
            return _merge_capturing(payment, held, state, snapshot, at=at)
        case _:
            return _merge_rest(payment, held, snapshot, at=at)


def captured(
    payment: Payment, held: Authorization, amount: Money, *, until: datetime, at: datetime
) -> Payment:
    """Return the payment with what was captured; what was not is to be released."""
    rest = held.amount_minor - amount.minor
    return evolve(
        payment,
        state=Succeeded(at),
        amount_minor=amount.minor,
        authorization=evolve(held, release=Release(at, until) if rest else None),
    )


def _merge_authorized(
    payment: Payment,
    held: Authorization,
    state: Authorized,
    snapshot: PaymentSnapshot,
    *,
    at: datetime,
) -> Change | None:
    id, customer = payment.id, payment.customer
    match snapshot.outcome:
        case Outcome.SUCCEEDED:
            after = captured(payment, held, snapshot.amount, until=state.expires_at, at=at)
            event: object = PaymentSucceeded(id, customer, payment.invoice, snapshot.amount)
        case Outcome.DECLINED_SOFT | Outcome.DECLINED_HARD:
            assert snapshot.decline is not None
            expired = held.release is None and at >= state.expires_at
            code = AUTHORIZATION_EXPIRED if expired else snapshot.decline.code
            reason = "released" if code == VOIDED else code
            after = evolve(
                payment, state=Voided(at, reason), authorization=evolve(held, release=None)
            )
            event = PaymentVoided(id, customer, payment.invoice, reason)
        case _:
            return _ask_for_release_again(payment, held, state.expires_at, at=at)
    return _answered(payment, after, snapshot, event)


def _merge_capturing(
    payment: Payment,
    held: Authorization,
    state: Capturing,
    snapshot: PaymentSnapshot,
    *,
    at: datetime,
) -> Change | None:
    id, customer, invoice = payment.id, payment.customer, state.invoice
    match snapshot.outcome:
        case Outcome.SUCCEEDED:
            until = state.authorized.expires_at
            after = captured(payment, held, snapshot.amount, until=until, at=at)
            event: object = PaymentSucceeded(id, customer, invoice, snapshot.amount)
        case Outcome.DECLINED_SOFT | Outcome.DECLINED_HARD:
            assert snapshot.decline is not None
            amount, code = Money(state.amount_minor, payment.currency), snapshot.decline.code
            event = PaymentCaptureFailed(id, customer, invoice, amount, code)
            over: PaymentState = state.authorized
            if code == AUTHORIZATION_EXPIRED:
                over = Declined(at, snapshot.decline, hard=False)
            elif code == VOIDED:
                over = Voided(at, "released")
            after = evolve(payment, state=over)
        case (
            Outcome.UNKNOWN
            | Outcome.NOT_EXECUTED
            | Outcome.PROCESSING
            | Outcome.AUTHORIZED
            | Outcome.REQUIRES_ACTION
        ):
            if state.ask_at > at:
                return None
            tries = state.tries + 1
            ask_at = at + backoff(tries)
            after = evolve(payment, state=evolve(state, tries=tries, ask_at=ask_at))
            event = PaymentOutcomeUnknown(id, customer, invoice, tries, ask_at)
        case other:
            assert_never(other)
    return _answered(payment, after, snapshot, event)


def _merge_rest(
    payment: Payment, held: Authorization, snapshot: PaymentSnapshot, *, at: datetime
) -> Change | None:
    """Decide what an answer makes of the rest of what was captured: it is not to be held."""
    waiting = held.release
    assert waiting is not None
    gone = snapshot.capturable is not None and not snapshot.capturable
    if (gone and snapshot.outcome is Outcome.SUCCEEDED) or waiting.until <= at:
        after = evolve(payment, authorization=evolve(held, release=None))
        rest = payment.authorized - payment.amount
        event = PaymentRestReleased(payment.id, payment.customer, rest)
        return _answered(payment, after, snapshot, event)
    return _ask_for_release_again(payment, held, waiting.until, at=at)


def _ask_for_release_again(
    payment: Payment, held: Authorization, until: datetime, *, at: datetime
) -> Change | None:
    """Decide that a release that was asked for is not certain: it is asked for again, later."""
    if payment.due_at is None or payment.due_at > at:
        return None
    tries = 1 if held.release is None else held.release.tries + 1
    ask_at = at + backoff(tries)
    after = evolve(
        payment,
        authorization=evolve(held, release=Release(ask_at, until, tries)),
        version=payment.version + 1,
    )
    event = PaymentOutcomeUnknown(payment.id, payment.customer, payment.invoice, tries, ask_at)
    return changed(PAYMENT, payment, after, event)


def _answered(payment: Payment, after: Payment, snapshot: PaymentSnapshot, event: object) -> Change:
    reference = snapshot.gateway_ref or payment.reference
    moved = evolve(after, reference=reference, version=payment.version + 1)
    return changed(PAYMENT, payment, moved, event)


def _word(payment: Payment) -> str:
    held = payment.authorization
    return "releasing" if held is not None and held.release is not None else payment.status
