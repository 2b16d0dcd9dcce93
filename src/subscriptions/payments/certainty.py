"""What is done where nobody is sure: how long is too long, what is set aside, what a person says.

Decided here: when an open outcome is a matter for a person, what becomes of a payment of which the
gateway says another amount than was asked for, what a person's word changes, and how a charge comes
into the books that they do not know (any more). Nothing here calls a gateway.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from subscriptions.decisions import Change, changed
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PaymentId
from subscriptions.money import Money
from subscriptions.payments.deciding import merge, payment_id, void
from subscriptions.payments.events import PaymentAdopted, PaymentQuarantined, PaymentResolved
from subscriptions.payments.outcomes import Advice, Decline, Outcome, PaymentSnapshot
from subscriptions.payments.payment import (
    PAYMENT,
    Capturing,
    Intended,
    Payment,
    Processing,
    Succeeded,
    Unknown,
)
from subscriptions.payments.timing import MARGIN
from subscriptions.records import evolve, plain_text

REVIEW_AFTER: Final = timedelta(days=3)
"""For how long an outcome may be open before a person must look; the gateway is asked on."""

RESOLVED: Final = "resolved_by_hand"
"""The code of a decline that a person found out, where the gateway had said it was at work."""

OUTCOMES: Final = ("succeeded", "never_happened")
"""What a person can find out about a payment."""

LOST_MAX = 50


def open_too_long(payment: Payment, *, at: datetime) -> bool:
    """Return whether nobody has known for days what became of an attempt."""
    match payment.state:
        case Unknown(since=since):
            return at - since >= REVIEW_AFTER
        case Capturing(since=since, tries=tries) if tries:
            return at - since >= REVIEW_AFTER
        case Intended(tries=tries) if tries:
            return at - payment.intended_at >= REVIEW_AFTER
        case _:
            return False


def asked_first(payment: Payment, *, now: datetime, window: timedelta) -> bool:
    """Return whether the gateway must be asked about an intent before it is sent, though it is new.

    Its id and its key are derived, so what is intended anew at a time that has long passed may have
    been charged before, by a run whose records were lost: they were restored from a backup. The
    gateway has forgotten the key by now, so to send it again would be a second charge.
    """
    return now - payment.intended_at >= window - MARGIN


def leaves_no_gap(as_of: datetime, *, now: datetime, window: timedelta) -> bool:
    """Return whether a list without a charge, and the gateway's memory of keys, prove its absence.

    What was called before `as_of` would be in the list; of what was called since, the key is still
    known, so to send it again is a question. `now` is the gateway's time.
    """
    return as_of >= now - (window - MARGIN)


def charged_twice(payment: Payment, snapshot: PaymentSnapshot) -> bool:
    """Return whether a gateway tells of a second charge for an attempt that took its money."""
    return (
        isinstance(payment.state, Succeeded)
        and snapshot.outcome is Outcome.SUCCEEDED
        and None not in (payment.reference, snapshot.gateway_ref)
        and payment.reference != snapshot.gateway_ref
    )


def contradicts(payment: Payment, snapshot: PaymentSnapshot) -> bool:
    """Return whether a gateway says that a charge failed of which a person said that it succeeded.

    What was declined before it succeeded is no contradiction where the gateway itself said so.
    """
    declined = (Outcome.DECLINED_SOFT, Outcome.DECLINED_HARD)
    succeeded = isinstance(payment.state, Succeeded)
    return payment.resolved and succeeded and snapshot.outcome in declined


def quarantine(
    payment: Payment, snapshot: PaymentSnapshot, *, asked: Money | None = None
) -> Change | None:
    """Decide to set aside a payment of which the gateway says another amount or currency.

    Nothing else about it changes: it stays as open as it was, so its invoice is not collected. None
    if it was set aside before. `asked` is what should have been charged, by default its amount.
    """
    if payment.parked is not None:
        return None
    asked = payment.amount if asked is None else asked
    said = f"{snapshot.outcome.value} {snapshot.amount}"
    reason = f"the gateway says {said} where {asked} was asked for"
    after = evolve(payment, parked=reason, version=payment.version + 1)
    event = PaymentQuarantined(
        payment.id,
        payment.customer,
        payment.invoice,
        asked,
        snapshot.amount,
        snapshot.outcome.value,
        snapshot.gateway_ref,
    )
    return changed(PAYMENT, payment, after, event)


def resolve(
    payment: Payment, outcome: str, *, reference: str | None, reason: str, at: datetime
) -> Change:
    """Decide what a person found out: the attempt `succeeded`, or `never_happened`.

    It is not set aside any more. Raises `InvalidTransition` for an attempt whose outcome is known
    and was not questioned, and for money that was taken but is said never to have been;
    `ValidationError` for another word, an empty reason, and a success without the reference that
    the gateway gave it.
    """
    if outcome not in OUTCOMES:
        raise ValidationError("outcome", outcome, f"one of {', '.join(OUTCOMES)}")
    reason = plain_text("reason", reason)
    taken = isinstance(payment.state, Succeeded)
    known = not payment.live and payment.parked is None
    if known or (taken and outcome == "never_happened"):
        raise InvalidTransition(f"payment {payment.id}", payment.status, f"resolve as {outcome}")
    event = PaymentResolved(payment.id, payment.customer, payment.invoice, outcome, reason)
    released = evolve(payment, parked=None, version=payment.version + 1)
    decided: Change | None = None
    asked = payment.amount
    if isinstance(payment.state, Capturing):
        asked = Money(payment.state.amount_minor, payment.currency)
    if outcome == "succeeded" and not taken:
        if reference is None:
            raise ValidationError("reference", reference, "what the gateway calls the charge")
        said = PaymentSnapshot(
            Outcome.SUCCEEDED, asked, at, payment.id, plain_text("reference", reference)
        )
        decided = merge(evolve(released, resolved=True), said, at=at)
    elif isinstance(payment.state, Processing | Capturing):
        # It said that it was at work on it, so it is not nothing that happened: it failed. What
        # was not captured is held still.
        decline = Decline(RESOLVED, reason, Advice.RETRY_AFTER)
        failed = PaymentSnapshot(Outcome.DECLINED_SOFT, asked, at, payment.id, decline=decline)
        decided = merge(released, failed, at=at)
    elif payment.live:
        decided = void(released, reason=reason, at=at)
    if decided is None:
        return changed(PAYMENT, payment, released, event)
    return Change(PAYMENT, payment, decided.after, (event, *decided.events))


def ordinal_of(attempt: PaymentId, *, tenant: str, invoice: InvoiceId, attempts: int) -> int | None:
    """Return which attempt on an invoice an id stands for; None if it is of another invoice.

    `attempts` is how many the books know; those that were lost with them come after.
    """
    for ordinal in range(1, attempts + LOST_MAX + 1):
        if payment_id(tenant, invoice, ordinal) == attempt:
            return ordinal
    return None


def adopt(
    snapshot: PaymentSnapshot,
    *,
    tenant: str,
    customer: CustomerId,
    invoice: InvoiceId,
    ordinal: int,
    gateway: str,
    at: datetime,
) -> Change | None:
    """Decide to take a charge into the books that they do not know: the gateway proves it.

    It is the attempt that it always was, with what became of it; which card was charged is not
    known. None for what says nothing.
    """
    payment = Payment(
        payment_id(tenant, invoice, ordinal),
        tenant,
        1,
        customer,
        gateway,
        snapshot.amount.minor,
        snapshot.amount.currency,
        Intended(snapshot.occurred_at),
        snapshot.occurred_at,
        invoice,
        ordinal,
        reference=snapshot.gateway_ref,
        keyed_at=snapshot.occurred_at,
    )
    if snapshot.outcome in (Outcome.UNKNOWN, Outcome.NOT_EXECUTED):
        return None
    decided = merge(payment, snapshot, at=at)
    assert decided is not None
    event = PaymentAdopted(payment.id, customer, invoice, payment.amount, gateway)
    return Change(PAYMENT, None, decided.after, (event, *decided.events))
