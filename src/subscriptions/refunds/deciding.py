"""Intents of refunds, and what an answer of the gateway makes of them.

Nothing here calls a gateway, and nothing here knows how much of a payment may be given back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from subscriptions.decisions import Change, changed, created
from subscriptions.errors import CurrencyMismatch, InvalidTransition, ValidationError
from subscriptions.ids import InvoiceId, PaymentId, RefundId, derived_id, gateway_key
from subscriptions.money import Money
from subscriptions.payments import (
    OUTCOMES,
    RESOLVED,
    Payment,
    backoff,
    key_is_young,
    last_call_with_key,
)
from subscriptions.records import evolve, plain_text
from subscriptions.refunds.events import (
    RefundFailed,
    RefundIntended,
    RefundNotExecuted,
    RefundPending,
    RefundResolved,
    RefundSucceeded,
    RefundUnknown,
)
from subscriptions.refunds.outcomes import (
    RefundFailure,
    RefundIntent,
    RefundOutcome,
    RefundSnapshot,
)
from subscriptions.refunds.refund import (
    ALLOWED,
    REFUND,
    Failed,
    Intended,
    Pending,
    Refund,
    RefundState,
    Succeeded,
    Unknown,
)

POLL = timedelta(days=1)


def refund_id(tenant: str, payment: PaymentId, ordinal: int) -> RefundId:
    """Derive the id of the `ordinal`-th refund of a payment."""
    return RefundId(derived_id("ref", tenant, payment, str(ordinal)))


def intend(
    payment: Payment,
    amount: Money,
    *,
    reason: str,
    at: datetime,
    now: datetime,
    invoice: InvoiceId | None = None,
    from_balance: bool = False,
    off_balance_minor: int = 0,
) -> Change:
    """Decide to give back a part of a payment: the intent that is committed before the call.

    The amount is reserved by `payments.reserve_refund` in the same decision.
    """
    ordinal = payment.refunds + 1
    id = refund_id(payment.tenant, payment.id, ordinal)
    refund = Refund(
        id,
        payment.tenant,
        1,
        payment.customer,
        payment.id,
        ordinal,
        payment.gateway,
        payment.reference,
        amount.minor,
        amount.currency,
        plain_text("reason", reason),
        Intended(at),
        intended_at=at,
        fresh_at=at,
        keyed_at=now,
        invoice=invoice,
        from_balance=from_balance,
        off_balance_minor=off_balance_minor,
    )
    return created(REFUND, refund, RefundIntended(id, payment.customer, payment.id, amount))


def refund_intent(refund: Refund) -> RefundIntent:
    """Return what the gateway is asked, from the frozen facts alone: equal bytes every time."""
    return RefundIntent(
        refund.id,
        gateway_key(refund.tenant, "refund", refund.id),
        refund.amount,
        refund.payment,
        refund.charge_ref,
        refund.customer,
        {"tenant": refund.tenant, "refund": refund.id, "payment": refund.payment},
        refund.intended_at,
    )


def replayable(refund: Refund, *, at: datetime, now: datetime, window: timedelta) -> bool:
    """Return whether sending the intent (again) is safe: its key is younger than the window.

    The age is taken as that of a payment's key: by the clock or by the time of the work, whichever
    is more, and with an hour's margin.
    """
    return key_is_young(refund.fresh_at, refund.keyed_at, at=at, now=now, window=window)


def last_call(refund: Refund, *, window: timedelta, simulated: bool = False) -> datetime:
    """Return the latest instant at which a call for this refund may still have been under way.

    For a gateway whose time is `simulated` the time of the work counts, not the clock.
    """
    return last_call_with_key(refund.fresh_at, refund.keyed_at, window=window, simulated=simulated)


def merge(refund: Refund, snapshot: RefundSnapshot, *, at: datetime) -> Change | None:
    """Decide what an answer of the gateway makes of the refund; None if it says nothing new.

    Answers may come late, twice and in any order: a state only moves as `ALLOWED` says, and a
    failure always wins. Raises `CurrencyMismatch` or `ValidationError` if the gateway speaks of
    another refund or amount than was asked for: such a refund is parked for a person.
    """
    if snapshot.refund_id not in (None, refund.id):
        raise ValidationError("refund_id", snapshot.refund_id, f"{refund.id}, as was asked for")
    if snapshot.amount.currency != refund.currency:
        raise CurrencyMismatch(refund.currency.code, snapshot.amount.currency.code)
    if snapshot.amount.minor != refund.amount_minor:
        raise ValidationError("amount", snapshot.amount, f"{refund.amount} as was asked for")
    state, event = _answer(refund, snapshot, at=at)
    if type(state) not in ALLOWED[type(refund.state)]:
        return None
    after = evolve(
        refund,
        state=state,
        reference=snapshot.gateway_ref or refund.reference,
        version=refund.version + 1,
    )
    return changed(REFUND, refund, after, event)


def _answer(
    refund: Refund, snapshot: RefundSnapshot, *, at: datetime
) -> tuple[RefundState, object]:
    id, customer, payment = refund.id, refund.customer, refund.payment
    before = refund.state
    match snapshot.outcome:
        case RefundOutcome.SUCCEEDED:
            return Succeeded(at), RefundSucceeded(id, customer, payment, refund.amount)
        case RefundOutcome.FAILED:
            failure = snapshot.failure
            assert failure is not None
            event = RefundFailed(id, customer, payment, refund.amount, failure.code)
            return Failed(at, failure), event
        case RefundOutcome.PENDING:
            since = before.since if isinstance(before, Pending) else at
            return Pending(since, at + POLL), RefundPending(id, customer, payment)
        case RefundOutcome.NOT_EXECUTED if not isinstance(before, Unknown):
            tries = before.tries + 1 if isinstance(before, Intended) else 1
            send_at = at + backoff(tries)
            return Intended(send_at, tries), RefundNotExecuted(
                id, customer, payment, tries, send_at
            )
        # What was asked before and is not reached now is as unknown as before: it is asked again.
        case RefundOutcome.UNKNOWN | RefundOutcome.NOT_EXECUTED:
            tries = before.tries + 1 if isinstance(before, Unknown) else 1
            since = before.since if isinstance(before, Unknown) else at
            ask_at = at + backoff(tries)
            return Unknown(since, ask_at, tries), RefundUnknown(
                id, customer, payment, tries, ask_at
            )
        case other:
            assert_never(other)


def resolve(
    refund: Refund, outcome: str, *, reference: str | None, reason: str, at: datetime
) -> Change:
    """Decide what a person found out: the refund `succeeded`, or `never_happened`.

    It is not set aside any more. What never happened failed, with the code `RESOLVED`. Raises
    `InvalidTransition` for a refund whose outcome is known and was not questioned, and for another
    outcome than the known one; `ValidationError` for another word, an empty reason, and a success
    without the reference that the gateway gave it.
    """
    if outcome not in OUTCOMES:
        raise ValidationError("outcome", outcome, f"one of {', '.join(OUTCOMES)}")
    reason = plain_text("reason", reason)
    known = "succeeded" if isinstance(refund.state, Succeeded) else "never_happened"
    if not refund.open and (refund.parked is None or outcome != known):
        raise InvalidTransition(f"refund {refund.id}", refund.status, f"resolve as {outcome}")
    event = RefundResolved(refund.id, refund.customer, refund.payment, outcome, reason)
    released = evolve(refund, parked=None, version=refund.version + 1)
    if not refund.open:
        return changed(REFUND, refund, released, event)
    if outcome == "succeeded":
        if reference is None:
            raise ValidationError("reference", reference, "what the gateway calls the refund")
        named = plain_text("reference", reference)
        said = RefundSnapshot(RefundOutcome.SUCCEEDED, refund.amount, at, refund.id, named)
    else:
        failure = RefundFailure(RESOLVED, reason)
        said = RefundSnapshot(RefundOutcome.FAILED, refund.amount, at, refund.id, failure=failure)
    decided = merge(released, said, at=at)
    assert decided is not None
    return Change(REFUND, refund, decided.after, (event, *decided.events))


def contradicts(refund: Refund, snapshot: RefundSnapshot) -> bool:
    """Return whether a gateway says that a refund was made which a person said never happened."""
    state = refund.state
    said_failed = isinstance(state, Failed) and state.failure.code == RESOLVED
    return said_failed and snapshot.outcome is RefundOutcome.SUCCEEDED


def renew(refund: Refund, *, at: datetime, now: datetime) -> Change | None:
    """Decide that the gateway has proved never to have had a refund: it is sent once more.

    With the key that it always had, for that can only be safer than another one. Returns None for a
    refund whose outcome is known. Raises `InvalidTransition` for one that the gateway was at work
    on: then nobody may guess what became of the money.
    """
    match refund.state:
        case Intended(tries=tries) | Unknown(tries=tries):
            after = evolve(
                refund,
                state=Intended(at, tries),
                fresh_at=at,
                keyed_at=now,
                version=refund.version + 1,
            )
            event = RefundNotExecuted(refund.id, refund.customer, refund.payment, tries, at)
            return changed(REFUND, refund, after, event)
        case Pending():
            raise InvalidTransition(
                f"refund {refund.id}", refund.status, "gateway has never had it"
            )
        case Succeeded() | Failed():
            return None
        case other:
            assert_never(other)
