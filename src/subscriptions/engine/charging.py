"""Asking gateways: what is asked depends on what may have happened before.

An intent whose key is young is sent, and sent again after silence: within the replay window a
replay is a question. An older one may have been executed by a process that died, so the gateway is
asked what became of it, and only a proven absence allows another attempt. So is it before an intent
is sent that is new, but of a time that has long passed: a run may catch up after a backup was
restored, and the gateway knows what was charged meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeAlias, TypeVar

from subscriptions.engine.authorizing import NotCaptured, ask_about_held
from subscriptions.engine.procedures import Procedure, blocking
from subscriptions.frozen import frozen
from subscriptions.gateways import (
    AbsentForSure,
    CannotTell,
    FollowsTime,
    Found,
    PaymentGateway,
    Reconciled,
)
from subscriptions.payments import (
    ActionRequired,
    Outcome,
    Payment,
    PaymentSnapshot,
    Processing,
    asked_first,
    charge_intent,
    last_call,
    leaves_no_gap,
    replayable,
)

log = logging.getLogger("subscriptions")

Answer: TypeAlias = PaymentSnapshot | AbsentForSure | NotCaptured
A = TypeVar("A")
B = TypeVar("B")


@frozen
class Asked:
    """A payment that a gateway is asked about; `wanted` says that its invoice still needs it."""

    payment: Payment
    wanted: bool


def ask(
    asked: Sequence[Asked],
    gateways: Mapping[str, PaymentGateway],
    *,
    at: datetime,
    now: datetime,
) -> Procedure[list[Answer]]:
    """Ask the gateways about payments that are due, several at once where a gateway allows it.

    The answers come in the order of the payments. No transaction is open meanwhile. `at` is the
    time of the work, `now` what the clock says.
    """
    names = [each.payment.gateway for each in asked]

    def about(each: Asked, gateway: PaymentGateway | None) -> Answer:
        if gateway is None:
            return _silence(each.payment, at)
        return _ask(each, gateway, at, now)

    return (yield from at_their_gateways(asked, names, gateways, about, at=at))


def at_their_gateways(
    asked: Sequence[A],
    names: Sequence[str],
    gateways: Mapping[str, PaymentGateway],
    about: Callable[[A, PaymentGateway | None], B],
    *,
    at: datetime,
) -> Procedure[list[B]]:
    """Ask about each thing at the gateway of its name, several at once where that allows it.

    The answers come in the order of the things. A gateway that is not known is asked as None.
    """
    by_gateway: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        by_gateway.setdefault(name, []).append(index)
    answers: dict[int, B] = {}
    for name, indexes in by_gateway.items():
        there = [asked[index] for index in indexes]
        found = yield from blocking(_ask_all, there, gateways.get(name), about, at)
        answers.update(zip(indexes, found, strict=True))
    return [answers[index] for index in range(len(asked))]


def _ask_all(
    asked: Sequence[A],
    gateway: PaymentGateway | None,
    about: Callable[[A, PaymentGateway | None], B],
    at: datetime,
) -> list[B]:
    if gateway is None:
        return [about(each, None) for each in asked]
    if isinstance(gateway, FollowsTime):
        gateway.at(at)
    at_once = min(gateway.capabilities.in_flight_max, len(asked))
    if at_once == 1:
        return [about(each, gateway) for each in asked]
    with ThreadPoolExecutor(at_once, thread_name_prefix="charge") as pool:
        futures = [pool.submit(about, each, gateway) for each in asked]
        return [future.result() for future in futures]


def _ask(asked: Asked, gateway: PaymentGateway, at: datetime, now: datetime) -> Answer:
    """Ask about one payment; whatever an adapter raises or makes up is silence, never a decline."""
    payment = asked.payment
    try:
        answer: object = _answer(asked, gateway, at, now)
    except Exception:
        log.exception("gateway %s did not answer about %s", payment.gateway, payment.id)
        return _silence(payment, at)
    match answer:
        case PaymentSnapshot() | NotCaptured():
            return answer
        case Found(snapshot=snapshot):
            return snapshot
        case AbsentForSure(as_of=as_of):
            # An answer from before the last moment at which we may have called proves nothing.
            window = gateway.capabilities.replay_window
            simulated = isinstance(gateway, FollowsTime)
            proven = as_of >= last_call(payment, window=window, simulated=simulated)
            return answer if proven else _silence(payment, at)
        case CannotTell():
            return _silence(payment, at)
        case _:
            log.error("gateway %s gave %r about %s", payment.gateway, answer, payment.id)
            return _silence(payment, at)


def _answer(
    asked: Asked, gateway: PaymentGateway, at: datetime, now: datetime
) -> PaymentSnapshot | Reconciled | NotCaptured:
    payment = asked.payment
    if payment.authorization is not None:
        return ask_about_held(payment, gateway, wanted=asked.wanted, at=at, now=now)
    intent = charge_intent(payment)
    match payment.state:
        case Processing():
            return gateway.reconcile(intent, payment.reference)
        case ActionRequired():
            return gateway.void(intent)
        case _ if not asked.wanted:
            # Paid otherwise, or given up: a charge now would only have to be given back.
            return gateway.void(intent)
        case _:
            window = gateway.capabilities.replay_window
            if not replayable(payment, at=at, now=now, window=window):
                return gateway.reconcile(intent, payment.reference)
            if asked_first(payment, now=now, window=window):
                # It may have been charged by a run whose records a restored backup does not have.
                found = gateway.reconcile(intent, payment.reference)
                time = at if isinstance(gateway, FollowsTime) else now
                if not isinstance(found, AbsentForSure):
                    return found
                if not leaves_no_gap(found.as_of, now=time, window=window):
                    return CannotTell("the list is too old to prove anything")
            return gateway.charge(intent)


def _silence(payment: Payment, at: datetime) -> PaymentSnapshot:
    # What is known to be in process stays so: it is asked again tomorrow.
    processing = isinstance(payment.state, Processing)
    outcome = Outcome.PROCESSING if processing else Outcome.UNKNOWN
    return PaymentSnapshot(outcome, payment.amount, at, payment.id)
