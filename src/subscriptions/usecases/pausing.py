"""Pausing and resuming a subscription, and moving the end of its trial."""

from __future__ import annotations

from datetime import date, datetime

from subscriptions import lifecycle
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Decision
from subscriptions.errors import ValidationError
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    MoveTrialEnd,
    Pause,
    PauseNow,
    Subscription,
    Trialing,
)
from subscriptions.records import Ref, plain_date
from subscriptions.usecases import renewals
from subscriptions.usecases.billing_periods import Moves, bill_due
from subscriptions.usecases.flows import Command, Context, Flow, Get
from subscriptions.usecases.price_arguments import read_flag


def pause(
    id: str,
    *,
    collect: bool = False,
    invoice: bool = True,
    serve: bool = True,
    resume_on: date | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Stop collecting (default), invoicing or serving, until `resume_on` or until it is resumed.

    Without `collect` invoices are made and stay drafts; they become final when it is resumed.
    Without `invoice` nothing is billed: a period that begins in the meantime is not owed, and what
    was billed before stays billed. Without `serve` the customer is not to have what he pays for:
    `Subscription.served` is false, and he is entitled to nothing.

    Raises `InvalidTransition` unless it is active or trialing and not paused, `ValidationError` for
    three switches on, for a day that is not after today and for a time before it began.
    """
    if resume_on is not None:
        plain_date("resume_on", resume_on)
    for name, switch in (("collect", collect), ("invoice", invoice), ("serve", serve)):
        read_flag(name, switch)

    def flow(context: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        lifecycle.check_end(sub, at=context.at)
        today = context.today(sub.zone)
        stop = Pause(today, collect, invoice, serve, resume_on)
        moves = Moves(sub, (yield from Get(CUSTOMER, sub.customer)))
        if not invoice:
            yield from renewals.charge_used(moves, context)
        moves.do(PauseNow(stop))
        return moves.decision()

    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))


def resume(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Subscription]:
    """Go on with a paused subscription today: drafts of the pause become final and are collected.

    If nothing was invoiced, the rest of the present period is billed now, and what went by is not.
    Raises `InvalidTransition` if it is not paused.
    """

    def flow(context: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        today = context.today(sub.zone)
        moves = Moves(sub, (yield from Get(CUSTOMER, sub.customer)))
        yield from renewals.resume(moves, today, context, at=context.at)
        yield from bill_due(moves, today, context, by_command=True)
        return moves.decision()

    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))


def extend_trial(
    id: str,
    *,
    until: date,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Let a trial end when the day `until` begins; periods are counted from it.

    Raises `InvalidTransition` unless it is trialing, `ValidationError` for a day that is not after
    today. An earlier day than the present one shortens the trial.
    """
    plain_date("until", until)

    def flow(context: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        if isinstance(sub.contract, Trialing) and until <= context.today(sub.zone):
            expected = f"after today, {context.today(sub.zone)}; to end it now: end_trial"
            raise ValidationError("until", until, expected)
        change = lifecycle.decide(sub, MoveTrialEnd(until))
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))


def end_trial(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Subscription]:
    """End a trial today; the first period begins and is billed at once.

    Raises `InvalidTransition` unless it is trialing.
    """

    def flow(context: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        moves = Moves(sub, (yield from Get(CUSTOMER, sub.customer)))
        moves.do(MoveTrialEnd(context.today(sub.zone)))
        yield from renewals.catch_up_to_date(moves, context)
        return moves.decision()

    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))
