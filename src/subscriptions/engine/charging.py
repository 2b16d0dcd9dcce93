"""Asking gateways: what is asked depends on what may have happened before.

An intent whose key is young is sent, and sent again after silence: within the replay window a
replay is a question. An older one may have been executed by a process that died, so the gateway is
asked what became of it, and only a proven absence allows another attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeAlias

from subscriptions.engine.procedures import Procedure, blocking
from subscriptions.gateways import AbsentForSure, CannotTell, FollowsTime, Found, PaymentGateway
from subscriptions.payments import (
    ActionRequired,
    Outcome,
    Payment,
    PaymentSnapshot,
    Processing,
    charge_intent,
    last_call,
    replayable,
)

log = logging.getLogger("subscriptions")

Answer: TypeAlias = PaymentSnapshot | AbsentForSure


def ask(
    payments: Sequence[Payment], gateways: Mapping[str, PaymentGateway], *, at: datetime
) -> Procedure[list[Answer]]:
    """Ask the gateways about payments that are due, several at once where a gateway allows it.

    The answers come in the order of the payments. No transaction is open meanwhile.
    """
    by_gateway: dict[str, list[int]] = {}
    for index, payment in enumerate(payments):
        by_gateway.setdefault(payment.gateway, []).append(index)
    answers: list[Answer | None] = [None] * len(payments)
    for name, indexes in by_gateway.items():
        asked = [payments[index] for index in indexes]
        found = yield from blocking(_ask_all, asked, gateways.get(name), at)
        for index, answer in zip(indexes, found, strict=True):
            answers[index] = answer
    return [answer for answer in answers if answer is not None]


def _ask_all(
    payments: Sequence[Payment], gateway: PaymentGateway | None, at: datetime
) -> list[Answer]:
    if gateway is None:
        return [_silence(payment, at) for payment in payments]
    if isinstance(gateway, FollowsTime):
        gateway.at(at)
    at_once = min(gateway.capabilities.in_flight_max, len(payments))
    if at_once == 1:
        return [_ask(payment, gateway, at) for payment in payments]
    with ThreadPoolExecutor(at_once, thread_name_prefix="charge") as pool:
        futures = [pool.submit(_ask, payment, gateway, at) for payment in payments]
        return [future.result() for future in futures]


def _ask(payment: Payment, gateway: PaymentGateway, at: datetime) -> Answer:
    """Ask about one payment; whatever an adapter raises is silence, never a decline."""
    intent = charge_intent(payment)
    try:
        match payment.state:
            case Processing():
                answer = gateway.reconcile(intent, payment.reference)
            case ActionRequired():
                return gateway.void(intent)
            case _:
                if replayable(payment, at=at, window=gateway.capabilities.replay_window):
                    return gateway.charge(intent)
                answer = gateway.reconcile(intent, payment.reference)
    except Exception:
        log.exception("gateway %s did not answer about %s", payment.gateway, payment.id)
        return _silence(payment, at)
    match answer:
        case Found(snapshot=snapshot):
            return snapshot
        case AbsentForSure(as_of=as_of):
            # An answer from before the last moment at which we may have called proves nothing.
            window = gateway.capabilities.replay_window
            return answer if as_of >= last_call(payment, window=window) else _silence(payment, at)
        case CannotTell():
            return _silence(payment, at)


def _silence(payment: Payment, at: datetime) -> PaymentSnapshot:
    # What is known to be in process stays so: it is asked again tomorrow.
    processing = isinstance(payment.state, Processing)
    outcome = Outcome.PROCESSING if processing else Outcome.UNKNOWN
    return PaymentSnapshot(outcome, payment.amount, at, payment.id)
