"""Asking gateways about what is held: what is asked depends on what may have happened before.

As with a charge: what is young is sent, and sent again after silence, and what is older is asked
about. A capture may be sent anew only where the gateway proves that it never had it: it still holds
all of the amount, at a moment at which no call of ours can be under way any more.
"""

from __future__ import annotations

from datetime import datetime

from subscriptions.errors import GatewayError
from subscriptions.frozen import frozen
from subscriptions.gateways import (
    AbsentForSure,
    Authorizes,
    CannotTell,
    FollowsTime,
    Found,
    PaymentGateway,
    Reconciled,
)
from subscriptions.payments import (
    ActionRequired,
    Authorized,
    Capturing,
    Outcome,
    Payment,
    PaymentSnapshot,
    Processing,
    Succeeded,
    capture_intent,
    capture_is_young,
    charge_intent,
    last_call_of_capture,
    replayable,
)


@frozen
class NotCaptured:
    """The gateway holds all of it still: a capture has proved never to have happened."""


def ask_about_held(
    payment: Payment, gateway: PaymentGateway, *, wanted: bool, at: datetime, now: datetime
) -> PaymentSnapshot | Reconciled | NotCaptured:
    """Ask about one payment that is authorised first; raises `GatewayError` if nobody can do so."""
    if not isinstance(gateway, Authorizes):
        raise GatewayError(f"gateway {payment.gateway} does not authorise (any more)")
    intent = charge_intent(payment)
    match payment.state:
        case Capturing() as state:
            return _capture(payment, state, gateway, gateway, at=at, now=now)
        case Authorized() | Succeeded():
            return gateway.release(intent)
        case Processing():
            return gateway.reconcile(intent, payment.reference)
        case ActionRequired():
            return gateway.void(intent)
        case _ if not wanted:
            return gateway.void(intent)
        case _:
            window = gateway.capabilities.replay_window
            if replayable(payment, at=at, now=now, window=window):
                return gateway.authorize(intent)
            return gateway.reconcile(intent, payment.reference)


def _capture(
    payment: Payment,
    state: Capturing,
    gateway: PaymentGateway,
    holds: Authorizes,
    *,
    at: datetime,
    now: datetime,
) -> PaymentSnapshot | Reconciled | NotCaptured:
    window = gateway.capabilities.replay_window
    if capture_is_young(state, at=at, now=now, window=window):
        return holds.capture(capture_intent(payment))
    found = gateway.reconcile(charge_intent(payment), payment.reference)
    if isinstance(found, AbsentForSure):
        return CannotTell("what was authorised is not there")
    if not isinstance(found, Found) or found.snapshot.outcome is not Outcome.AUTHORIZED:
        return found
    simulated = isinstance(gateway, FollowsTime)
    over_at = last_call_of_capture(state, window=window, simulated=simulated)
    if (at if simulated else now) < over_at:
        return CannotTell("a call may be under way")
    return NotCaptured()
