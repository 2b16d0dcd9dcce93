"""Hearing of a dispute, merging what is said of it, and noting what it did.

What it does to the payment and its invoices is decided elsewhere, by what all disputes of that
payment take together.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias, assert_never

from subscriptions.decisions import Change, changed, created
from subscriptions.disputes.dispute import (
    DEFAULT_POLICY,
    DISPUTE,
    Dispute,
    DisputePolicy,
    DisputeState,
    Lost,
    Opened,
    Withdrawn,
    Won,
)
from subscriptions.disputes.events import (
    DebitReturned,
    DisputeAwaitsPayment,
    DisputeLost,
    DisputeOpened,
    DisputeReconsidered,
    DisputeTookEffect,
    DisputeUpdated,
    DisputeWithdrawn,
    DisputeWon,
)
from subscriptions.disputes.outcomes import DisputeKind, DisputeSnapshot, DisputeStatus
from subscriptions.errors import CurrencyMismatch, ValidationError
from subscriptions.ids import CustomerId, DisputeId, InvoiceId, PaymentId, derived_id
from subscriptions.money import Money
from subscriptions.records import evolve

_ORDER = (DisputeStatus.OPENED, DisputeStatus.WITHDRAWN, DisputeStatus.WON, DisputeStatus.LOST)
_KINDS = tuple(DisputeKind)

_Place: TypeAlias = tuple[datetime, int, int, bool, int, str, str, str]


def dispute_id(tenant: str, gateway: str, reference: str) -> DisputeId:
    """Derive the id of a dispute from the gateway's own reference of it."""
    return DisputeId(derived_id("dp", tenant, gateway, reference))


def note(
    snapshot: DisputeSnapshot,
    *,
    tenant: str,
    customer: CustomerId,
    payment: PaymentId,
    gateway: str,
    at: datetime,
    policy: DisputePolicy = DEFAULT_POLICY,
) -> Change:
    """Decide to keep a dispute that was not known; what it does is to be decided at `at`.

    The payment need not have succeeded yet, as far as is known: messages come in any order.
    """
    dispute = Dispute(
        dispute_id(tenant, gateway, snapshot.dispute_ref),
        tenant,
        1,
        customer,
        payment,
        gateway,
        snapshot.dispute_ref,
        snapshot.kind,
        snapshot.amount.minor,
        snapshot.amount.currency,
        snapshot.reason,
        _state(snapshot),
        snapshot.occurred_at,
        at,
        snapshot.funds_withdrawn,
        policy,
        snapshot.fee,
    )
    if dispute.taken_minor:
        dispute = evolve(dispute, apply_at=at)
    return created(DISPUTE, dispute, _event(dispute, first=True))


def merge(dispute: Dispute, snapshot: DisputeSnapshot, *, at: datetime) -> Change | None:
    """Decide what the gateway's word makes of a dispute; None if it says nothing new.

    What occurred last counts; of two things said of one instant, what stands further: opened,
    withdrawn, won, lost. So words may come late, twice and in any order. Raises `ValidationError`
    for the word on another dispute or payment, `CurrencyMismatch` for another currency.
    """
    if snapshot.dispute_ref != dispute.reference:
        raise ValidationError("dispute_ref", snapshot.dispute_ref, dispute.reference)
    if snapshot.attempt_id not in (None, dispute.payment):
        raise ValidationError("attempt_id", snapshot.attempt_id, dispute.payment)
    if snapshot.amount.currency != dispute.currency:
        raise CurrencyMismatch(dispute.currency.code, snapshot.amount.currency.code)
    state = _state(snapshot)
    told = evolve(
        dispute,
        kind=snapshot.kind,
        amount_minor=snapshot.amount.minor,
        reason=snapshot.reason,
        state=state,
        said_at=snapshot.occurred_at,
        funds_withdrawn=snapshot.funds_withdrawn,
        fee=snapshot.fee,
        version=dispute.version + 1,
    )
    if _place(told) <= _place(dispute):
        return None
    if told.taken_minor or dispute.taken_minor:
        told = evolve(told, apply_at=at)
    return changed(DISPUTE, dispute, told, _event(told, first=False))


def reconsider(dispute: Dispute, *, at: datetime) -> Change:
    """Decide that its payment has moved, so that what it does is to be decided anew."""
    after = evolve(dispute, apply_at=at, version=dispute.version + 1)
    event = DisputeReconsidered(dispute.id, dispute.customer, dispute.payment)
    return changed(DISPUTE, dispute, after, event)


def took_effect(dispute: Dispute, disputed: Money, invoices: tuple[InvoiceId, ...]) -> Change:
    """Decide that what it does is done; `disputed` is what its payment is short of in all."""
    after = evolve(dispute, apply_at=None, invoices=invoices, version=dispute.version + 1)
    event = DisputeTookEffect(dispute.id, dispute.customer, dispute.payment, disputed)
    return changed(DISPUTE, dispute, after, event)


def await_payment(dispute: Dispute) -> Change:
    """Decide that it does nothing until its payment has succeeded."""
    after = evolve(dispute, apply_at=None, version=dispute.version + 1)
    event = DisputeAwaitsPayment(dispute.id, dispute.customer, dispute.payment)
    return changed(DISPUTE, dispute, after, event)


def _state(snapshot: DisputeSnapshot) -> DisputeState:
    match snapshot.status:
        case DisputeStatus.OPENED:
            return Opened(snapshot.evidence_due_at)
        case DisputeStatus.WITHDRAWN:
            return Withdrawn(snapshot.occurred_at)
        case DisputeStatus.WON:
            return Won(snapshot.occurred_at)
        case DisputeStatus.LOST:
            return Lost(snapshot.occurred_at)
        case other:
            assert_never(other)


def _place(dispute: Dispute) -> _Place:
    """Return where a word stands among all that may be said of a dispute: a total order.

    Time and status decide; the rest makes two words that differ never stand in one place.
    """
    return (
        dispute.said_at,
        _ORDER.index(dispute.status),
        _KINDS.index(dispute.kind),
        dispute.funds_withdrawn,
        dispute.amount_minor,
        dispute.reason,
        str(dispute.evidence_due_at),
        str(dispute.fee),
    )


def _event(dispute: Dispute, *, first: bool) -> object:
    id, customer, payment, amount = dispute.id, dispute.customer, dispute.payment, dispute.amount
    match dispute.state:
        case Opened(evidence_due_at=evidence_due_at):
            kind = DisputeOpened if first else DisputeUpdated
            return kind(
                id,
                customer,
                payment,
                dispute.kind,
                amount,
                dispute.reason,
                evidence_due_at,
                dispute.funds_withdrawn,
            )
        case Lost() if dispute.kind is DisputeKind.RETURN:
            return DebitReturned(id, customer, payment, amount, dispute.reason)
        case Lost():
            return DisputeLost(id, customer, payment, amount)
        case Won():
            return DisputeWon(id, customer, payment, amount)
        case Withdrawn():
            return DisputeWithdrawn(id, customer, payment, amount)
        case other:
            assert_never(other)
