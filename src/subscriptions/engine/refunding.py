"""Asking gateways about refunds, as about charges: within the window a repeat is a question.

A refund whose key is older is asked about, and only a proven absence lets it be sent once more.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from subscriptions.engine.charging import at_their_gateways
from subscriptions.engine.procedures import Procedure
from subscriptions.gateways import (
    AbsentForSure,
    CannotTell,
    FollowsTime,
    FoundRefund,
    PaymentGateway,
    ReconciledRefund,
    Refunds,
)
from subscriptions.payments import MARGIN, leaves_no_gap
from subscriptions.refunds import (
    Pending,
    Refund,
    RefundOutcome,
    RefundSnapshot,
    last_call,
    refund_intent,
    replayable,
)

log = logging.getLogger("subscriptions")

RefundAnswer: TypeAlias = RefundSnapshot | AbsentForSure

SILENT = (RefundOutcome.UNKNOWN, RefundOutcome.NOT_EXECUTED)


def ask_refunds(
    refunds: Sequence[Refund],
    gateways: Mapping[str, PaymentGateway],
    *,
    at: datetime,
    now: datetime,
) -> Procedure[list[RefundAnswer]]:
    """Ask the gateways about refunds that are due; the answers come in their order.

    No transaction is open meanwhile. `at` is the time of the work, `now` what the clock says.
    """
    names = [refund.gateway for refund in refunds]

    def about(refund: Refund, gateway: PaymentGateway | None) -> RefundAnswer:
        return _ask(refund, gateway, at, now)

    return (yield from at_their_gateways(refunds, names, gateways, about, at=at))


def _ask(
    refund: Refund, gateway: PaymentGateway | None, at: datetime, now: datetime
) -> RefundAnswer:
    """Ask about one refund; whatever an adapter raises or makes up is silence, never a failure."""
    if gateway is None or not isinstance(gateway, Refunds):
        log.error("gateway %s is not there, or refunds no more: %s", refund.gateway, refund.id)
        return _silence(refund, at)
    try:
        answer: object = _answer(refund, gateway, gateway, at, now)
    except Exception:
        log.exception("gateway %s did not answer about %s", refund.gateway, refund.id)
        return _silence(refund, at)
    match answer:
        case RefundSnapshot(outcome=outcome) if isinstance(refund.state, Pending) and (
            outcome in SILENT
        ):
            return _silence(refund, at)
        case RefundSnapshot():
            return answer
        case AbsentForSure(as_of=as_of):
            # An answer from before the last moment at which we may have called proves nothing.
            window = gateway.capabilities.replay_window
            simulated = isinstance(gateway, FollowsTime)
            proven = as_of >= last_call(refund, window=window, simulated=simulated)
            return answer if proven else _silence(refund, at)
        case CannotTell():
            return _silence(refund, at)
        case _:
            log.error("gateway %s gave %r about %s", refund.gateway, answer, refund.id)
            return _silence(refund, at)


def _answer(
    refund: Refund, gateway: PaymentGateway, refunds: Refunds, at: datetime, now: datetime
) -> RefundSnapshot | AbsentForSure | CannotTell:
    intent = refund_intent(refund)
    window = gateway.capabilities.replay_window
    young = replayable(refund, at=at, now=now, window=window)
    fresh = young and not isinstance(refund.state, Pending)
    if fresh and now - refund.fresh_at < window - MARGIN:
        return refunds.refund(intent)
    found: ReconciledRefund = refunds.reconcile_refund(intent, refund.reference)
    if isinstance(found, FoundRefund):
        return found.snapshot
    if not fresh or not isinstance(found, AbsentForSure):
        return found
    # It is new, but of a time that has long passed: as with a charge, it may have been made by a
    # run whose records were lost.
    time = at if isinstance(gateway, FollowsTime) else now
    if not leaves_no_gap(found.as_of, now=time, window=window):
        return CannotTell("the list is too old to prove anything")
    return refunds.refund(intent)


def _silence(refund: Refund, at: datetime) -> RefundSnapshot:
    # What is known to be pending stays so: it is asked again tomorrow.
    pending = isinstance(refund.state, Pending)
    outcome = RefundOutcome.PENDING if pending else RefundOutcome.UNKNOWN
    return RefundSnapshot(outcome, refund.amount, at, refund.id)
